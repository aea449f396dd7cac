"""The stream operations in pure Python: the fake that services are tested on, and the model of the scripts.

A property test drives this and the scripts side by side, so what is written here in plain words is what the Lua does.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgpack

from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered, Entry, Kind, deliver
from streampoll.shards.memory_emits import emit
from streampoll.shards.memory_server import A_DAY_MS, Delayed, Field, Letter, MemoryServer, MemoryShard
from streampoll.shards.memory_stream import START, id_of, text_of
from streampoll.shards.port import (
    Answer,
    Dispatch,
    Dispatched,
    Ghost,
    Later,
    Portion,
    Postponed,
    Progress,
    QueueFigures,
    Released,
    Settled,
    ShardFigures,
    Swept,
)
from streampoll.shards.rows import MOST_ROWS, Joiner

ALONE = " alone"  # what the note of an entry ends with that runs so
RELEASED = "released"  # the consumer that holds what was handed back
_LOOKED_AT = 100
_EARLY_S = 2
_SILENT_MS = 60_000


class MemoryStreams:
    """`WorkStreams` and `DispatchStreams` in memory."""

    _joiner = Joiner

    def __init__(self, server: MemoryServer) -> None:
        self._server = server

    # -- reading

    async def read(
        self, queue: QueueClass, shards: Sequence[int], consumer: str, count: int, block_ms: int
    ) -> list[Delivered]:
        """Take up to `count` new entries from each shard, waiting up to `block_ms` for the first (0: no wait)."""
        until = time.monotonic() + block_ms / 1000
        leased = self._server.monotonic()
        while True:
            if not all(self._server.shard(shard).streams[queue].grouped for shard in shards):
                await self.make_groups(queue, shards)
                return []
            found = [entry for shard in shards for entry in self._take(queue, shard, consumer, count, leased)]
            left_s = until - time.monotonic()
            if found or left_s <= 0:
                return found
            await self._arrival(left_s)

    def _take(self, queue: QueueClass, shard: int, consumer: str, count: int, leased: float) -> list[Delivered]:
        stream = self._server.shard(shard).streams[queue]
        return [
            deliver(queue, shard, text_of(entry_id), stream.entries[entry_id], 1, leased)
            for entry_id in stream.read(consumer, count)
        ]

    async def _arrival(self, timeout_s: float) -> None:
        self._server.arrived.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._server.arrived.wait()
        except TimeoutError:
            return

    async def make_groups(self, queue: QueueClass, shards: Iterable[int]) -> None:
        """Make the consumer group of a class in each shard, where it is missing."""
        for shard in shards:
            self._server.shard(shard).streams[queue].make_group()

    # -- settling

    async def finish(
        self, queue: QueueClass, consumer: str, settled: Mapping[int, Sequence[Settled]]
    ) -> frozenset[tuple[int, bytes]]:
        """Finish entries by shard, write and add what comes of them; return those (shard, id) that are not done."""
        gone = [
            (shard, item.id)
            for shard, items in settled.items()
            for item in self._finish(queue, consumer, self._server.shard(shard), items)
        ]
        self._server.arrived.set()
        return frozenset(gone)

    def _finish(
        self, queue: QueueClass, consumer: str, shard: MemoryShard, items: Sequence[Settled]
    ) -> Iterable[Settled]:
        stream = shard.streams[queue]
        done: list[Settled] = []
        gone, changes = [], Counter[Field]()
        for item in items:
            entry_id = id_of(item.id)
            if not stream.holds(consumer, entry_id):
                gone.append(item)
                continue
            if not shard.hold(item.writes):
                self._hand_back(queue, shard, item.id, A_DAY_MS)
                gone.append(item)
                continue
            if item.cause:
                held = stream.pending[entry_id].deliveries
                shard.dead[queue].append(Letter(item.id, item.cause, held, stream.entries.get(entry_id, ())))
            stream.remove(entry_id)
            shard.crashes[queue].pop(item.id, None)
            shard.write(item.writes)
            changes[queue, item.job, item.slot] -= 1
            done.append(item)
        more_rows = emit(shard, done, changes, self._server.now_ms(), self._joiner())
        more_rows[queue] -= sum(item.rows - 1 for item in done)
        shard.count(changes, more_rows)
        return gone

    def _hand_back(self, queue: QueueClass, shard: MemoryShard, entry_id: bytes, idle_ms: int, back: int = 1) -> None:
        """Have an entry held by nobody, claimable at once, with so many deliveries taken back."""
        held = shard.streams[queue].pending[id_of(entry_id)]
        held.consumer = RELEASED
        held.since_ms = self._server.now_ms() - idle_ms
        held.deliveries = max(held.deliveries - back, 0)
        shard.crashes[queue].pop(entry_id, None)

    async def recall(self, space: str, names: Mapping[int, Sequence[str]]) -> dict[int, dict[str, bytes]]:
        """Read records of the shards' state by name; one that is not there is left out."""
        return {
            shard: {name: record for name in wanted if (record := self._server.shard(shard).state.get((space, name)))}
            for shard, wanted in names.items()
        }

    async def renew(
        self, queue: QueueClass, consumer: str, held: Mapping[int, Sequence[bytes]]
    ) -> frozenset[tuple[int, bytes]]:
        """Reset the idle time of held entries by shard; return those that are lost."""
        lost = []
        for shard, ids in held.items():
            stream = self._server.shard(shard).streams[queue]
            for entry_id in ids:
                if stream.holds(consumer, id_of(entry_id)):
                    stream.renew(id_of(entry_id))
                else:
                    lost.append((shard, entry_id))
        return frozenset(lost)

    async def retry(self, queue: QueueClass, consumer: str, shard: int, entries: Sequence[Postponed]) -> list[bytes]:
        """Put entries among the delayed; return the ids that were not ours any more."""
        state = self._server.shard(shard)
        gone = []
        for item in entries:
            entry_id = id_of(item.id)
            if state.streams[queue].holds(consumer, entry_id):
                state.streams[queue].remove(entry_id)
                state.crashes[queue].pop(item.id, None)
                state.delayed[queue].append(Delayed(self._server.now_ms() + item.delay_ms, item.id, item.entry))
            else:
                gone.append(item.id)
        return gone

    async def release(self, queue: QueueClass, consumer: str, released: Released, idle_ms: int) -> list[bytes]:
        """Hand entries back to the group, claimable by a sweep for `idle_ms`; return the ids not ours any more."""
        shard = self._server.shard(released.shard)
        stream = shard.streams[queue]
        gone = []
        for entry_id in released.ids:
            if stream.holds(consumer, id_of(entry_id)):
                self._hand_back(queue, shard, entry_id, idle_ms + 1, not released.counted)
            else:
                gone.append(entry_id)
        return gone

    async def sweep(
        self, queue: QueueClass, consumer: str, idle_ms: int, portions: Sequence[Portion]
    ) -> dict[int, Swept]:
        """Claim entries idle for at least `idle_ms`, a portion of each shard."""
        return {portion.shard: self._sweep(queue, consumer, idle_ms, portion) for portion in portions}

    def _sweep(self, queue: QueueClass, consumer: str, idle_ms: int, portion: Portion) -> Swept:
        state = self._server.shard(portion.shard)
        stream = state.streams[queue]
        if not stream.grouped:
            return Swept(text_of(START))
        leased = self._server.monotonic()
        claimed = stream.sweep(consumer, idle_ms, id_of(portion.cursor), portion.count)
        entries = [
            deliver(queue, portion.shard, text_of(n), stream.entries[n], stream.pending[n].deliveries, leased)
            for n in claimed.ids
        ]
        notes = {entry.id: note for entry in entries if (note := state.crashes[queue].get(entry.id))}
        crashed = frozenset(entry_id for entry_id, note in notes.items() if note.endswith(ALONE))
        adopted = stream.adopt(RELEASED, idle_ms, _LOOKED_AT)
        return Swept(text_of(claimed.cursor), entries, crashed, claimed.lost, adopted, frozenset(notes) - crashed)

    async def mark(self, queue: QueueClass, consumer: str, shard: int, entry_id: bytes, alone: bool = False) -> bool:
        """Note that an entry starts in quarantine, `alone` or beside others; False if it is not ours any more."""
        state = self._server.shard(shard)
        if not state.streams[queue].holds(consumer, id_of(entry_id)):
            return False
        state.crashes[queue][entry_id] = consumer + ALONE * alone
        return True

    async def promote(self, queue: QueueClass, shards: Sequence[int], count: int) -> int:
        """Move the delayed entries that are due into the streams, up to `count` a shard; return how many."""
        moved = 0
        for shard in map(self._server.shard, shards):
            waiting = shard.delayed[queue]
            due = sorted((item for item in waiting if item.due_ms <= self._server.now_ms()), key=_due)[:count]
            for item in due:
                waiting.remove(item)
                shard.add(queue, item.entry)
            moved += len(due)
        self._server.arrived.set()
        return moved

    async def retire(self, queue: QueueClass, shard: int, live: Sequence[str]) -> int:
        """Delete the group's consumers that are not among the living and hold nothing; return how many."""
        return self._server.shard(shard).streams[queue].retire(live, _SILENT_MS)

    # -- dispatching

    async def dispatch(self, epoch: int, high_water: int, parts: Sequence[Dispatch]) -> list[Dispatched]:
        """Dispatch parts in order; answers in the same order."""
        answers = [self._dispatch(self._server.shard(part.shard), epoch, high_water, part) for part in parts]
        self._server.arrived.set()
        return answers

    def _dispatch(self, shard: MemoryShard, epoch: int, high_water: int, part: Dispatch) -> Dispatched:
        refused = self._refusal(shard, epoch, part)
        if refused:
            return refused
        self._server.check(adds=True)
        cause = part.cause or _over(shard, high_water, part)
        polls = () if cause else part.polls
        shard.epoch = epoch
        shard.add(QueueClass.RESULTS, _ledger(part, len(polls), cause))
        for expiry, body in polls:
            shard.add(QueueClass.POLLING, Entry(Kind.POLL, part.job, part.tick, expiry, body))
        slots = {(QueueClass.RESULTS, part.job, part.tick): 1, (QueueClass.POLLING, part.job, part.tick): len(polls)}
        shard.count(slots)
        shard.progress[part.job] = Progress(part.mark, part.plan)
        return Dispatched(Answer.SKIPPED, cause=cause) if cause else Dispatched(Answer.OK)

    def _refusal(self, shard: MemoryShard, epoch: int, part: Dispatch) -> Dispatched | None:
        if shard.epoch > epoch:
            return Dispatched(Answer.FENCED, shard.epoch)
        stored = shard.progress[part.job].mark if part.job in shard.progress else 0
        if stored != part.previous:
            return Dispatched(Answer.DONE if stored and stored >= part.mark else Answer.GAP, stored)
        if part.tick > self._server.now_ms() // 1000 + _EARLY_S:
            return Dispatched(Answer.EARLY, stored)
        return None

    async def fence(self, epoch: int, shards: Sequence[int]) -> bool:
        """Have the shards refuse leaders of older epochs from now on; False if one has seen a newer one."""
        for shard in map(self._server.shard, shards):
            shard.epoch = max(shard.epoch, epoch)
        return all(self._server.shard(shard).epoch == epoch for shard in shards)

    async def add(
        self, queue: QueueClass, shard: int, entries: Sequence[Entry], delay_s: float = 0.0, unique: Sequence[str] = ()
    ) -> list[bytes]:
        """Add ad hoc entries, to the delayed if told so; return their ids, b"" for a key added before."""
        state, now_ms = self._server.shard(shard, adds=True), self._server.now_ms()
        keys = zip(entries, unique or [""] * len(entries), strict=True)
        ids = [
            state.add_later(Later(queue, entry, int(delay_s * 1000), key), b"%d000-%06d" % (now_ms, n), now_ms)
            for n, (entry, key) in enumerate(keys)
        ]
        state.count(Counter((queue, entry.job, entry.slot) for entry, one in zip(entries, ids, strict=True) if one))
        self._server.arrived.set()
        return ids

    # -- looking

    async def figures(self, shards: Sequence[int]) -> list[ShardFigures]:
        """Read what shards hold."""
        return [self._figures(number, self._server.shard(number)) for number in shards]

    def _figures(self, number: int, shard: MemoryShard) -> ShardFigures:
        marks = {job: progress.mark for job, progress in shard.progress.items()}
        queues = {queue: _queue_figures(shard, queue) for queue in QueueClass}
        return ShardFigures(number, dict(shard.open), dict(shard.backlog), marks, queues)

    async def depths(self, shards: Sequence[int]) -> list[Mapping[QueueClass, QueueFigures]]:
        """Read how much shards hold by class."""
        return [{queue: _queue_figures(self._server.shard(shard), queue) for queue in QueueClass} for shard in shards]

    async def epochs(self, shards: Sequence[int]) -> list[int]:
        """Read the highest leader epoch that each shard has seen; 0 where none has."""
        return [self._server.shard(shard).epoch for shard in shards]

    async def progress(self, shards: Sequence[int]) -> list[dict[str, Progress]]:
        """Read, for each shard, how far each job's dispatch has come."""
        return [dict(self._server.shard(shard).progress) for shard in shards]

    async def reconcile(self, shards: Sequence[int]) -> list[Ghost]:
        """Forget what is counted as open where nothing is left to do, and say what it was: data that Redis lost."""
        return [ghost for number in shards for ghost in self._reconcile(number, self._server.shard(number))]

    def _reconcile(self, number: int, shard: MemoryShard) -> list[Ghost]:
        empty = {queue for queue in QueueClass if not shard.streams[queue].entries and not shard.delayed[queue]}
        ghosts = [Ghost(number, *field, count) for field, count in shard.open.items() if field[0] in empty]
        for ghost in ghosts:
            del shard.open[ghost.queue, ghost.job, ghost.slot]
        for field in [field for field in shard.backlog if field[0] in empty]:
            del shard.backlog[field]
        for queue, more in shard.more_rows.items():
            left = len(shard.streams[queue].entries) + len(shard.delayed[queue])
            shard.more_rows[queue] = min(more, left * (MOST_ROWS - 1))
        return ghosts

    async def fill(self) -> float:
        """Return the share of maxmemory that is used; 0.0 without a bound."""
        self._server.check()
        return self._server.fill

    async def close(self) -> None:
        """Nothing is open."""


def _over(shard: MemoryShard, high_water: int, part: Dispatch) -> str:
    """Return why a part must be skipped; "": it need not."""
    if shard.backlog[QueueClass.POLLING, part.job] > part.devices:
        return "backlog"
    results = QueueClass.RESULTS
    return "results" if len(shard.streams[results].entries) + shard.more_rows[results] > high_water else ""


def _ledger(part: Dispatch, sent: int, cause: str) -> Entry:
    planned = part.skipped or len(part.polls) if part.cause else len(part.polls)
    body = msgpack.packb(
        (
            part.shard, part.tick_to or part.tick, part.part, str(part.plan), sent,
            str(part.hash_sum) if sent else "0", planned - sent, cause,
        )
    )  # fmt: skip
    return Entry(Kind.LEDGER, part.job, part.tick, 0, body)


def _queue_figures(shard: MemoryShard, queue: QueueClass) -> QueueFigures:
    stream = shard.streams[queue]
    oldest = next(stream.oldest(), None)
    return QueueFigures(
        len(stream.entries),
        len(stream.pending),
        oldest[0] / 1000 if oldest else None,
        len(shard.delayed[queue]),
        len(shard.dead[queue]),
        len(stream.entries) + shard.more_rows[queue],
    )


def _due(item: Delayed) -> tuple[int, int, bytes]:
    return item.due_ms, len(item.id), item.id  # as members of a sorted set compare: packed, a longer text is greater
