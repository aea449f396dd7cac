"""One Redis in memory: the state that the model works on, with a clock and the troubles a test asks for.

Share one `MemoryServer` between any number of `MemoryStreams`, `MemoryLease`s and `MemoryPresence`s.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec import structs

from streampoll.errors import RedisFull, RedisUnavailable
from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, encode_fields
from streampoll.shards.memory_stream import MemoryStream, text_of
from streampoll.shards.port import VERSION_BYTES, Later, Pause, Progress, Write

Field = tuple[QueueClass, str, int]  # what `open` counts by: class, job, slot
K = TypeVar("K")
A_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter."""

    id: bytes
    cause: str
    delivery: int
    fields: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Delayed:
    """An entry that is to be tried again at `due_ms`."""

    due_ms: int
    id: bytes
    entry: Entry


class MemoryShard:
    """What the keys of one shard hold."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.streams = {queue: MemoryStream(now_ms) for queue in QueueClass}
        self.delayed: dict[QueueClass, list[Delayed]] = {queue: [] for queue in QueueClass}
        self.dead: dict[QueueClass, list[Letter]] = {queue: [] for queue in QueueClass}
        self.crashes: dict[QueueClass, dict[bytes, str]] = {queue: {} for queue in QueueClass}
        self.open: Counter[Field] = Counter()
        self.backlog: Counter[tuple[QueueClass, str]] = Counter()
        self.more_rows: Counter[QueueClass] = Counter()  # beyond one an entry
        self.progress: dict[str, Progress] = {}
        self.state: dict[tuple[str, str], bytes] = {}  # (space, name) -> record
        self.once: dict[str, int] = {}  # class:key -> the millisecond at which it is forgotten
        self.epoch = 0
        self.outputs = MemoryStream(now_ms)
        self.positions: dict[str, bytes] = {}
        self.readers: dict[str, tuple[str, int]] = {}  # output -> who is at its results, until (ms)
        self.kept = 0  # results added for outputs

    def count(self, changes: Mapping[Field, int], more_rows: Mapping[QueueClass, int] | None = None) -> None:
        """Apply changes of what is open; what comes to nothing is forgotten."""
        self.more_rows.update(more_rows or {})
        self.more_rows = +self.more_rows
        jobs: Counter[tuple[QueueClass, str]] = Counter()
        for (queue, job, _), by in changes.items():
            jobs[queue, job] += by
        _apply(self.open, changes)
        _apply(self.backlog, jobs)

    def add(self, queue: QueueClass, entry: Entry) -> bytes:
        """Add an entry to a stream; return its id."""
        return text_of(self.streams[queue].add(encode_fields(entry)))

    def keep(self, entry: Entry) -> None:
        """Add a result for outputs; the oldest go where there are more than the entry's expiry says."""
        self.kept += 1
        self.outputs.add((*encode_fields(structs.replace(entry, expiry=0)), b"n", b"%d" % self.kept))
        for entry_id in list(self.outputs.entries)[: -entry.expiry]:
            del self.outputs.entries[entry_id]

    def add_later(self, emit: Later, entry_id: bytes, now_ms: int) -> bytes:
        """Add an entry among the delayed, or only if its key is new; return its id, b"" if it was not added."""
        if emit.unique:
            self.once = {key: until for key, until in self.once.items() if until > now_ms}
            if self.once.setdefault(key := f"{emit.queue}:{emit.unique}", 0):
                return b""
            self.once[key] = now_ms + A_DAY_MS
        if emit.delay_ms == 0:
            return self.add(emit.queue, emit.entry)
        self.delayed[emit.queue].append(Delayed(now_ms + emit.delay_ms, entry_id, emit.entry))
        return entry_id

    def hold(self, writes: Sequence[Write]) -> bool:
        """Say whether all records are still as they were read."""
        return all(self.state.get((write.space, write.name), b"")[:VERSION_BYTES] == write.before for write in writes)

    def write(self, writes: Sequence[Write]) -> None:
        """Replace records."""
        for write in writes:
            if write.after:
                self.state[write.space, write.name] = write.after
            else:
                self.state.pop((write.space, write.name), None)


@dataclass(slots=True)
class MemoryServer:
    """One Redis in memory."""

    now_ms: Callable[[], int]  # Redis TIME
    monotonic: Callable[[], float] = time.monotonic  # of the process, for leases
    away: bool = False  # True: every operation raises RedisUnavailable
    full: bool = False  # True: what adds without freeing raises RedisFull
    fill: float = 0.0
    shards: dict[int, MemoryShard] = field(default_factory=dict)
    leader: tuple[str, int, int] | None = None  # id, epoch, until (ms)
    beats: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)  # worker -> (ms, classes)
    figures: dict[str, tuple[int, bytes]] = field(default_factory=dict)  # worker -> (until (ms), msgpack)
    pauses: list[Pause] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)  # set when a blocked read may find something

    def shard(self, number: int, adds: bool = False) -> MemoryShard:
        """Return a shard; `adds` says that the caller needs memory before it frees any.

        Raises:
            RedisUnavailable: `away`.
            RedisFull: `full`, and `adds`.
        """
        self.check(adds)
        if number not in self.shards:
            self.shards[number] = MemoryShard(self.now_ms)
        return self.shards[number]

    def check(self, adds: bool = False) -> None:
        """Raise what the server is in trouble with."""
        if self.away:
            raise RedisUnavailable("Redis is not reachable: the test says so")
        if self.full and adds:
            raise RedisFull("Redis is over maxmemory and refuses writes: the test says so")

    def flush(self) -> None:
        """Lose everything (FLUSHALL)."""
        self.shards.clear()
        self.beats.clear()
        self.figures.clear()
        self.pauses.clear()
        self.leader = None
        self.arrived.set()


def _apply(counts: Counter[K], changes: Mapping[K, int]) -> None:
    for name, by in changes.items():
        if by:
            counts[name] += by
            if counts[name] <= 0:
                del counts[name]
