"""What the Redis servers have done so far, together: counters that only grow, by INFO (redis.io, INFO)."""

from dataclasses import dataclass, fields

from streampoll.config.settings import RedisSettings
from streampoll.shards.connection import raise_errors
from streampoll.shards.open import open_topology

_SENT = frozenset({"evalsha", "evalsha_ro", "eval", "xreadgroup", "set", "get", "time"})  # by us; scripts run the rest


@dataclass(frozen=True, slots=True)
class Usage:
    """Since the servers started, by whomever."""

    cpu_s: float
    commands: int  # those that scripts run counted too
    round_trips: int  # of those, what clients send
    in_bytes: int
    out_bytes: int

    def since(self, before: "Usage") -> "Usage":
        """Return what was done since an earlier look."""
        return Usage(*(getattr(self, each.name) - getattr(before, each.name) for each in fields(Usage)))


def usage_of(info: bytes) -> Usage:
    """Read the text of INFO everything."""
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    said = {name: value.strip() for name, _, value in lines}
    calls = {
        name.removeprefix("cmdstat_"): int(value.partition("calls=")[2].partition(",")[0])
        for name, value in said.items()
        if name.startswith("cmdstat_")
    }
    return Usage(
        cpu_s=float(said.get("used_cpu_sys", 0)) + float(said.get("used_cpu_user", 0)),
        commands=sum(calls.values()),
        round_trips=sum(count for name, count in calls.items() if name in _SENT),
        in_bytes=int(said.get("total_net_input_bytes", 0)),
        out_bytes=int(said.get("total_net_output_bytes", 0)),
    )


async def used(redis: RedisSettings) -> Usage:
    """Connect and read the sum over all masters.

    Raises:
        RedisUnavailable: no connection in time.
    """
    topology = open_topology(redis, redis.connect_timeout_s)
    try:
        found = [usage_of(info) for info in raise_errors(await topology.everywhere("INFO", "everything"))]
    finally:
        await topology.close()
    return Usage(*(sum(getattr(each, name.name) for each in found) for name in fields(Usage)))
