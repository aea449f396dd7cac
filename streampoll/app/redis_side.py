"""Everything of one process that talks to Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streampoll.config.settings import Settings
from streampoll.shards.clock import Clock
from streampoll.shards.devices import DeviceRecords
from streampoll.shards.facts import Facts
from streampoll.shards.keys import Keys
from streampoll.shards.open import open_topology
from streampoll.shards.outputs import RedisOutputStreams
from streampoll.shards.presence import Presence
from streampoll.shards.scripts import Scripts
from streampoll.shards.streams import RedisStreams
from streampoll.shards.topology import Topology
from streampoll.shards.totals import Totals
from streampoll.worker.consume import BLOCK_MS

_READ_MARGIN_S = 3.0  # a blocked read may answer this much late before its connection is given up


@dataclass(frozen=True, slots=True)
class RedisSide:
    """Everything of one process that talks to Redis."""

    keys: Keys
    scripts: Scripts
    clock: Clock
    streams: RedisStreams
    presence: Presence
    devices: DeviceRecords
    totals: Totals
    outputs: RedisOutputStreams
    facts: Facts
    topology: Topology


@asynccontextmanager
async def open_redis(settings: Settings) -> AsyncIterator[RedisSide]:
    """Make this process's side of Redis; nothing is connected before its first use."""
    redis = settings.redis
    topology = open_topology(redis, BLOCK_MS / 1000 + _READ_MARGIN_S)
    keys, clock = Keys(redis.prefix), Clock()
    streams, presence = RedisStreams(topology, keys), Presence(topology, keys, clock)
    devices = DeviceRecords(topology, keys, clock.now)
    try:
        yield RedisSide(
            keys, Scripts(topology), clock, streams, presence, devices, Totals(topology, keys),
            RedisOutputStreams(topology, keys), Facts(topology, keys, settings.shards.count), topology,
        )  # fmt: skip
    finally:
        await topology.close()
