"""What the Redis server is, and whether we run on it: version, eviction, persistence, the recorded shard count."""

from dataclasses import dataclass

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings, ShardsSettings
from streampoll.errors import UnfitServerError
from streampoll.shards.connection import connect, guarded
from streampoll.shards.keys import Keys

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


async def examine(url: Secret, timeout_s: float) -> ServerFacts:
    """Connect and read the server's facts.

    Raises:
        RedisUnavailable: no connection within `timeout_s`.
    """
    client = connect(url, timeout_s, timeout_s)
    try:
        return facts_of(await guarded(client.execute_command("INFO")))
    finally:
        await client.aclose()


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
    client = connect(redis.url, redis.connect_timeout_s, redis.connect_timeout_s)
    try:
        facts = facts_of(await guarded(client.execute_command("INFO")))
        refuse_unfit(facts)
        meta = Keys(redis.prefix).meta
        for name, ours in (("format", FORMAT), ("shards", str(shards.count))):
            await guarded(client.execute_command("HSETNX", meta, name, ours))
            recorded = (await guarded(client.execute_command("HGET", meta, name))).decode()
            if recorded != ours:
                raise UnfitServerError(_changed(name, recorded, ours, meta))
        return facts
    finally:
        await client.aclose()


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
