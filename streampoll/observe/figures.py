"""What `streampoll stats` shows, as values. None means unknown everywhere, and is shown so: never as a made-up zero."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One queue class in one shard, or (shard None) summed over all of them."""

    queue: str
    shard: int | None
    waiting: int | None = None  # rows (of most classes an entry is one) that nobody holds
    in_flight: int | None = None  # rows (of most classes an entry is one) held by a worker
    oldest_s: float | None = None  # age of the oldest entry; None where there is no entry, too
    delayed: int | None = None  # entries waiting for a retry or a countdown
    claimed: int | None = None  # entries taken over from dead workers, since the workers started
    dead: int | None = None  # dead letters
    rate_per_s: float | None = None  # rows (of most classes an entry is one) done a second
    home: str | None = None  # the worker that serves it


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker process, by its last heartbeat."""

    id: str
    host: str | None = None
    pid: int | None = None
    pool: str | None = None
    state: str | None = None  # starting, running, draining, silent (no heartbeat), deaf (beats, but reads nothing)
    queues: Sequence[str] = ()
    in_flight: int | None = None
    done: int | None = None  # since it started
    rate_per_s: float | None = None
    rss_bytes: int | None = None
    loop_lag_s: float | None = None  # how late its event loop wakes up
    uptime_s: float | None = None
    seen_s: float | None = None  # age of its last heartbeat
    index: int | None = None  # its number among the processes of its pool on its host


@dataclass(frozen=True, slots=True)
class Leader:
    """The coordinator that dispatches."""

    id: str
    epoch: int
    since_s: float | None = None  # for how long
    host: str | None = None
    rss_bytes: int | None = None
    loop_lag_s: float | None = None  # how late it looks at a second


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job, over its last polls that got an answer."""

    job: str
    devices: int | None = None
    interval_s: float | None = None  # None where the job has a cron line, too
    unfinished: int | None = None  # polls dispatched, no row yet
    skipped: int | None = None  # polls not dispatched, in the time the other figures are over
    lateness_p50_s: float | None = None  # stored minus due
    lateness_p99_s: float | None = None
    cycle_p50_s: float | None = None  # from a slot to the last row of it (jobs that poll all at once)
    cycle_p99_s: float | None = None


@dataclass(frozen=True, slots=True)
class PauseRow:
    """What an operator has paused."""

    kind: str  # job, queue
    name: str
    since_s: float  # for how long
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class OutputRow:
    """One output besides PostgreSQL."""

    output: str
    waiting: int  # results that it has not had
    lag_s: float  # age of the oldest of them; 0.0: there is none
    sent: int = 0  # since the workers started
    retried: int = 0
    dropped: int = 0
    error: str = ""  # the last one; "": none
    failed_s: float | None = None  # how long ago that was


@dataclass(frozen=True, slots=True)
class Stats:
    """Everything at one moment."""

    at: float  # wall clock, seconds since the epoch
    queues: Sequence[QueueRow] = ()  # per class and shard
    workers: Sequence[WorkerRow] = ()
    leader: Leader | None = None  # None: nobody leads
    jobs: Sequence[JobRow] = ()
    troubles: Sequence[str] = field(default=())  # what could not be read and why, one line each
    pauses: Sequence[PauseRow] = ()
    alarms: Sequence[str] = ()  # what a person should look at, one line each
    stores_waiting: int = 0  # processes that can't write rows now
    outputs: Sequence[OutputRow] = ()


class StatsSource(Protocol):
    """Where the figures come from: reads what is there, asks no worker."""

    async def snapshot(self) -> Stats:
        """Read everything once; a server that is away becomes a line of `troubles` and unknown figures."""


class FakeStats:
    """A source that answers what it was given, the last one for ever."""

    def __init__(self, *snapshots: Stats) -> None:
        self.snapshots = list(snapshots)

    async def snapshot(self) -> Stats:
        """Return the next of the snapshots."""
        return self.snapshots.pop(0) if len(self.snapshots) > 1 else self.snapshots[0]


def by_class(rows: Sequence[QueueRow]) -> list[QueueRow]:
    """Sum the shards of each class, in the order the classes first come; a sum with an unknown part is unknown."""
    return [_sum(queue, [row for row in rows if row.queue == queue]) for queue in dict.fromkeys(r.queue for r in rows)]


def eldest(rows: Sequence[QueueRow]) -> QueueRow | None:
    """Return the row with the oldest entry: where a backlog stands. None if no age is known."""
    return max((row for row in rows if row.oldest_s is not None), key=lambda row: row.oldest_s or 0.0, default=None)


def _sum(queue: str, rows: Sequence[QueueRow]) -> QueueRow:
    worst = eldest(rows)
    return QueueRow(
        queue=queue,
        shard=None,
        waiting=total(row.waiting for row in rows),
        in_flight=total(row.in_flight for row in rows),
        oldest_s=worst.oldest_s if worst else None,
        delayed=total(row.delayed for row in rows),
        claimed=total(row.claimed for row in rows),
        dead=total(row.dead for row in rows),
        rate_per_s=total(row.rate_per_s for row in rows),
    )


def total(parts: Iterable[Number | None]) -> Number | None:
    """Add up; None if a part is unknown or there is none."""
    known = list(parts)
    whole = [part for part in known if part is not None]
    return sum(whole[1:], whole[0]) if whole and len(whole) == len(known) else None
