"""The handler of class analysis: a result becomes rates and events, in the step that acknowledges it.

    decode -> record (from memory, else Redis) -> rates -> rules -> finish(rates, events, record)

The home of a shard has the record that it wrote last, and reads Redis only where it has none. Whether that was right is
said by the finish: if the record in Redis is another, nothing of the entry happens, it comes again, and an entry that
was served before is served on what Redis has. So two homes at once do no harm, and a slot that comes twice, or late,
changes nothing.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streampoll.analysis.counters import Counters
from streampoll.analysis.port import Above, Facts, Judge, Judgement, Sample, TableRates
from streampoll.analysis.rates import Found, rates_of
from streampoll.analysis.record import DeviceRecord, decode_record, encode_record
from streampoll.errors import EntryError, UnavailableError
from streampoll.logs import about
from streampoll.model import Event, Outcome, QueueClass, RatesRow, Result, Status
from streampoll.results.codec import decode_outcome
from streampoll.results.rates_codec import StoredRates, TableColumns, encode_rates_payload
from streampoll.shards.entries import Delivered, Kind, decode_analyze, encode_event, encode_rates
from streampoll.shards.facts import DeviceFacts
from streampoll.shards.orders import encode_order, start_of
from streampoll.tally import Counted
from streampoll.tally import field as counted_as
from streampoll.worker.port import Bury, Disposition, Emit, Finish, Release, Write
from streampoll.worker.unknown import not_known

log = logging.getLogger(__name__)

SPACE = "device"
_BREATH = 4  # results analysed between two turns of the loop: polls share it
_FACTS_KEPT_S = 60.0

Key = tuple[int, str]
"""(shard, device)."""


class Records(Protocol):
    """Where records are read."""

    async def recall(self, space: str, names: Mapping[int, Sequence[str]]) -> dict[int, dict[str, bytes]]:
        """Read records by shard and name."""


@dataclass(frozen=True, slots=True)
class AnalysisPorts:
    """What the handler works with."""

    records: Records
    facts: Callable[[Mapping[int, Sequence[str]]], Awaitable[Mapping[tuple[int, str], DeviceFacts]]]
    counters: Counters
    judge: Judge
    now: Callable[[], float]
    cache_bytes: int
    intervals: Callable[[str, DeviceFacts | None], int] = lambda job, facts: 0  # seconds; 0: not known


@dataclass(slots=True)
class _Work:
    """One result on its way."""

    delivered: Delivered
    result: Result
    lag_s: float  # how late the poller's loop was
    said: Finish | Bury | Release = field(default_factory=Finish)

    @property
    def key(self) -> Key:
        """Whose record it changes."""
        return self.delivered.shard, self.result.device


class AnalysisHandler:
    """Analyses results one after the other: a device's in the order they came, a parent's before its children's."""

    def __init__(self, ports: AnalysisPorts) -> None:
        self._ports = ports
        self._cache: dict[Key, tuple[bytes, bytes]] = {}  # record as written, id of the entry that wrote it
        self._cached_bytes = 0
        self._facts: dict[Key, DeviceFacts] = {}
        self._facts_until = 0.0
        self._untold_until = 0.0  # until then a device that nothing is known of may yet turn out to be behind another
        self._turn = asyncio.Lock()
        self.counts: Counter[str] = Counter()

    def counted(self) -> Counted:
        """Return what was analysed."""
        return dict(self.counts)

    async def ready(self) -> None:
        """It needs nothing but Redis."""

    async def close(self) -> None:
        """Nothing is open."""

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """Bury it: the next poll of the device is compared with the same baseline, over a longer time."""
        return Bury(cause)

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        """Analyse a batch."""
        async with self._turn:
            entries = [_read(delivered) for delivered in batch]
            good = [each for works in entries if isinstance(works, list) for each in works]
            try:
                await self._recall(good)
                parents = await self._parents(good)
            except UnavailableError as error:
                return [Release(str(error))] * len(batch)
            for number, each in enumerate(sorted(good, key=lambda each: each.key not in parents)):
                each.said = self._try(each, parents)
                if number % _BREATH == _BREATH - 1:
                    await asyncio.sleep(0)
            said = [_together(works) if isinstance(works, list) else works for works in entries]
            self._trim(each.key for each in good)
            for works, end in zip(entries, said, strict=True):
                if isinstance(works, list) and isinstance(end, Release):  # nothing of it is written
                    self._forget(each.key for each in works)
            return said

    # -- what is known

    async def _recall(self, work: Sequence[_Work]) -> None:
        """Have the record and the facts of each device; what was served before is read anew."""
        wanted: dict[int, set[str]] = defaultdict(set)
        for each in work:
            held = self._cache.get(each.key)
            if held is None or _order(each.delivered.id) <= _order(held[1]):
                wanted[each.delivered.shard].add(each.result.device)
        if wanted:
            found = await self._ports.records.recall(SPACE, {shard: sorted(names) for shard, names in wanted.items()})
            for shard, names in wanted.items():
                for name in names:
                    self._remember((shard, name), found[shard].get(name, b""), b"0-0")
        await self._learn({each.key for each in work})

    async def _learn(self, keys: Iterable[Key]) -> None:
        now = self._ports.now()
        if now >= self._facts_until:
            self._facts.clear()
            self._facts_until = now + _FACTS_KEPT_S
            self._untold_until = self._untold_until or self._facts_until
        wanted: dict[int, list[str]] = defaultdict(list)
        for shard, name in keys:
            if (shard, name) not in self._facts:
                wanted[shard].append(name)
        if wanted:
            self._facts.update(await self._ports.facts(wanted))

    async def _parents(self, work: Iterable[_Work]) -> dict[Key, Above]:
        """Return what is known of the parents of devices that do not answer."""
        asked: dict[int, set[str]] = defaultdict(set)
        for each in work:
            facts = self._facts.get(each.key)
            if facts is not None and facts.parent_shard >= 0 and not each.result.status.answered:
                asked[facts.parent_shard].add(facts.parent)
        if not asked:
            return {}
        found = await self._ports.records.recall(SPACE, {shard: sorted(names) for shard, names in asked.items()})
        return {
            (shard, name): decode_record(found.get(shard, {}).get(name)).above
            for shard, names in asked.items() for name in names
        }  # fmt: skip

    def _remember(self, key: Key, packed: bytes, entry_id: bytes) -> None:
        """Keep a record; for the length of a batch, however much is kept."""
        held = self._cache.pop(key, None)
        self._cached_bytes += len(packed) - (len(held[0]) if held else 0)
        self._cache[key] = packed, entry_id

    def _trim(self, keys: Iterable[Key]) -> None:
        """Forget the newest where memory is full, and not the oldest, for devices come round in a fixed order."""
        if self._cached_bytes > self._ports.cache_bytes:
            self._forget(keys)

    def _forget(self, keys: Iterable[Key]) -> None:
        for key in keys:
            packed, _ = self._cache.pop(key, (b"", b""))
            self._cached_bytes -= len(packed)

    # -- one result

    def _try(self, work: _Work, parents: dict[Key, Above]) -> Finish | Bury | Release:
        """Analyse a result; a bug costs the one that meets it, and no other of its entry."""
        try:
            return self._analyse(work, parents)
        except Exception as error:
            result = work.result
            log.error("analysis: a bug", exc_info=error, extra=about(result.job, result.device, result.slot))
            self._forget([work.key])
            return Bury(f"{type(error).__name__}: {error}")

    def _analyse(self, work: _Work, parents: dict[Key, Above]) -> Finish | Bury | Release:
        delivered, result, key = work.delivered, work.result, work.key
        record = decode_record(self._cache[key][0] if key in self._cache else None)
        base = record.baseline(result.job)
        if result.slot <= base.slot:
            self.counts["analysis_repeated"] += 1
            return Finish()
        try:
            outcome = decode_outcome(result.payload)
        except EntryError as error:
            return not_known(delivered, str(error))
        found = rates_of(result.slot, outcome, self._ports.counters.of(outcome.profile), base)
        judgement = self._judge(work, outcome, found, record, parents)
        emits = [Emit(QueueClass.RESULTS, encode_rates(_row(result, outcome, found)))] if found.any else []
        emits += _told(judgement)
        record.keep(result.job, found.base)
        record.state, record.above = judgement.state, judgement.above
        if key in parents:
            parents[key] = record.above  # devices behind it may come later in this batch
        after = encode_record(record)
        self._remember(key, after, delivered.id)
        self.counts[counted_as("analysed", result.job)] += 1
        return Finish(emits, [Write(SPACE, result.device, record.version, after)])

    def _judge(
        self, work: _Work, outcome: Outcome, found: Found, record: DeviceRecord, parents: Mapping[Key, Above]
    ) -> Judgement:
        result, facts = work.result, self._facts.get(work.key)
        known: Facts = facts or DeviceFacts(result.device, "")
        sample = Sample(
            known, result.job, result.slot, self._ports.intervals(result.job, facts), outcome, result.duration_ms,
            {name: TableRates(table.rows, table.per_s, table.percent) for name, table in found.tables.items()},
            found.scalars, work.lag_s if result.status is Status.TIMEOUT else 0.0,
            parent=self._above(facts, parents),
        )  # fmt: skip
        return self._ports.judge.judge(sample, record.state)

    def _above(self, facts: DeviceFacts | None, parents: Mapping[Key, Above]) -> Above | None:
        """Return what is known of a device's parent; at first the coordinator may not have told whose it is."""
        if facts is not None:
            return parents.get((facts.parent_shard, facts.parent))
        return Above() if self._ports.now() < self._untold_until else None


def _read(delivered: Delivered) -> list[_Work] | Disposition:
    """Read the results of an entry: all of them or none."""
    entry = delivered.entry
    if entry is None or entry.kind not in (Kind.ANALYZE, Kind.MANY_ANALYZE):
        return not_known(delivered)
    try:
        return [_Work(delivered, result, lag_s) for result, lag_s in decode_analyze(entry)]
    except EntryError as error:
        return not_known(delivered, str(error))


def _together(works: Sequence[_Work]) -> Disposition:
    """Say what becomes of an entry, given what became of its results: one that can't be read costs no other."""
    if len(works) == 1:
        return works[0].said
    done: list[Finish | Bury] = []
    causes: list[str] = []
    for work in works:
        if isinstance(work.said, Release):
            return work.said  # all of it comes again
        done.append(work.said)
        if isinstance(work.said, Bury):
            causes.append(f"{work.result.device}: {work.said.cause}")
    emits = [emit for said in done for emit in said.emits]
    writes = [write for said in done for write in said.writes]
    return Bury("; ".join(causes), emits, writes) if causes else Finish(emits, writes)


def _row(result: Result, outcome: Outcome, found: Found) -> RatesRow:
    """Return the rates as they are stored."""
    tables = {
        name: TableColumns(table.rows, table.per_s, table.percent, table.spans_s)
        for name, table in found.tables.items()
    }
    stored = StoredRates(float(outcome.at or result.slot), float(found.span_s), found.scalars, tables)
    return RatesRow(result.job, result.device, result.slot, encode_rates_payload(stored))


def _told(judgement: Judgement) -> list[Emit]:
    """Return what becomes of changes: stored, told, and what they start."""
    if not judgement.changes:  # nearly always
        return []

    def entries(queue: QueueClass, events: Iterable[Event]) -> list[Emit]:
        return [Emit(queue, encode_event(event)) for event in events]

    return [
        *entries(QueueClass.RESULTS, judgement.changes),
        *entries(QueueClass.NOTIFICATIONS, judgement.notify),
        *(Emit(QueueClass.WORKFLOWS, encode_order(start_of(event), event.at)) for event in judgement.runs),
    ]


def _order(entry_id: bytes) -> tuple[int, int]:
    """Return an entry's id as what compares."""
    ms, _, sequence = entry_id.partition(b"-")
    return int(ms), int(sequence or 0)
