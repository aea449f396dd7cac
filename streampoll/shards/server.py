"""What the Redis servers are, and whether we run on them: version, eviction, persistence, the recorded shard count."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from streampoll.config.settings import RedisSettings, ShardsSettings
from streampoll.errors import UnfitServerError
from streampoll.shards.connection import raise_errors
from streampoll.shards.keys import Keys
from streampoll.shards.open import open_topology
from streampoll.shards.topology import Command

FLOOR = (6, 2)
FORMAT = "1"  # of keys and entries; another one needs a migration


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a Redis server says of itself."""

    version: tuple[int, ...]
    maxmemory: int  # bytes; 0: no bound
    used_memory: int
    maxmemory_policy: str
    aof: bool
    run_id: str

    @property
    def release(self) -> str:
        """The version as text."""
        return ".".join(map(str, self.version))

    @property
    def fill(self) -> float:
        """Share of maxmemory that is used; 0.0 without a bound."""
        return self.used_memory / self.maxmemory if self.maxmemory else 0.0


def facts_of(info: bytes) -> ServerFacts:
    """Read the text of INFO."""
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines() if ":" in line)
    said = {name: value.strip() for name, _, value in lines}
    return ServerFacts(
        version=tuple(int(part) for part in said.get("redis_version", "0").split(".")[:3]),
        maxmemory=int(said.get("maxmemory", 0)),
        used_memory=int(said.get("used_memory", 0)),
        maxmemory_policy=said.get("maxmemory_policy", "noeviction"),
        aof=said.get("aof_enabled") == "1",
        run_id=said.get("run_id", ""),
    )


def weakest(servers: Sequence[ServerFacts]) -> ServerFacts:
    """Return what may be relied on with all of a Cluster's masters together."""
    evicting = [facts.maxmemory_policy for facts in servers if facts.maxmemory_policy != "noeviction"]
    unbounded = [facts for facts in servers if not facts.maxmemory]
    fullest = unbounded[0] if unbounded else max(servers, key=lambda facts: facts.fill)
    return replace(
        fullest,
        version=min(facts.version for facts in servers),
        maxmemory_policy=evicting[0] if evicting else "noeviction",
        aof=all(facts.aof for facts in servers),
    )


async def examine(redis: RedisSettings) -> ServerFacts:
    """Connect and read the servers' facts.

    Raises:
        RedisUnavailable: no connection in time.
    """
    topology = open_topology(redis, redis.connect_timeout_s)
    try:
        return weakest([facts_of(info) for info in raise_errors(await topology.everywhere("INFO"))])
    finally:
        await topology.close()


def refuse_unfit(facts: ServerFacts) -> None:
    """Raise UnfitServerError, with the line to set, for a server that would lose work."""
    if facts.version < FLOOR:
        raise UnfitServerError(
            f"Redis {facts.release} is too old: XAUTOCLAIM needs 6.2; install redis-server 6.2 or newer"
        )
    if facts.maxmemory_policy != "noeviction":
        raise UnfitServerError(
            f"Redis evicts keys when full (maxmemory-policy {facts.maxmemory_policy}), which loses polls; "
            "set 'maxmemory-policy noeviction' in redis.conf, or run CONFIG SET maxmemory-policy noeviction"
        )


async def settle(redis: RedisSettings, shards: ShardsSettings) -> ServerFacts:
    """Check the server and record, at first start, the shard count and format, once for all processes.

    Raises:
        RedisUnavailable: not reachable.
        UnfitServerError: too old, evicting, or used with another shard count or format.
    """
    topology = open_topology(redis, redis.connect_timeout_s)
    try:
        facts = weakest([facts_of(info) for info in raise_errors(await topology.everywhere("INFO"))])
        refuse_unfit(facts)
        meta = Keys(redis.prefix).meta
        for name, ours in (("format", FORMAT), ("shards", str(shards.count))):
            commands = [Command(meta, ("HSETNX", meta, name, ours)), Command(meta, ("HGET", meta, name))]
            _, said = raise_errors(await topology.run(commands))
            if (recorded := said.decode()) != ours:
                raise UnfitServerError(_changed(name, recorded, ours, meta))
        return facts
    finally:
        await topology.close()


def _changed(name: str, recorded: str, ours: str, meta: str) -> str:
    if name == "shards":
        return (
            f"Redis was set up with shards.count = {recorded}, not {ours}: devices would change shards; write "
            f"shards.count = {recorded}, or stop the coordinators, wait until 'streampoll stats' shows nothing waiting "
            f"or in flight, stop the workers, run 'redis-cli HDEL {meta} shards', and start again"
        )
    return (
        f"Redis holds data of format {recorded}, this release reads {ours}; run the release that wrote it, or drain it"
    )
