"""What a poll costs in the running fleet, between two looks at it: from what its processes publish of themselves.

No process is asked for anything. CPU of Redis is Redis' own count. PostgreSQL does not count its CPU, so that part is
the one that was measured beforehand, of the load with the nearest number of values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from streampoll.capacity.constants import LIVE, Constants, Load, Source
from streampoll.capacity.workload import analysed, estimate
from streampoll.errors import StreampollError
from streampoll.model import QueueClass
from streampoll.results.weight import Weight
from streampoll.shards.usage import Usage


@dataclass(frozen=True, slots=True)
class Look:
    """The fleet at one moment."""

    at: float  # seconds of any clock
    workers: Mapping[str, Mapping[str, Any]]  # what each has published last, by id
    leader: Mapping[str, Any]  # what the coordinator that leads has; empty: nobody leads
    redis: Usage
    weight: Weight


@dataclass(frozen=True, slots=True)
class Live:
    """What was seen."""

    load: Load
    devices: int  # as the leader says, over all jobs
    polls_per_s: float
    silent: float  # share of polls that got no answer
    processes: int  # that poll

    @property
    def interval_s(self) -> float:
        """The average interval."""
        return self.devices / self.polls_per_s


@dataclass(slots=True)
class _Spent:
    """Sums over the workers that were there both times."""

    polls: int = 0
    requests: int = 0
    varbinds: int = 0
    silent: int = 0
    worker_s: float = 0.0
    store_s: float = 0.0
    analysis_s: float = 0.0  # of processes that neither poll nor store
    analysed: bool = False  # whether any does it
    processes: int = 0


def compare(before: Look, after: Look, constants: Constants, today: str, analysis: bool = True) -> Live:
    """Return what a poll cost between two looks; `analysis`: results are analysed, where a process serves that class.

    Raises:
        StreampollError: nothing was polled meanwhile, or the processes do not say what they spend.
    """
    spent = _spent(before, after, analysis)
    took_s = after.at - before.at
    if not spent.polls or took_s <= 0:
        raise StreampollError(
            "no worker polled anything meanwhile: look for longer (--seconds), or at streampoll stats"
        )
    devices = sum(after.leader.get("devices", {}).values())
    if not devices:
        raise StreampollError(
            "no coordinator leads, so nobody knows how many devices there are: look at streampoll stats"
        )
    load = _load(before, after, spent, constants, today)
    return Live(load, devices, spent.polls / took_s, spent.silent / spent.polls, spent.processes)


def _spent(before: Look, after: Look, analysis: bool) -> _Spent:
    total = _Spent()
    for name in before.workers.keys() & after.workers.keys():
        then, now = before.workers[name], after.workers[name]
        cpu_s = now.get("cpu_s", 0.0) - then.get("cpu_s", 0.0)
        analyses = analysis and QueueClass.ANALYSIS.value in now.get("queues", {})
        total.analysed |= analyses
        if "polls" not in now:
            total.store_s += cpu_s if "store" in now else 0.0
            total.analysis_s += cpu_s if analyses and "store" not in now else 0.0
            continue
        total.worker_s += cpu_s
        total.processes += 1
        _count(total, then.get("polls", {}), now["polls"])
    return total


def _count(total: _Spent, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    old, new = then.get("by_status", {}), now["by_status"]
    total.polls += sum(new.values()) - sum(old.values())
    total.silent += sum(new.get(word, 0) - old.get(word, 0) for word in ("timeout", "unreachable"))
    total.requests += now["requests"] - then.get("requests", 0)
    total.varbinds += now["varbinds"] - then.get("varbinds", 0)


def _load(before: Look, after: Look, spent: _Spent, constants: Constants, today: str) -> Load:
    polls, redis = spent.polls, after.redis.since(before.redis)
    size = round(spent.requests / polls), round(spent.varbinds / polls)
    polled = estimate(constants, "live", "snmp", size)
    near = analysed(polled, constants) if spent.analysed else polled
    payload_bytes = near.payload_bytes - polled.payload_bytes + (after.weight.payload_bytes or polled.payload_bytes)
    coordinator_s = after.leader.get("cpu_s", 0.0) - before.leader.get("cpu_s", 0.0)
    cpu_us = {
        "coordinator": 1e6 * max(0.0, coordinator_s) / polls,
        "worker": 1e6 * spent.worker_s / polls,
        "store": 1e6 * spent.store_s / polls,
        "analysis": 1e6 * spent.analysis_s / polls,
        "redis": 1e6 * redis.cpu_s / polls,
        "postgres": near.cpu_us["postgres"],
    }
    return replace(
        near, cpu_us=cpu_us, about=_about(size, spent), requests=spent.requests / polls,
        varbinds=spent.varbinds / polls, redis_round_trips=redis.round_trips / polls,
        redis_commands=redis.commands / polls, redis_in_bytes=redis.in_bytes / polls,
        redis_out_bytes=redis.out_bytes / polls, payload_bytes=payload_bytes,
        wal_bytes=_log_bytes(before, after, polls) or near.wal_bytes, estimated=False,
        source=Source(LIVE, today, f"the running fleet, {spent.processes} processes that poll"),
    )  # fmt: skip


def _about(size: Sequence[int], spent: _Spent) -> str:
    what = f"{size[0]} requests and {size[1]} varbinds on the average"
    apart = {"store": spent.store_s, "analyse": spent.analysis_s or not spent.analysed}
    too = " and ".join(verb for verb, apart_s in apart.items() if not apart_s)
    return f"{what}; workers {too} too, so their figure has that in it" if too else what


def _log_bytes(before: Look, after: Look, polls: int) -> float | None:
    then, now = before.weight.log_bytes, after.weight.log_bytes
    return None if then is None or now is None else max(0.0, now - then) / polls
