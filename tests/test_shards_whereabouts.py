"""Where in Redis one poll is, on every server that is promised."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings
from streampoll.model import QueueClass, Result, Status, Target
from streampoll.shards.entries import Entry, Kind, encode_result, encode_target
from streampoll.shards.keys import Keys
from streampoll.shards.letters import Letters
from streampoll.shards.open import open_topology
from streampoll.shards.port import Postponed, Settled
from streampoll.shards.scripts import Scripts
from streampoll.shards.streams import RedisStreams
from streampoll.shards.whereabouts import Found, PollKey, State, Whereabouts
from tests.servers_support import REDIS_NAMES

POLLING, RESULTS = QueueClass.POLLING, QueueClass.RESULTS
SHARD, SLOT = 1, 60
KEY = PollKey("j", "sw1", SLOT)


def poll(device: str = "sw1", slot: int = SLOT) -> Entry:
    return Entry(Kind.POLL, "j", slot, slot + 60, encode_target(Target(device, "10.0.0.1", 0, "system", "", {})))


OTHERS = [poll(f"other-{n}") for n in range(1100)]  # more than a page


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[RedisStreams, Whereabouts]]:
    topology = open_topology(RedisSettings(url=Secret(url)), 5)
    keys = Keys()
    streams = RedisStreams(topology, keys)
    try:
        for queue in (POLLING, RESULTS):
            await streams.make_groups(queue, [SHARD])
        yield streams, Whereabouts(topology, keys, Letters(Scripts(topology), keys, 2))
    finally:
        await topology.close()


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
async def test_a_poll_is_found_wherever_its_way_has_led_it(fresh_redis: str) -> None:
    async with opened(fresh_redis) as (streams, whereabouts):

        async def found() -> Found | None:
            return await whereabouts.find(SHARD, KEY)

        assert await found() is None
        await streams.add(POLLING, SHARD, [*OTHERS, poll(slot=SLOT + 60), poll()])
        waiting = await found()
        *_, held = await streams.read(POLLING, [SHARD], "w1", 2000, 0)
        with_worker = await found()
        await streams.retry(POLLING, "w1", SHARD, [Postponed(held.id, poll(), 50_000)])
        delayed = await found()

        assert (waiting and waiting.state, waiting and waiting.queue) == (State.WAITING, POLLING)
        assert with_worker is not None
        assert (with_worker.state, with_worker.consumer, with_worker.delivery) == (State.HELD, "w1", 1)
        assert with_worker.at == held.dispatched
        assert delayed is not None
        assert (delayed.state, delayed.at > held.dispatched + 40) == (State.DELAYED, True)


async def test_a_poll_that_was_given_up_is_found_with_its_cause(fresh_redis: str) -> None:
    async with opened(fresh_redis) as (streams, whereabouts):
        await streams.add(POLLING, SHARD, [poll("other"), poll()])
        held = await streams.read(POLLING, [SHARD], "w1", 2, 0)
        await streams.finish(POLLING, "w1", {SHARD: [Settled(one.id, "j", SLOT, cause="poison") for one in held]})

        found = await whereabouts.find(SHARD, KEY)

    assert found is not None
    assert (found.state, found.cause) == (State.DEAD, "poison")
    assert found.letter.startswith("polling/01/")


async def test_a_result_that_is_not_stored_yet_is_found(fresh_redis: str) -> None:
    async with opened(fresh_redis) as (streams, whereabouts):
        results = [encode_result(Result("j", name, SLOT, Status.OK, 5, b"\x01")) for name in ("other", "sw1")]
        await streams.add(RESULTS, SHARD, results)
        waiting = await whereabouts.find(SHARD, KEY)
        await streams.read(RESULTS, [SHARD], "store", 2, 0)
        held = await whereabouts.find(SHARD, KEY)

    assert waiting is not None
    assert held is not None
    assert (waiting.queue, waiting.state) == (RESULTS, State.WAITING)
    assert (held.queue, held.state, held.consumer) == (RESULTS, State.HELD, "store")
