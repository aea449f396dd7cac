"""The mistakes that the design names, each made on purpose, with the law it breaks and where that shows."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs

from streampoll.errors import RedisUnavailable, UnavailableError
from streampoll.model import QueueClass, Status
from streampoll.pollers.handler import DuePoll, PollHandler
from streampoll.results.batch import Record
from streampoll.results.store import Store
from streampoll.shards.entries import Delivered, Entry, Kind, Log, decode_results, encode_result
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_server import MemoryShard
from streampoll.shards.memory_stream import Pending, id_of
from streampoll.shards.port import Dispatch, Dispatched, Settled, Swept
from streampoll.shards.rows import Joiner
from streampoll.worker.consume import Consumer
from streampoll.worker.port import Disposition
from streampoll.worker.quarantine import QUARANTINE_FROM, Solitude
from tests.simulation import laws, scenarios
from tests.simulation.nemesis import LOST_REPLY, Torments
from tests.simulation.redis import Client
from tests.simulation.scenarios import Scenario

Gone = frozenset[tuple[int, bytes]]
Work = Mapping[int, Sequence[Settled]]


class TwoCalls(Client):
    """Acknowledges in one call and emits in another."""

    async def finish(self, queue: QueueClass, consumer: str, settled: Work) -> Gone:
        bare = {shard: [structs.replace(item, emits=()) for item in items] for shard, items in settled.items()}
        streams = self._redis.streams
        gone = await self._call("finish", lambda: streams.finish(queue, consumer, bare))
        for shard, items in settled.items():
            for target, entry in (emit for item in items if (shard, item.id) not in gone for emit in item.emits):
                await self._call("emit", lambda to=target, one=entry, at=shard: streams.add(to, at, [one]))
        return gone


class AnybodyFinishes(MemoryStreams):
    """Finishes without asking who holds the entry."""

    def _finish(
        self, queue: QueueClass, consumer: str, shard: MemoryShard, items: Sequence[Settled]
    ) -> Iterable[Settled]:
        for item in items:
            shard.streams[queue].pending[id_of(item.id)] = Pending(consumer, 0, 1)
        return super()._finish(queue, consumer, shard, items)


class SlotBlind(Joiner):
    """Joins whatever results there are of a job, as if they were of one slot."""

    def takes(self, to: QueueClass | Log, entry: Entry) -> bool:
        groups = self._groups[QueueClass.RESULTS]
        group = groups[-1] if groups else []
        slot = group[0].slot if group and group[0].job == entry.job else entry.slot
        return super().takes(to, structs.replace(entry, slot=slot))


class JoinsAcrossSlots(MemoryStreams):
    """Makes one entry of results of several slots."""

    _joiner = SlotBlind


class JoinsTheStale(MemoryStreams):
    """Joins what is in the call, whether its entry is still the caller's or not."""

    def _finish(
        self, queue: QueueClass, consumer: str, shard: MemoryShard, items: Sequence[Settled]
    ) -> Iterable[Settled]:
        ours = [shard.streams[queue].holds(consumer, id_of(item.id)) for item in items]
        if any(ours):
            stale = [emit for item, held in zip(items, ours, strict=True) if not held for emit in item.emits]
            first = ours.index(True)
            items = [
                *items[:first],
                structs.replace(items[first], emits=[*items[first].emits, *stale]),
                *items[first + 1 :],
            ]
        return super()._finish(queue, consumer, shard, items)


class CountsEntries(MemoryStreams):
    """Takes an entry of results for one row."""

    def _finish(
        self, queue: QueueClass, consumer: str, shard: MemoryShard, items: Sequence[Settled]
    ) -> Iterable[Settled]:
        return super()._finish(queue, consumer, shard, [structs.replace(item, rows=1) for item in items])


class StoresTheFirst(Store):
    """Stores one row an entry."""

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        return await super().handle([self._first_of(each) for each in batch])

    @staticmethod
    def _first_of(delivered: Delivered) -> Delivered:
        entry = delivered.entry
        if entry is None or entry.kind != Kind.RESULTS:
            return delivered
        return structs.replace(delivered, entry=encode_result(decode_results(entry)[0]))


class NothingDeleted(MemoryStreams):
    """Acknowledges and does not delete."""

    async def finish(self, queue: QueueClass, consumer: str, settled: Work) -> Gone:
        streams = {shard: self._server.shard(shard).streams[queue] for shard in settled}
        before = {shard: dict(stream.entries) for shard, stream in streams.items()}
        gone = await super().finish(queue, consumer, settled)
        for shard, stream in streams.items():
            stream.entries = {**before[shard], **stream.entries}
        return gone


class AnybodyRenews(MemoryStreams):
    """Renews with a bare XCLAIM, which takes the entry whoever holds it."""

    async def renew(self, queue: QueueClass, consumer: str, held: Mapping[int, Sequence[bytes]]) -> Gone:
        for shard, ids in held.items():
            pending = self._server.shard(shard).streams[queue].pending
            for entry_id in map(id_of, ids):
                if entry_id in pending:
                    pending[entry_id] = replace(pending[entry_id], consumer=consumer)
        return await super().renew(queue, consumer, held)


class NoFence(MemoryStreams):
    """Takes what any leader sends."""

    def _refusal(self, shard: MemoryShard, epoch: int, part: Dispatch) -> Dispatched | None:
        return super()._refusal(shard, max(epoch, shard.epoch), part)


class NoMark(MemoryStreams):
    """Takes a tick whether it was dispatched before or not."""

    def _refusal(self, shard: MemoryShard, epoch: int, part: Dispatch) -> Dispatched | None:
        stored = shard.progress[part.job].mark if part.job in shard.progress else 0
        return super()._refusal(shard, epoch, replace(part, previous=stored))


class AcknowledgesFirst(Store):
    """Answers before the commit."""

    async def _store(self, records: Sequence[Record]) -> Mapping[int, str]:
        self._later = asyncio.get_running_loop().create_task(self._write(records))
        return {}

    async def _write(self, records: Sequence[Record]) -> None:
        try:
            await self._writer.write(records)
        except UnavailableError:
            return


class BuriesByDeliveries(Consumer):
    """Takes what was delivered three times for the culprit."""

    def _verdict(self, delivered: Delivered, crashed: frozenset[bytes]) -> Disposition | None:
        if delivered.delivery >= QUARANTINE_FROM and self.queue is QueueClass.POLLING:
            return self._bury(delivered, Status.CRASHED, "delivered three times")
        return super()._verdict(delivered, crashed)


class BuriesTheNoted(Consumer):
    """Takes what died in quarantine for the culprit, whatever ran beside it."""

    def _admit_swept(self, swept: Swept) -> None:
        super()._admit_swept(replace(swept, crashed=swept.crashed | swept.suspected))


class NeverAlone(Solitude):
    """Lets others start beside who is to be alone."""

    @property
    def wanted(self) -> bool:
        return False


class ForgetsToRenew(Consumer):
    """Trusts that a lease lasts as long as its attempt."""

    def __init__(self, *around: Any) -> None:
        super().__init__(*around)
        self._leases._renew = self._as_if_renewed  # type: ignore[method-assign]

    @staticmethod
    async def _as_if_renewed() -> bool:
        return True


class PollsTheExpired(PollHandler):
    """Polls whatever is delivered."""

    def _read(self, delivered: Delivered) -> DuePoll | Disposition:
        work = super()._read(delivered)
        if isinstance(work, DuePoll) and work.outcome:
            return structs.replace(work, outcome=None, deadline=asyncio.get_running_loop().time() - 1.0)
        return work


class SendsAgain(Client):
    """Sends a dispatch again when its answer was lost, as clients of Redis do that know nothing of what they send."""

    async def dispatch(self, epoch: int, high_water: int, parts: Sequence[Dispatch]) -> list[Dispatched]:
        try:
            return await super().dispatch(epoch, high_water, parts)
        except RedisUnavailable:
            return await super().dispatch(epoch, high_water, parts)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake, where it shows, and the laws that it breaks (whichever is seen first)."""

    name: str
    scenario: Scenario
    breaks: tuple[str, ...]
    first: int = 0  # the seed to begin with, where it takes many: the one at which it showed when this was written

    def __str__(self) -> str:
        return self.name


def _mistake(name: str, scenario: Scenario, *breaks: str, first: int = 0, **made: Any) -> Mistake:
    return Mistake(name, replace(scenario, **made), breaks, first)


MISTAKES = [
    _mistake("acknowledge and emit in two calls", scenarios.PLAIN, laws.NOTHING_MISSING, client=TwoCalls),
    _mistake(
        "owner check of finish removed", scenarios.FROZEN, laws.OPEN_IS_UNFINISHED, laws.ONE_OUTCOME,
        streams=AnybodyFinishes,
    ),
    _mistake("fence removed", scenarios.LEADERS, laws.OLD_LEADERS_ARE_FENCED, first=14, streams=NoFence),
    _mistake("mark not checked", scenarios.LEADERS, laws.DISPATCHED_ONCE, streams=NoMark, client=SendsAgain),
    _mistake("XDEL removed", scenarios.PLAIN, laws.OPEN_IS_UNFINISHED, streams=NothingDeleted),
    _mistake("commit after acknowledge", scenarios.PLAIN, laws.NOTHING_MISSING, store=AcknowledgesFirst),
    _mistake("owner check of renew removed", scenarios.FROZEN, laws.LEASES_HOLD, streams=AnybodyRenews),
    _mistake("burial by deliveries only", scenarios.POISON, laws.INNOCENT, consumer=BuriesByDeliveries),
    _mistake("burial of what died beside others", scenarios.POISONS, laws.INNOCENT, consumer=BuriesTheNoted),
    _mistake("others start beside who is alone", scenarios.POISONS, laws.ALONE, laws.INNOCENT, solitude=NeverAlone),
    _mistake("nothing is renewed", scenarios.FROZEN, laws.KEPT, first=14, consumer=ForgetsToRenew),
    _mistake(
        "results of several slots in one entry", scenarios.JOINED, laws.ONE_OUTCOME, laws.NOTHING_MISSING,
        laws.NO_DUPLICATES, streams=JoinsAcrossSlots,
    ),
    _mistake(
        "results joined that are not ours", scenarios.JOINED, laws.ONE_OUTCOME, streams=JoinsTheStale,
        torments=Torments((LOST_REPLY,), most=8, gap=10, where="finish polling"),
    ),
    _mistake("entries counted in place of rows", scenarios.JOINED, laws.ROWS_ARE_COUNTED, streams=CountsEntries),
    _mistake("one row stored of several", scenarios.JOINED, laws.NOTHING_MISSING, store=StoresTheFirst),
    _mistake("expiry not looked at", scenarios.PLAIN, laws.NOT_EXPIRED, handler=PollsTheExpired),
]  # fmt: skip
