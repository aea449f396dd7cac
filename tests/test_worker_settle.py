"""The settler: decisions go out together, and none is forgotten while Redis is away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from streampoll.errors import RedisPartlyUnavailable, RedisUnavailable
from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_server import MemoryServer
from streampoll.worker.port import LONE_S, Bury, Conclusion, Disposition, Draft, Emit, Finish, Release, Retry, Write
from streampoll.worker.settle import FULL, Settler
from tests.shards_support import sweep_one
from tests.waiting import eventually_async
from tests.worker_support import POLLING, entry, row

ROW = Finish((Emit(QueueClass.RESULTS, row("j", 60, b"ok")),))


def made(_: Delivered, draft: Draft) -> Disposition:
    return draft()


@dataclass
class Bench:
    """Entries held by consumer w1, and what became of them."""

    server: MemoryServer
    settler: Settler
    held: list[Delivered]
    settled: list[tuple[bytes, bool]] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)  # entries in each call of finish

    async def say(self, *answers: Conclusion) -> None:
        """Decide on the entries, in order, and wait until all is told."""
        for delivered, answer in zip(self.held, answers, strict=True):
            self.settler.add(delivered, answer)
        await eventually_async(lambda: not self.settler.unsettled)

    async def figures(self):
        return (await MemoryStreams(self.server).figures([0]))[0].queues


@asynccontextmanager
async def holding(
    count: int, shards: Sequence[int] = (0,), kind: type[MemoryStreams] = MemoryStreams, gather_s: float = 0.005
) -> AsyncIterator[Bench]:
    """Hold so many entries of each shard; the settler runs until the block ends."""
    server = MemoryServer(now_ms=lambda: 1_000_000)

    class Counting(kind):  # type: ignore[misc,valid-type]
        async def finish(self, queue, consumer, settled):
            bench.calls.append(sum(map(len, settled.values())))
            return await super().finish(queue, consumer, settled)

    streams = Counting(server)
    for shard in shards:
        await streams.add(POLLING, shard, [entry() for _ in range(count)])
    await streams.make_groups(POLLING, shards)
    held = await streams.read(POLLING, shards, "w1", count, 0)
    settled: list[tuple[bytes, bool]] = []

    def on_settled(delivered: Delivered, ours: bool) -> None:
        settled.append((delivered.id, ours))

    settler = Settler(POLLING, "w1", streams, 2000, made, on_settled, gather_s)
    bench = Bench(server, settler, held, settled)
    task = asyncio.create_task(settler.run())
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_decisions_made_together_are_told_in_one_call() -> None:
    async with holding(100) as bench:
        await bench.say(*[ROW] * 100)
        assert bench.calls == [100]
        assert (await bench.figures())[QueueClass.RESULTS].rows == 100


async def test_a_lone_decision_is_told_at_once_and_those_that_follow_it_together() -> None:
    """They are waited for as long as they come, and told when no more did."""
    async with holding(200, gather_s=3600.0) as bench:
        bench.settler.add(bench.held[0], ROW)
        await eventually_async(lambda: bench.settled)
        for delivered in bench.held[1:]:
            bench.settler.add(delivered, ROW)
            await asyncio.sleep(0)
        await eventually_async(lambda: not bench.settler.unsettled)
        assert bench.calls == [1, 199]


@pytest.mark.parametrize(("gather_s", "count"), [(0.1, 2), (3600.0, FULL)])
async def test_decisions_that_keep_coming_are_told_when_their_time_is_over_or_they_are_many(
    gather_s: float, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with holding(1 + count, gather_s=gather_s) as bench:
        loop = asyncio.get_running_loop()
        bench.settler.add(bench.held[0], ROW)
        await eventually_async(lambda: bench.settled)
        monkeypatch.setattr("streampoll.worker.settle.QUIET_S", 3600.0)
        bench.settler.add(bench.held[1], ROW)
        later = loop.time() + 4 * LONE_S
        await eventually_async(lambda: loop.time() > later)
        assert bench.calls == [1]
        for delivered in bench.held[2:]:
            bench.settler.add(delivered, ROW)
        await eventually_async(lambda: not bench.settler.unsettled)
        assert bench.calls == [1, count]


async def test_each_disposition_does_what_it_says() -> None:
    async with holding(4) as bench:
        await bench.say(ROW, Bury("why not", ROW.emits), Retry(entry(), 60.0), Release("not now"))
        found = await bench.figures()
        polling = found[POLLING]
        assert (polling.length, polling.pending, polling.delayed, polling.dead) == (1, 1, 1, 1)
        assert found[QueueClass.RESULTS].rows == 2
        assert bench.server.shard(0).dead[POLLING][0].cause == "why not"
        assert all(ours for _, ours in bench.settled)


async def test_drafts_are_made_one_after_the_other_when_they_are_told_and_once() -> None:
    """Also where the first call fails."""
    happened: list[str] = []

    def make(disposition: Disposition) -> Disposition:
        happened.append("made")
        return disposition

    class Failing(MemoryStreams):
        async def finish(self, *arguments):
            happened.append("told")
            if happened.count("told") == 1:
                raise RedisUnavailable("away for a moment")
            return await super().finish(*arguments)

    async with holding(3, kind=Failing) as bench:
        for delivered, said in zip(bench.held, (ROW, ROW, Retry(entry(), 60.0)), strict=True):
            bench.settler.add(delivered, partial(make, said))
        assert not happened
        assert bench.settler.unsettled == 3
        await eventually_async(lambda: not bench.settler.unsettled)

        assert happened == ["made"] * 3 + ["told"] * 2
        assert bench.settler.turned["retried"] == 1
        assert (await bench.figures())[QueueClass.RESULTS].rows == 2


async def test_what_went_to_another_meanwhile_is_reported_and_emits_nothing() -> None:
    async with holding(2) as bench:
        thief = await sweep_one(MemoryStreams(bench.server), POLLING, "thief", 0, 0, b"0-0", 1)
        await bench.say(ROW, ROW)
        taken = thief.entries[0].id
        assert sorted(bench.settled) == sorted((each.id, each.id != taken) for each in bench.held)
        assert (await bench.figures())[QueueClass.RESULTS].rows == 1


async def test_while_redis_is_away_decisions_are_kept_and_told_once_when_it_is_back() -> None:
    async with holding(3) as bench:
        bench.server.away = True
        for delivered in bench.held:
            bench.settler.add(delivered, ROW)
        await eventually_async(lambda: len(bench.calls) >= 2)
        assert bench.settler.unsettled == 3
        assert bench.settled == []
        bench.server.away = False
        await eventually_async(lambda: not bench.settler.unsettled)
        assert len(bench.settled) == 3
        assert (await bench.figures())[QueueClass.RESULTS].rows == 3


async def test_an_answer_that_was_lost_leaves_one_row() -> None:
    async with holding(1) as bench:
        bench.settler.add(bench.held[0], ROW)
        await eventually_async(lambda: not bench.settler.unsettled)
        bench.settler.add(bench.held[0], ROW)  # as after a reply that never came
        await eventually_async(lambda: not bench.settler.unsettled)
        assert (await bench.figures())[QueueClass.RESULTS].rows == 1


async def test_a_shard_that_is_away_by_itself_costs_the_others_nothing() -> None:
    """What the others had been told was sent again with it, and counted as lost."""

    class Partial(MemoryStreams):
        away = True

        async def finish(self, queue, consumer, settled):
            if not self.away or 0 not in settled:
                return await super().finish(queue, consumer, settled)
            gone = await super().finish(queue, consumer, {shard: ones for shard, ones in settled.items() if shard})
            raise RedisPartlyUnavailable("its node is down", gone, frozenset([0]))

    async with holding(10, shards=(0, 1), kind=Partial) as bench:
        for delivered in bench.held:
            bench.settler.add(delivered, ROW)
        await eventually_async(lambda: len(bench.settled) == 10)
        assert bench.settler.unsettled == 10
        Partial.away = False
        await eventually_async(lambda: not bench.settler.unsettled)

    assert sorted(bench.settled) == sorted((each.id, True) for each in bench.held)


async def test_a_hand_back_that_fails_does_not_have_finishes_sent_again() -> None:
    class Partial(MemoryStreams):
        failed = False

        async def release(self, *arguments):
            if not self.failed:
                self.failed = True
                raise RedisUnavailable("away for a moment")
            return await super().release(*arguments)

    async with holding(2, kind=Partial) as bench:
        await bench.say(ROW, Release("not now"))
    assert bench.calls == [1]
    assert all(ours for _, ours in bench.settled)


async def test_what_is_decided_while_a_call_finds_its_shard_away_is_told_later_with_the_rest() -> None:
    """It was forgotten: the second call that failed put its decisions in the place of the first one's."""

    class Slow(MemoryStreams):
        failing = asyncio.Event()

        async def finish(self, *arguments):
            await self.failing.wait()
            if len(bench.calls) > 2:
                return await super().finish(*arguments)
            raise RedisUnavailable("away")

    async with holding(2, kind=Slow) as bench:
        bench.settler.add(bench.held[0], ROW)
        await eventually_async(lambda: len(bench.calls) == 1)
        bench.settler.add(bench.held[1], ROW)
        Slow.failing.set()
        await eventually_async(lambda: len(bench.settled) == 2)
    assert (await bench.figures())[QueueClass.RESULTS].rows == 2


@pytest.mark.parametrize("end", [Finish, partial(Bury, "unreadable in part")])
async def test_an_entry_whose_record_has_changed_is_handed_back_and_is_no_loss(
    end: Callable[[Sequence[Emit], Sequence[Write]], Finish | Bury],
) -> None:
    stale = end(ROW.emits, [Write("device", "sw1", b"version1", b"version2")])
    async with holding(2) as bench:
        await bench.say(stale, Finish(ROW.emits, [Write("device", "sw1", b"", b"version1")]))

        assert [ours for _, ours in bench.settled] == [True, True]
        assert bench.settler.turned["stale"] == 1
        found = await bench.figures()
        assert (found[POLLING].length, found[QueueClass.RESULTS].rows) == (1, 1)


async def test_a_store_that_is_done_with_an_entry_is_done_with_all_its_rows() -> None:
    async with holding(3) as bench:
        await bench.say(*[ROW] * 3)
        streams = MemoryStreams(bench.server)
        await streams.make_groups(QueueClass.RESULTS, [0])
        [held] = await streams.read(QueueClass.RESULTS, [0], "store", 10, 0)
        assert (await bench.figures())[QueueClass.RESULTS].rows == 3

        settler = Settler(QueueClass.RESULTS, "store", streams, 2000, made, lambda *_: None)
        settling = asyncio.create_task(settler.run())
        settler.add(held, Finish())
        await eventually_async(lambda: not settler.unsettled)
        settling.cancel()

        assert (await bench.figures())[QueueClass.RESULTS].rows == 0
        assert not bench.server.shard(0).more_rows


async def test_what_is_emitted_later_or_once_says_so() -> None:
    row_later = Emit(QueueClass.RESULTS, row("j", 60, b"later"), delay_s=60.0)
    row_once = Emit(QueueClass.RESULTS, row("j", 60, b"once"), unique="k")
    async with holding(2) as bench:
        await bench.say(Finish([row_later, row_once]), Finish([row_once, *ROW.emits]))

        found = (await bench.figures())[QueueClass.RESULTS]
        assert (found.length, found.delayed) == (2, 1)
