"""The stream operations as the rest of streampoll sees them: plain values in, plain values out, no Redis in sight.

`streams.RedisStreams` does them on Redis with one script each, `memory.MemoryStreams` in pure Python; one suite runs on
both. Every operation but `add` is safe to send again after a lost reply. `Lease` and `Presence` have both forms too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered, Entry, Log


class Answer(StrEnum):
    """What the dispatch script says."""

    OK = "ok"  # added, with its ledger entry
    SKIPPED = "skip"  # over a high water: only the ledger entry was added, with the cause
    DONE = "done"  # this part was dispatched before
    FENCED = "fenced"  # a newer leader has been here
    GAP = "gap"  # Redis does not hold the mark expected: data was lost, or another leader went on
    EARLY = "early"  # the tick is ahead of Redis TIME
    AWAY = "away"  # this shard's server can't be reached, others' can: nothing is known, send it again


def mark_of(tick: int, part: int) -> int:
    """Return the number that orders parts of ticks: what a shard remembers of a job's dispatch."""
    return tick << 16 | part


def tick_of(mark: int) -> int:
    """Return the tick of a mark."""
    return mark >> 16


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One part of one tick of a job in a shard, or (with no polls) a range of ticks that are skipped."""

    shard: int
    job: str
    tick: int
    part: int
    previous: int  # the mark that must be stored now; 0: none
    plan: int  # unsigned 64-bit
    devices: int  # of the job in the shard: more polls than this unfinished is a whole round behind
    hash_sum: int  # of the polls' devices, modulo 2**64
    polls: Sequence[tuple[int, bytes]]  # (expiry, body)
    tick_to: int = 0  # the last tick of a skipped range; 0: `tick`
    skipped: int = 0  # polls of a skipped range
    cause: str = ""  # why it must be skipped; "": it is to be polled

    @property
    def mark(self) -> int:
        """The mark that the shard holds once this is done."""
        return mark_of(self.tick_to or self.tick, self.part)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The answer to a `Dispatch`."""

    answer: Answer
    stored: int = 0  # gap, done, early: the mark stored; fenced: the epoch stored
    cause: str = ""  # skipped: why


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the dispatch of a job has come in a shard."""

    mark: int  # of the last part dispatched
    plan: int  # the plan it was of


VERSION_BYTES = 8
"""A record of a shard's state begins with its version, so long."""

SPACES = ("device", "group")
"""What a shard keeps records of: devices (analysis) and groups of messages (notifications)."""


@dataclass(slots=True)
class Write:
    """A record of the shard's state that is replaced if its version is still the one that was read."""

    space: str  # one of SPACES
    name: str
    before: bytes  # its first `VERSION_BYTES` bytes as read; b"": there was none
    after: bytes  # version and all; b"": it is deleted


class Later(msgspec.Struct, gc=False):
    """An entry that is added among the delayed, or only if its key is new."""

    queue: QueueClass
    entry: Entry
    delay_ms: int = 0
    unique: str = ""  # not added if one with this key was added to the class in this shard within a day


class Settled(msgspec.Struct, gc=False):
    """An entry that is done with, and what it leaves behind.

    One whose writes do not all hold is not done with: nothing of it happens, and it is handed back to the group.
    """

    id: bytes
    job: str
    slot: int
    emits: Sequence[tuple[QueueClass | Log, Entry]] = ()
    cause: str = ""  # not empty: to the dead letters
    later: Sequence[Later] = ()
    writes: Sequence[Write] = ()
    rows: int = 1  # that the entry stands for: `rows.rows_in`


@dataclass(frozen=True, slots=True)
class Postponed:
    """An entry that is to be tried again."""

    id: bytes
    entry: Entry
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Released:
    """Entries of one shard that are handed back to the group."""

    shard: int
    ids: Sequence[bytes]
    counted: bool = False  # True: the delivery counts (handed back once; the next reader sees it is not the first)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a claim of idle entries brought."""

    cursor: bytes  # where the next sweep goes on; b"0-0": the round is complete
    entries: Sequence[Delivered] = ()
    crashed: frozenset[bytes] = frozenset()  # ids that ran alone when their consumer died
    payloads_lost: int = 0  # pending entries whose payload is gone: data loss, an alarm
    adopted: int = 0  # entries that nobody held any more (a consumer deleted by hand): the next sweep claims them
    suspected: frozenset[bytes] = frozenset()  # ids that were in quarantine, beside others, when their consumer died


@dataclass(frozen=True, slots=True)
class Portion:
    """What a sweep is to claim of one shard."""

    shard: int
    count: int  # entries at the most
    cursor: bytes = b"0-0"  # where the last one left off


@dataclass(frozen=True, slots=True)
class Ghost:
    """Entries that were counted as open in a class of which nothing was left: their payload was lost."""

    shard: int
    queue: QueueClass
    job: str
    slot: int
    count: int


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One class in one shard, at one moment."""

    length: int  # entries unfinished (waiting and in flight)
    pending: int  # of those, held by a consumer
    oldest: float | None  # when the oldest was added, wall-clock seconds of Redis; None: empty
    delayed: int
    dead: int
    rows: int  # that `length` stands for: more than that where entries have several results

    @property
    def in_flight(self) -> int:
        """Rows that a consumer holds, as if all entries had equally many."""
        return self.pending * self.rows // self.length if self.length else 0

    @property
    def waiting(self) -> int:
        """Rows that nobody holds."""
        return max(0, self.rows - self.in_flight)


@dataclass(frozen=True, slots=True)
class ShardFigures:
    """One shard, at one moment."""

    shard: int
    open: Mapping[tuple[QueueClass, str, int], int] = field(default_factory=dict)  # (class, job, slot) -> entries
    backlog: Mapping[tuple[QueueClass, str], int] = field(default_factory=dict)  # (class, job) -> entries
    dispatched: Mapping[str, int] = field(default_factory=dict)  # job -> mark
    queues: Mapping[QueueClass, QueueFigures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process, as its last beat left it."""

    id: str
    queues: frozenset[str]
    beat: float  # seconds of Redis


class Paused(StrEnum):
    """What can be paused."""

    JOB = "job"  # nothing of it is due
    QUEUE = "queue"  # no worker reads this class


@dataclass(frozen=True, slots=True)
class Pause:
    """A job or a queue class that an operator has paused."""

    kind: Paused
    name: str
    since: int  # seconds since the epoch
    by: str
    reason: str = ""


class WorkStreams(Protocol):
    """What a worker does with streams."""

    async def read(
        self, queue: QueueClass, shards: Sequence[int], consumer: str, count: int, block_ms: int
    ) -> list[Delivered]:
        """Take up to `count` new entries from each shard, waiting up to `block_ms` for the first."""

    async def finish(
        self, queue: QueueClass, consumer: str, settled: Mapping[int, Sequence[Settled]]
    ) -> frozenset[tuple[int, bytes]]:
        """Finish entries by shard, write and add what comes of them; return those (shard, id) that are not done.

        They were not ours any more, or a record they write has changed since it was read, and they are handed back.

        Raises:
            RedisPartlyUnavailable: some shards' server was away or refused; the others did it.
        """

    async def recall(self, space: str, names: Mapping[int, Sequence[str]]) -> dict[int, dict[str, bytes]]:
        """Read records of the shards' state by name; one that is not there is left out."""

    async def renew(
        self, queue: QueueClass, consumer: str, held: Mapping[int, Sequence[bytes]]
    ) -> frozenset[tuple[int, bytes]]:
        """Reset the idle time of held entries by shard; return those that are lost.

        Raises:
            RedisPartlyUnavailable: as in `finish`.
        """

    async def retry(self, queue: QueueClass, consumer: str, shard: int, entries: Sequence[Postponed]) -> list[bytes]:
        """Put entries among the delayed; return the ids that were not ours any more."""

    async def release(self, queue: QueueClass, consumer: str, released: Released, idle_ms: int) -> list[bytes]:
        """Hand entries back to the group, claimable by a sweep for `idle_ms`; return the ids not ours any more."""

    async def sweep(
        self, queue: QueueClass, consumer: str, idle_ms: int, portions: Sequence[Portion]
    ) -> dict[int, Swept]:
        """Claim entries idle for at least `idle_ms`, a portion of each shard; one that can't be asked is left out.

        Raises:
            RedisUnavailable: none could.
        """

    async def mark(self, queue: QueueClass, consumer: str, shard: int, entry_id: bytes, alone: bool = False) -> bool:
        """Note that an entry starts in quarantine, `alone` or beside others; False if it is not ours any more."""

    async def promote(self, queue: QueueClass, shards: Sequence[int], count: int) -> int:
        """Move the delayed entries that are due into the streams, up to `count` a shard; return how many."""

    async def retire(self, queue: QueueClass, shard: int, live: Sequence[str]) -> int:
        """Delete the group's consumers that are not among the living and hold nothing; return how many."""


class DispatchStreams(Protocol):
    """What a coordinator does with streams."""

    async def dispatch(self, epoch: int, high_water: int, parts: Sequence[Dispatch]) -> list[Dispatched]:
        """Dispatch parts in order, pipelined; answers in the same order."""

    async def fence(self, epoch: int, shards: Sequence[int]) -> bool:
        """Have the shards refuse leaders of older epochs from now on; False if one has seen a newer one."""

    async def add(
        self, queue: QueueClass, shard: int, entries: Sequence[Entry], delay_s: float = 0.0, unique: Sequence[str] = ()
    ) -> list[bytes]:
        """Add ad hoc entries, to the delayed if told so; return their ids.

        With `unique`, a key an entry, one whose key was added to the class in this shard within a day is not: its id
        is b"".
        """

    async def figures(self, shards: Sequence[int]) -> list[ShardFigures]:
        """Read what shards hold."""

    async def depths(self, shards: Sequence[int]) -> list[Mapping[QueueClass, QueueFigures]]:
        """Read how much shards hold by class: what of `figures` costs the same whatever jobs and slots there are."""

    async def progress(self, shards: Sequence[int]) -> list[dict[str, Progress]]:
        """Read, for each shard, how far each job's dispatch has come."""

    async def reconcile(self, shards: Sequence[int]) -> list[Ghost]:
        """Forget what is counted as open where nothing is left to do, and say what it was: data that Redis lost."""

    async def fill(self) -> float:
        """Return the share of Redis' maxmemory that is used; 0.0 without a bound."""

    async def epochs(self, shards: Sequence[int]) -> list[int]:
        """Read the highest leader epoch that each shard has seen; 0 where none has."""


class Lease(Protocol):
    """One coordinator's claim to lead."""

    @property
    def epoch(self) -> int:
        """The epoch to dispatch with; 0 while somebody else leads."""

    @property
    def holder(self) -> str:
        """Who led when this was last asked."""

    @property
    def held(self) -> bool:
        """True while this process may act as the leader, by its own monotonic clock."""

    async def take(self, streams: DispatchStreams, shards: Sequence[int], newer: bool = False) -> bool:
        """Take or renew the lease; with `newer` (after `fenced`) a held one gets a new epoch. True if it is ours."""

    async def resign(self) -> None:
        """Give the lease up, so that a standby need not wait for its end."""


class Presence(Protocol):
    """Who is alive, and the figures they publish."""

    async def beat(self, worker_id: str, queues: Sequence[QueueClass | Log]) -> list[Worker]:
        """Note that this worker lives (with no queues: that it leaves); return all that beat in the last minute."""

    async def workers(self) -> list[Worker]:
        """Return all workers that beat in the last minute."""

    async def publish(self, worker_id: str, figures: Mapping[str, Any]) -> None:
        """Store a worker's figures for a minute."""

    async def withdraw(self, worker_id: str) -> None:
        """Forget the figures of a worker that leaves."""

    async def figures(self, worker_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """Read the figures of workers; None where there are none."""

    async def briefs(self, worker_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """Read of `figures` only how a worker is: `state`, `active`, `unread_s`, at a fraction of the cost."""

    async def leader(self) -> tuple[str, int] | None:
        """Return the leader's (id, epoch), or None while nobody leads."""

    async def pauses(self) -> list[Pause]:
        """Return what is paused, as the leader last said."""

    async def show_pauses(self, pauses: Sequence[Pause]) -> None:
        """Say what is paused now, and that nothing else is."""
