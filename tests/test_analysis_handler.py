"""The handler of class analysis: a result is analysed once, on the record that is there, whoever else is at it."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from random import Random

import msgpack
import pytest

from streampoll.analysis import handler as handling
from streampoll.analysis.baseline import Baseline
from streampoll.analysis.counters import Counters
from streampoll.analysis.handler import AnalysisHandler, AnalysisPorts
from streampoll.analysis.port import Above, Judgement, Sample
from streampoll.analysis.record import DeviceRecord, decode_record, encode_record
from streampoll.model import Change, Event, Outcome, QueueClass, RatesRow, Result, Severity, Status, Trace, event_id
from streampoll.results.codec import encode_payload
from streampoll.results.rates_codec import decode_rates_payload
from streampoll.shards.entries import (
    Delivered,
    Entry,
    Kind,
    decode_analyze,
    decode_event,
    decode_fields,
    decode_many_rates,
    decode_rates,
    encode_analyze,
    encode_result,
)  # fmt: skip
from streampoll.shards.facts import DeviceFacts
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_server import MemoryServer
from streampoll.shards.port import Settled
from streampoll.shards.rows import join
from streampoll.snmp.plan import CollectPlan, Metric
from streampoll.snmp.plan import Kind as ValueKind
from streampoll.worker.port import Bury, Finish, Release
from tests.shards_support import sweep_one

ANALYSIS, RESULTS = QueueClass.ANALYSIS, QueueClass.RESULTS
SHARD, START = 0, 1_700_000_000
PROFILES = {"p": CollectPlan("p", (Metric("octets", (1, 3), ValueKind.COUNTER),))}


class Judge:
    """Opens an event each time a device does not answer."""

    def __init__(self) -> None:
        self.seen: list[Sample] = []

    def judge(self, sample: Sample, state: Mapping[str, object]) -> Judgement:
        self.seen.append(sample)
        failing = not sample.outcome.status.answered
        changes = [event(sample.slot)] if failing else []
        polls, above = int(str(state.get("polls", 0))) + 1, Above(failing, 0 if failing else sample.slot)
        return Judgement({"polls": polls}, above=above, changes=changes, notify=changes)


def event(slot: int) -> Event:
    return Event(event_id("down", "r1", "", slot), "down", "r1", "", Severity.ERROR, {}, slot, slot, Change.OPENED)


def work(slot: int, device: str = "r1", status: Status = Status.OK, per_s: int = 10) -> Entry:
    """What is to be analysed."""
    values = {"octets": (slot + 100) * per_s, "sysUpTime": (slot + 100) * 100} if status is Status.OK else {}
    outcome = Outcome(status, values=values, at=START + slot if values else 0.0, profile="p")
    payload = encode_payload(outcome, Trace(START, START, START, START, START, 1, "w"))
    return encode_analyze(encode_result(Result("j", device, START + slot, status, 5, payload)))


def unreadable(slot: int, device: str) -> Entry:
    """What is to be analysed, of a payload that no release has written."""
    return encode_analyze(encode_result(Result("j", device, START + slot, Status.OK, 5, b"?")))


class Bench:
    """One shard, and processes that analyse."""

    def __init__(self) -> None:
        self.server = MemoryServer(now_ms=lambda: START * 1000)
        self.streams = MemoryStreams(self.server)
        self.facts: dict[str, DeviceFacts] = {}
        self.judge = Judge()
        self.now = float(START)

    def process(self, cache_bytes: int = 1 << 20) -> AnalysisHandler:
        async def facts(wanted: Mapping[int, Sequence[str]]) -> dict[tuple[int, str], DeviceFacts]:
            every = ((shard, name) for shard, names in wanted.items() for name in names)
            return {(shard, name): self.facts[name] for shard, name in every if name in self.facts}

        return AnalysisHandler(
            AnalysisPorts(self.streams, facts, Counters(PROFILES), self.judge, lambda: self.now, cache_bytes)
        )

    async def add(self, *slots: int, device: str = "r1", status: Status = Status.OK, per_s: int = 10) -> None:
        for slot in slots:
            await self.streams.add(ANALYSIS, SHARD, [work(slot, device, status, per_s)])

    async def take(self, consumer: str = "a", most: int = 100) -> list[Delivered]:
        await self.streams.make_groups(ANALYSIS, [SHARD])
        swept = await sweep_one(self.streams, ANALYSIS, consumer, SHARD, 3_600_000, b"0-0", most)
        return [*swept.entries, *await self.streams.read(ANALYSIS, [SHARD], consumer, most, 0)]

    async def serve(self, process: AnalysisHandler, taken: Sequence[Delivered], consumer: str = "a") -> int:
        """Analyse and finish; return how many were handed back."""
        said = await process.handle(taken)
        done = []
        for each, finish in zip(taken, said, strict=True):
            assert isinstance(finish, Finish)
            assert each.entry is not None
            emits = [(emit.queue, emit.entry) for emit in finish.emits if isinstance(emit.queue, QueueClass)]
            done.append(Settled(each.id, each.entry.job, each.entry.slot, emits, writes=finish.writes))
        return len(await self.streams.finish(ANALYSIS, consumer, {SHARD: done}))

    async def rows(self) -> list[RatesRow]:
        """The rates that there are now, in order."""
        entries = self.server.shard(SHARD).streams[RESULTS].entries.values()
        found = [row for each in map(decode_fields, entries) for row in _READ.get(each.kind, lambda _: [])(each)]
        return sorted(found, key=lambda row: (row.slot, row.device))

    async def stored(self, kind: Kind) -> list[Entry]:
        entries = self.server.shard(SHARD).streams[RESULTS].entries.values()
        await self.streams.make_groups(RESULTS, [SHARD])
        read = await self.streams.read(RESULTS, [SHARD], "s", 1000, 0)
        assert len(read) <= len(entries)
        return [each.entry for each in read if each.entry and each.entry.kind == kind]

    async def rates(self) -> list[tuple[int, float | None]]:
        rows = [row for row in await self.rows() if row.device == "r1"]
        return [(row.slot - START, decode_rates_payload(row.payload).scalars["octets"]) for row in rows]

    @property
    def record(self) -> DeviceRecord:
        return decode_record(self.server.shard(SHARD).state.get(("device", "r1")))


_READ: dict[str, Callable[[Entry], list[RatesRow]]] = {
    Kind.RATES: lambda entry: [decode_rates(entry)], Kind.MANY_RATES: decode_many_rates,
}  # fmt: skip


async def test_results_become_rates_of_true_spans() -> None:
    b = Bench()
    await b.add(0, 60, 180)

    assert await b.serve(b.process(), await b.take()) == 0

    assert await b.rates() == [(60, 10.0), (180, 10.0)]
    assert b.record.state == {"polls": 3}


async def test_a_baseline_survives_a_change_of_worker() -> None:
    b = Bench()
    for slot in (0, 60, 120):
        await b.add(slot)
        assert await b.serve(b.process(), await b.take()) == 0

    assert await b.rates() == [(60, 10.0), (120, 10.0)]


async def test_a_repeated_and_a_late_slot_change_nothing() -> None:
    b = Bench()
    process = b.process()
    await b.add(0, 60, 60, 30, 120)

    await b.serve(process, await b.take())

    assert await b.rates() == [(60, 10.0), (120, 10.0)]
    assert len(b.judge.seen) == 3
    assert process.counted()["analysis_repeated"] == 2


async def test_two_homes_at_once_do_no_harm() -> None:
    b = Bench()
    one, two = b.process(), b.process()
    random = Random(7)
    for slot in range(0, 1200, 60):
        await b.add(slot)
        process, consumer = random.choice([(one, "a"), (two, "b")])
        while taken := await b.take(consumer):
            await b.serve(process, taken, consumer)

    assert await b.rates() == [(slot, 10.0) for slot in range(60, 1200, 60)]
    assert b.record.state == {"polls": 20}


async def test_what_is_stale_is_read_and_analysed_again() -> None:
    b = Bench()
    one, two = b.process(), b.process()
    await b.add(0)
    await b.serve(one, await b.take())
    await b.add(60)
    await b.serve(two, await b.take("b"), "b")
    await b.add(120)

    assert await b.serve(one, await b.take()) == 1
    assert await b.serve(one, await b.take()) == 0

    assert await b.rates() == [(60, 10.0), (120, 10.0)]


async def test_redis_is_read_only_where_memory_has_no_record() -> None:
    b = Bench()
    reads: list[object] = []
    recall = b.streams.recall

    async def counted(space: str, names: Mapping[int, Sequence[str]]) -> dict[int, dict[str, bytes]]:
        reads.append(names)
        return await recall(space, names)

    b.streams.recall = counted  # type: ignore[method-assign]
    small, large = b.process(0), b.process()
    for slot in (0, 60, 120):
        await b.add(slot)
        await b.serve(large, await b.take())
    assert len(reads) == 1

    for slot in (180, 240):
        await b.add(slot)
        await b.serve(small, await b.take())
    assert len(reads) == 3
    assert [rate for _, rate in await b.rates()] == [10.0] * 4


async def test_changes_are_stored_and_told() -> None:
    b = Bench()
    await b.add(0)
    await b.add(60, status=Status.TIMEOUT)

    await b.serve(b.process(), await b.take())

    assert [decode_event(entry) for entry in await b.stored(Kind.EVENT)] == [event(START + 60)]
    assert len(b.server.shard(SHARD).streams[QueueClass.NOTIFICATIONS].entries) == 1
    assert b.record.above.failing


async def test_a_device_behind_a_failing_one_is_judged_so() -> None:
    b = Bench()
    b.facts = {"r2": DeviceFacts("r2", "10.0.0.2", parent="r1", parent_shard=SHARD)}
    process = b.process()
    await b.add(60, device="r2", status=Status.TIMEOUT)  # nothing is known of the parent
    await b.serve(process, await b.take())
    await b.add(60)
    await b.serve(process, await b.take())
    await b.add(120, device="r2", status=Status.TIMEOUT)
    await b.serve(process, await b.take())
    await b.add(180, device="r2", status=Status.TIMEOUT)
    await b.add(150, status=Status.TIMEOUT)  # of the same batch, and behind it in the stream
    await b.serve(process, await b.take())

    known = [sample.parent for sample in b.judge.seen if sample.facts.name == "r2"]
    assert known == [Above(), Above(False, START + 60), Above(True, 0)]


async def test_a_device_that_the_coordinator_told_nothing_of_yet_may_be_behind_another() -> None:
    b = Bench()
    process = b.process()
    await b.add(0, status=Status.TIMEOUT)
    await b.serve(process, await b.take())
    b.now += 61  # by now it would have
    await b.add(60, status=Status.TIMEOUT)
    await b.serve(process, await b.take())
    b.facts = {"r1": DeviceFacts("r1", "10.0.0.1")}
    await b.add(120, status=Status.TIMEOUT)
    await b.serve(b.process(), await b.take())

    assert [sample.parent for sample in b.judge.seen] == [Above(), None, None]


def test_a_record_of_an_earlier_layout_is_taken_over() -> None:
    body = msgpack.packb((1, {"j": b"base"}, {"polls": 3}, True))

    assert decode_record(b"8 bytes!" + body) == DeviceRecord({"j": b"base"}, {"polls": 3}, Above(True, 0), b"8 bytes!")


async def test_what_can_not_be_read_is_handed_back_once_then_buried() -> None:
    b = Bench()
    await b.streams.add(ANALYSIS, SHARD, [Entry(Kind.ANALYZE, "j", 1, 0, b"\x90"), Entry("novel", "j", 1, 0, b"")])
    taken = await b.take()

    assert {type(said) for said in await b.process().handle(taken)} == {Release}
    for each in taken:
        each.delivery = 2
    assert {type(said) for said in await b.process().handle(taken)} == {Bury}


async def test_results_of_one_entry_are_analysed_each_for_itself() -> None:
    b = Bench()
    process = b.process()
    for slot in (0, 60, 120):
        devices = [work(slot, "r1"), work(slot, "r3", per_s=20), work(slot, "r2", Status.TIMEOUT)]
        await b.streams.add(ANALYSIS, SHARD, [join(devices)])
        assert await b.serve(process, await b.take()) == 0

    assert [(row.slot - START, row.device) for row in await b.rows()] == [
        (60, "r1"), (60, "r3"), (120, "r1"), (120, "r3"),
    ]  # fmt: skip
    assert [sample.facts.name for sample in b.judge.seen] == ["r1", "r3", "r2"] * 3
    assert len(b.server.shard(SHARD).streams[RESULTS].entries) == 2 + 3  # rates of two devices together, and events
    assert process.counted()["analysed|j"] == 9


async def test_one_stale_record_has_all_of_its_entry_come_again_and_nothing_is_doubled() -> None:
    b = Bench()
    one, two = b.process(), b.process()
    for slot in (0, 60):
        await b.streams.add(ANALYSIS, SHARD, [join([work(slot, "r1"), work(slot, "r2")])])
        await b.serve(one, await b.take())
    await b.add(120, device="r2")
    await b.serve(two, await b.take("b"), "b")
    await b.streams.add(ANALYSIS, SHARD, [join([work(180, "r1"), work(180, "r2")])])

    assert await b.serve(one, await b.take()) == 1
    assert [(row.slot - START, row.device) for row in await b.rows()] == [(60, "r1"), (60, "r2"), (120, "r2")]
    assert await b.serve(one, await b.take()) == 0

    assert [(row.slot - START, row.device) for row in await b.rows()] == [
        (60, "r1"), (60, "r2"), (120, "r2"), (180, "r1"), (180, "r2"),
    ]  # fmt: skip


async def test_what_can_not_be_read_costs_no_other_of_its_entry() -> None:
    b = Bench()
    process = b.process()
    await b.streams.add(ANALYSIS, SHARD, [join([work(0, "r1"), work(0, "r2")])])
    await b.serve(process, await b.take())
    await b.streams.add(ANALYSIS, SHARD, [join([work(60, "r1"), unreadable(60, "r3"), work(60, "r2")])])
    [taken] = await b.take()

    [first] = await process.handle([taken])
    taken.delivery = 2
    [second] = await process.handle([taken])

    assert isinstance(first, Release)
    assert isinstance(second, Bury)
    assert second.cause.startswith("r3: payload")
    assert [write.name for write in second.writes] == ["r1", "r2"]
    assert [emit.entry.kind for emit in second.emits] == [Kind.RATES] * 2


async def test_what_comes_again_leaves_nothing_in_memory_that_was_never_written() -> None:
    b = Bench()
    process = b.process()
    await b.streams.add(ANALYSIS, SHARD, [join([work(0, "r1"), unreadable(0, "r3")])])
    [taken] = await b.take()
    await process.handle([taken])
    await b.add(60)

    assert await b.serve(process, [each for each in await b.take() if each.id != taken.id]) == 0


async def test_a_bug_costs_no_other_of_its_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    b = Bench()
    judge = b.judge.judge

    def stumble(sample: Sample, state: Mapping[str, object]) -> Judgement:
        if sample.facts.name == "r2":
            raise KeyError("planted")
        return judge(sample, state)

    monkeypatch.setattr(b.judge, "judge", stumble)
    await b.streams.add(ANALYSIS, SHARD, [join([work(0, "r1"), work(0, "r2"), work(0, "r3")])])

    [said] = await b.process().handle(await b.take())

    assert isinstance(said, Bury)
    assert said.cause == "r2: KeyError: 'planted'"
    assert [write.name for write in said.writes] == ["r1", "r3"]


async def test_two_slots_of_devices_in_one_batch_are_both_analysed_where_memory_is_full() -> None:
    b = Bench()
    process = b.process(cache_bytes=1)
    for slot in (0, 60):
        await b.streams.add(ANALYSIS, SHARD, [join([work(slot, "r1"), work(slot, "r2")])])

    assert await b.serve(process, await b.take()) == 0

    assert [(row.slot - START, row.device) for row in await b.rows()] == [(60, "r1"), (60, "r2")]
    assert process._cached_bytes == 0
    assert not process._cache


@pytest.mark.parametrize("lag_ms", [-1, 1 << 32, None, 1.5, "late"])
def test_a_poller_that_was_late_by_nonsense_was_not_late(lag_ms: object) -> None:
    body = msgpack.packb(("r1", 0, 5, b"payload", lag_ms, "of a newer release"))

    [(result, lag_s)] = decode_analyze(Entry(Kind.ANALYZE, "j", START, 0, body))

    assert (result.device, lag_s) == ("r1", 0.0)


@pytest.mark.parametrize("packed", [b"", b"12345678", b"12345678\xc1", b"12345678\x90", b"short"])
def test_a_record_that_can_not_be_read_is_as_if_there_were_none(packed: bytes) -> None:
    record = decode_record(packed)

    assert (record.jobs, record.state, record.version) == ({}, {}, packed[:8])


def test_a_record_is_bounded() -> None:
    packed = encode_record(DeviceRecord({"j": b"x" * (5 << 20)}, {"a": 1}, Above(True, 60)))

    assert len(packed) < 100
    assert decode_record(packed).state == {"a": 1}


async def test_a_stale_record_that_is_not_read_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    later = count(0, -1)
    monkeypatch.setattr(handling, "_order", lambda entry_id: next(later))  # whatever comes was never served before

    with pytest.raises(AssertionError):
        await test_what_is_stale_is_read_and_analysed_again()


async def test_a_repeated_slot_that_is_analysed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeviceRecord, "baseline", lambda self, job: Baseline())

    with pytest.raises(AssertionError):
        await test_a_repeated_and_a_late_slot_change_nothing()


async def test_versions_that_nobody_looks_at_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryServer, "shard", _blind(MemoryServer.shard))

    with pytest.raises(AssertionError):
        await test_two_homes_at_once_do_no_harm()


def _blind(shard):
    """Let every write hold, as if versions were not looked at."""

    def made(self: MemoryServer, number: int, adds: bool = False):
        found = shard(self, number, adds)
        found.hold = lambda writes: True
        return found

    return made
