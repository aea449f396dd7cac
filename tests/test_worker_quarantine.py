"""Quarantine: the culprit is found, the innocent are not blamed, and nobody waits for it long."""

import asyncio
from collections.abc import Sequence

from streampoll.model import QueueClass, Result, Status
from streampoll.shards.entries import Delivered, Entry, Kind, encode_analyze, encode_result
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_server import MemoryServer
from streampoll.shards.rows import join
from streampoll.worker.port import Disposition
from streampoll.worker.quarantine import AT_A_TIME, Solitude, divided
from tests.shards_support import sweep_one
from tests.waiting import eventually_async
from tests.worker_support import POLLING, FakeHandler, consuming, entry, filled, finished, is_done, new_server, rows


async def dead_twice_with(server: MemoryServer, count: int) -> list[bytes]:
    """Have two processes die with so many entries in hand; return their ids."""
    streams = MemoryStreams(server)
    await streams.make_groups(POLLING, [0])
    taken = await streams.read(POLLING, [0], "first", count, 0)
    await sweep_one(streams, POLLING, "second", 0, 0, b"0-0", count)
    idle_long(server)
    return [delivered.id for delivered in taken]


async def dead_in_quarantine_with(server: MemoryServer, entry_id: bytes, alone: bool = False) -> None:
    """Have a third process die as it ran an entry in quarantine."""
    streams = MemoryStreams(server)
    await sweep_one(streams, POLLING, "third", 0, 0, b"0-0", 1)
    await streams.mark(POLLING, "third", 0, entry_id, alone)
    idle_long(server)


def idle_long(server: MemoryServer) -> None:
    for held in server.shard(0).streams[POLLING].pending.values():
        held.since_ms = 0


def notes(server: MemoryServer) -> list[str]:
    return list(server.shard(0).crashes[POLLING].values())


class Gate:
    """Serves entries once it is opened; those after the first so many at once."""

    def __init__(self, first: int = 1_000) -> None:
        self.opened = asyncio.Event()
        self.handler = FakeHandler(self._serve)
        self._first = first

    async def _serve(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        if len(self.handler.seen) <= self._first:
            await self.opened.wait()
        return [finished(delivered, b"ok") for delivered in batch]


async def test_what_died_alone_is_buried():
    server = await filled()
    [suspect] = await dead_twice_with(server, 1)
    await dead_in_quarantine_with(server, suspect, alone=True)
    async with consuming(server, FakeHandler()):
        await eventually_async(lambda: is_done(server))
    [row] = await rows(server)
    assert row.startswith(b"crashed: died 3 times")
    assert (await MemoryStreams(server).figures([0]))[0].queues[POLLING].dead == 1


async def test_of_an_entry_of_several_rows_that_died_alone_each_goes_on_by_itself():
    """One of them kills its processes; the others would have been buried with it."""
    server = new_server()
    rows_of = [encode_analyze(encode_result(Result("j", name, 60, Status.OK, 5, b"payload"))) for name in "abc"]
    await MemoryStreams(server).add(POLLING, 0, [join(list(rows_of))])
    [suspect] = await dead_twice_with(server, 1)
    await dead_in_quarantine_with(server, suspect, alone=True)
    handler = FakeHandler()
    async with consuming(server, handler, batch=2):
        await eventually_async(lambda: is_done(server))

    assert sorted(each.entry.body for each in handler.seen) == [each.body for each in rows_of]
    assert {(each.entry.kind, each.delivery) for each in handler.seen} == {("analyze", 1)}
    assert await rows(server) == [b"\x93okokok"]
    assert (await MemoryStreams(server).figures([0]))[0].queues[POLLING].dead == 0


async def test_rows_go_on_where_they_are_not_joined_again():
    """What a finish adds at once is joined; what it puts off is not."""
    rows_of = [encode_result(Result("j", name, 60, Status.OK, 5, b"payload")) for name in "ab"]

    finish = divided(Delivered(QueueClass.RESULTS, 0, b"1-0", join(list(rows_of)), 4, 0.0))

    assert finish
    assert [emit.entry for emit in finish.emits] == rows_of
    assert all(emit.queue is QueueClass.RESULTS and emit.delay_s > 0.0 for emit in finish.emits)
    assert divided(Delivered(QueueClass.RESULTS, 0, b"1-0", rows_of[0], 4, 0.0)) is None


async def test_an_entry_of_several_rows_whose_body_is_damaged_is_buried_whole():
    server = new_server()
    await MemoryStreams(server).add(POLLING, 0, [Entry(Kind.MANY_ANALYZE, "j", 60, 0, b"\x93\x92ab")])
    [suspect] = await dead_twice_with(server, 1)
    await dead_in_quarantine_with(server, suspect, alone=True)
    async with consuming(server, FakeHandler()):
        await eventually_async(lambda: is_done(server))

    assert (await MemoryStreams(server).figures([0]))[0].queues[POLLING].dead == 1


async def test_what_died_in_quarantine_beside_others_runs_again_alone():
    """The culprit may have been another: two poisonous devices had innocents buried for them."""
    beside: list[int] = []
    noted: list[str] = []

    async def serve(batch):
        await asyncio.sleep(0.01)
        if batch[0].id == suspect:
            beside.append(consumer.in_flight - 1)
            noted.extend(notes(server))
        return [finished(delivered, b"ok") for delivered in batch]

    server = await filled(20)
    [suspect] = await dead_twice_with(server, 1)
    await dead_in_quarantine_with(server, suspect)
    async with consuming(server, FakeHandler(serve)) as consumer:
        await eventually_async(lambda: is_done(server))

    assert (beside, noted) == ([0], ["w1 alone"])
    assert await rows(server) == [b"ok"] * 20


async def test_a_suspect_that_survives_quarantine_is_done_like_any_other():
    server = await filled()
    await dead_twice_with(server, 1)
    async with consuming(server, FakeHandler()):
        await eventually_async(lambda: is_done(server))
    assert await rows(server) == [b"ok"]
    assert notes(server) == []


async def test_suspects_run_few_at_a_time_and_each_is_noted():
    server, gate = await filled(40), Gate()
    await dead_twice_with(server, 40)
    async with consuming(server, gate.handler, concurrency=60) as consumer:
        await eventually_async(lambda: len(gate.handler.seen) == AT_A_TIME and consumer.held == 40)
        assert notes(server) == ["w1"] * AT_A_TIME
        gate.opened.set()
        await eventually_async(lambda: is_done(server))
    assert await rows(server) == [b"ok"] * 40


async def test_suspects_do_not_keep_fresh_work_waiting():
    server, gate = await filled(40), Gate(first=AT_A_TIME)
    await dead_twice_with(server, 40)
    async with consuming(server, gate.handler, concurrency=AT_A_TIME + 4):
        await eventually_async(lambda: len(gate.handler.seen) == AT_A_TIME)
        await MemoryStreams(server).add(POLLING, 0, [entry(slot=900 + n) for n in range(30)])
        await eventually_async(lambda: len(gate.handler.seen) == AT_A_TIME + 30)
        gate.opened.set()
        await eventually_async(lambda: is_done(server))


async def test_who_must_be_alone_waits_for_what_runs_in_other_classes():
    """A result that kills the process would have the poll beside it buried."""
    server, solitude, other = await filled(), Solitude(), asyncio.Event()
    [suspect] = await dead_twice_with(server, 1)
    await dead_in_quarantine_with(server, suspect)
    task = asyncio.create_task(other.wait())
    solitude.join(lambda: {task}, lambda: None)
    async with consuming(server, FakeHandler(), solitude=solitude) as consumer:
        await eventually_async(lambda: solitude.wanted)
        assert consumer.in_flight == 0
        other.set()
        await eventually_async(lambda: is_done(server))


async def test_who_can_not_be_alone_in_time_runs_in_company_once_more():
    """A store that hangs must not stop the polling for good."""
    server, solitude, gate = await filled(), Solitude(), Gate()
    [suspect] = await dead_twice_with(server, 1)
    await dead_in_quarantine_with(server, suspect)
    hangs = asyncio.create_task(asyncio.Event().wait())
    solitude.join(lambda: {hangs}, lambda: None)
    async with consuming(server, gate.handler, solitude=solitude, claim_idle_s=0.3):
        await eventually_async(lambda: len(gate.handler.seen) == 1)
        assert notes(server) == ["w1"]
        gate.opened.set()
        await eventually_async(lambda: is_done(server))
    hangs.cancel()


async def test_a_drain_hands_suspects_back():
    server, gate = await filled(40), Gate()
    await dead_twice_with(server, 40)
    async with consuming(server, gate.handler, concurrency=60) as consumer:
        await eventually_async(lambda: consumer.in_flight == AT_A_TIME and consumer.held == 40)
        consumer.stop_reading()
        gate.opened.set()
        await eventually_async(lambda: consumer.drained)
    assert len(await rows(server)) == AT_A_TIME
    assert (notes(server), consumer.held) == ([], 0)
