"""`audit`: holds plans, ledger and rows against one another and says what is missing or doubled.

Work goes on while it reads, so the order of reading matters: first how far the ledger reaches, then what is unfinished
in Redis, then ledger and rows in one snapshot. A poll that is finished in Redis by then has been committed before. What
was dispatched *after* Redis was read may still look short; so a shortfall counts only if a second reading finds it too.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from streampoll.model import Status
from streampoll.results.equation import Gap, Shortfall, Tally, judge, percentile, undispatched
from streampoll.results.ledger import (
    QUERIES,
    Known,
    Times,
    Window,
    read_counts,
    read_horizons,
    read_known,
    read_line,
    read_stored,
    read_times,
)
from streampoll.results.postgres import Connection

Finality = Callable[[], Awaitable[Mapping[tuple[str, int], int]]]
"""Answers (job, slot) -> entries unfinished in Redis, over the classes polling and results."""

Slots = frozenset[tuple[str, int]]

_FAILED = tuple(status for status in Status if not status.answered and status is not Status.EXPIRED)
_NAMES_LISTED = 20


@dataclass(frozen=True, slots=True)
class JobAudit:
    """One job's figures, or the total's."""

    tally: Tally
    devices: int
    executed_twice: int
    lateness: Counter[int]  # hundredths of a second -> answered polls
    cycles_ms: Counter[int]  # slot to last row -> slots
    one_of: int  # of one in so many slots these two are known

    def as_json(self) -> dict[str, Any]:
        """Return the figures under the keys that demo, audit and API share."""
        by_status = self.tally.by_status
        return {
            "devices": self.devices,
            "expected": self.tally.expected,
            "ok": by_status[Status.OK],
            "partial": by_status[Status.PARTIAL],
            "failed": sum(by_status[status] for status in _FAILED),
            "failed_by_status": {status.word: by_status[status] for status in _FAILED if by_status[status]},
            "expired": by_status[Status.EXPIRED],
            "skipped": self.tally.skipped,
            "lost": self.tally.lost,
            "missing": self.tally.missing,
            "duplicates": self.tally.duplicates,
            "executed_twice": self.executed_twice,
            **_percentiles("lateness", self.lateness, 100),
            **_percentiles("cycle", self.cycles_ms, 1000),
            "lateness_one_of": self.one_of,
        }


@dataclass(frozen=True, slots=True)
class Stopped:
    """A (job, shard) that was due and not dispatched, beyond what is judged."""

    job: str
    shard: int
    since: int  # tick
    polls: int


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What audit found."""

    window: Window
    jobs: Mapping[str, JobAudit]
    total: JobAudit
    open_polls: int  # unfinished when Redis was read: not judged
    stopped: tuple[Stopped, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """True if nothing is missing and nothing doubled."""
        return not self.total.tally.missing and not self.total.tally.duplicates

    @property
    def shortfalls(self) -> tuple[Shortfall, ...]:
        """Every tick that does not add up."""
        return tuple(self.total.tally.shortfalls)

    def as_json(self) -> dict[str, Any]:
        """Return the total's figures, and under `jobs` each job's."""
        return {**self.total.as_json(), "jobs": {job: audit.as_json() for job, audit in sorted(self.jobs.items())}}


async def audit(connection: Connection, since: int, until: int, finality: Finality) -> AuditReport:
    """Audit the ticks from `since` to `until` (both included, seconds since the epoch) that are final.

    Raises:
        PostgresUnavailable, RedisUnavailable: as the connection and `finality` do.
    """
    window = Window(since, until)
    first = await _read(connection, window, finality, frozenset())
    if not first.shortfalls:
        return first
    second = await _read(connection, window, finality, frozenset())
    passing = _slots(second) - _slots(first)
    return await _read(connection, window, finality, passing) if passing else second


def _slots(report: AuditReport) -> Slots:
    return frozenset((shortfall.job, shortfall.slot) for shortfall in report.shortfalls)


async def _read(connection: Connection, window: Window, finality: Finality, passing: Slots) -> AuditReport:
    """Take one reading; slots in `passing` are not judged."""
    horizons = await read_horizons(connection, window)
    unfinished = await finality()
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        known = await read_known(connection, window, horizons)
        devices = await read_counts(connection, window, "devices")
        jobs, stopped = await _judge(connection, window, known, passing | unfinished.keys(), devices)
    finally:
        await connection.execute("ROLLBACK")
    total = _total(jobs.values(), devices.get(None, 0))
    inside = {key: count for key, count in unfinished.items() if window.first <= key[1] <= window.last}
    return AuditReport(window, jobs, total, sum(inside.values()), stopped)


async def _judge(
    connection: Connection, window: Window, known: Known, unjudged: Slots, devices: Mapping[int | None, int]
) -> tuple[dict[str, JobAudit], tuple[Stopped, ...]]:
    """Judge job by job, so that one job's ledger is in memory at a time."""
    stored = await read_stored(connection, window)
    times = await read_times(connection, window, stored)
    repeats = await read_counts(connection, window, "repeats")
    audits: dict[str, JobAudit] = {}
    stopped: list[Stopped] = []
    places = sorted(known.plans.keys() | known.horizons.keys())
    for number in sorted({job for job, _ in places} | stored.keys()):
        name = known.jobs[number]
        lines = [await read_line(connection, window, known, place) for place in places if place[0] == number]
        open_slots = {slot for job, slot in unjudged if job == name}
        tally = judge(name, lines, stored.get(number, {}), open_slots)
        audits[name] = JobAudit(
            tally, devices.get(number, 0), repeats.get(number, 0), times.lateness.get(number, Counter()),
            _cycles(times, number, open_slots), times.one_of,
        )  # fmt: skip
        stopped += [Stopped(name, line.shard, *found) for line in lines if (found := undispatched(line, window.last))]
    return audits, tuple(stopped)


def _cycles(times: Times, job: int, open_slots: Collection[int]) -> Counter[int]:
    """Return how many slots of a job had their last row after how many milliseconds, of those that are final."""
    return Counter(last for slot, last in times.last_ms.get(job, {}).items() if slot not in open_slots)


def _total(jobs: Collection[JobAudit], devices: int) -> JobAudit:
    """Add all jobs; their devices are counted elsewhere, as one may be in several."""
    one_of = max((job.one_of for job in jobs), default=1)
    total = JobAudit(Tally(), devices, sum(job.executed_twice for job in jobs), Counter(), Counter(), one_of)
    for job in jobs:
        total.tally.add(job.tally)
        total.lateness.update(job.lateness)
        total.cycles_ms.update(job.cycles_ms)
    return total


def _percentiles(name: str, counts: Mapping[int, int], per_second: int) -> dict[str, float | None]:
    """Return the 50th and 99th percentile in seconds; None where nothing was counted."""
    found = {share: percentile(counts, share / 100) for share in (50, 99)}
    return {f"{name}_p{share}_s": None if at is None else at / per_second for share, at in found.items()}


async def likely_devices(connection: Connection, shortfall: Shortfall, window: Window) -> list[str]:
    """Name devices that most likely fell short: those with a row one interval before or after, and none here.

    A best effort, at most 20 names: it finds nothing for devices that never had a row.
    """
    if shortfall.gap is Gap.EXTRA_ROW:
        return []
    known = await read_known(connection, replace(window, first=shortfall.slot, last=shortfall.slot), {})
    intervals = {
        interval_s
        for (job, shard), plans in known.plans.items()
        for plan in plans
        for interval_s in plan.intervals
        if known.jobs[job] == shortfall.job and (not shortfall.shards or shard in shortfall.shards)
    }
    around = [slot for each in intervals for slot in (shortfall.slot - each, shortfall.slot + each)]
    rows = await connection.fetch(QUERIES["neighbours"], shortfall.job, around, shortfall.slot, _NAMES_LISTED)
    return [row["name"] for row in rows]
