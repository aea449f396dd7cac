"""One worker process: from its first beat to the end of its drain."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from streampoll.config.settings import WorkerSettings
from streampoll.errors import UnfitServerError
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_presence import MemoryPresence
from streampoll.shards.memory_server import MemoryServer
from streampoll.worker.attempt import Surroundings
from streampoll.worker.beat import Beat, State
from streampoll.worker.consume import Consumer
from streampoll.worker.membership import Membership
from streampoll.worker.process import ProcessParts, Rates, WorkerProcess, resident_bytes
from streampoll.worker.slots import Slots
from tests.shards_support import sweep_one
from tests.test_worker_consume import filled, is_done, new_server
from tests.waiting import eventually_async
from tests.worker_support import LIMITS, POLLING, FakeHandler, finished


@dataclass
class Bench:
    """A running process."""

    process: WorkerProcess
    consumer: Consumer
    beat: Beat
    task: "asyncio.Task[None]"
    server: MemoryServer

    async def figures(self):
        return (await MemoryPresence(self.server).figures(["w1"]))[0]

    async def end(self) -> None:
        """Tell it to drain, and wait for its end."""
        self.process.stop()
        await asyncio.wait({self.task}, timeout=10)
        assert self.task.done()
        await self.task


@asynccontextmanager
async def working(server: MemoryServer, handler: FakeHandler, drain_s: float = 5.0) -> AsyncIterator[Bench]:
    presence, beat = MemoryPresence(server), Beat()
    membership = Membership("w1", [POLLING], 2, WorkerSettings(heartbeat_s=0.01), presence)
    around = Surroundings(
        "w1", MemoryStreams(server), Slots(4, {POLLING: 1}), membership.homes, lambda: ["w1"], beat.touch
    )
    consumer = Consumer(POLLING, handler, LIMITS, around)
    process = WorkerProcess(ProcessParts([consumer], membership, beat, drain_s, 0, "", lambda: {"more": 1}))
    task = asyncio.create_task(process.run())
    try:
        yield Bench(process, consumer, beat, task, server)
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=10)


async def test_it_serves_publishes_its_figures_and_takes_them_back_when_it_ends() -> None:
    server = await filled(5)
    async with working(server, FakeHandler()) as bench:
        await eventually_async(lambda: is_done(server))

        async def said_so() -> bool:
            figures = await bench.figures()
            return bool(figures) and figures["queues"]["polling"]["done"] == 5

        await eventually_async(said_so)
        figures = await bench.figures()
        assert {"host", "pid", "pool", "state", "rss_bytes", "loop_lag_s", "done_per_s"} <= figures.keys()
        assert figures["more"] == 1
        await eventually_async(lambda: bench.beat.done == 5)
        await bench.end()
        assert await bench.figures() is None
        assert bench.beat.state is State.DRAINING


async def test_told_to_stop_it_finishes_what_is_in_flight() -> None:
    release = asyncio.Event()

    async def wait(batch):
        await release.wait()
        return [finished(delivered, b"ok") for delivered in batch]

    server = await filled(4)
    async with working(server, FakeHandler(wait)) as bench:
        await eventually_async(lambda: bench.consumer.in_flight == 4)
        bench.process.stop()
        await eventually_async(lambda: bench.beat.state is State.DRAINING)
        release.set()
        await bench.end()
    assert await is_done(server)


async def test_what_does_not_end_within_the_drain_is_cut_and_handed_back() -> None:
    async def hang(_):
        await asyncio.Event().wait()

    server = await filled(4)
    async with working(server, FakeHandler(hang), drain_s=0.05) as bench:
        await eventually_async(lambda: bench.consumer.in_flight == 4)
        await bench.end()
    swept = await sweep_one(MemoryStreams(server), POLLING, "w2", 0, 2000, b"0-0", 10)
    assert [delivered.delivery for delivered in swept.entries] == [1] * 4


async def test_it_ends_although_redis_is_away(caplog: pytest.LogCaptureFixture) -> None:
    server = await filled(1)

    async def lose_redis(batch):
        server.away = True
        return [finished(delivered, b"ok") for delivered in batch]

    async with working(server, FakeHandler(lose_redis), drain_s=0.05) as bench:
        await eventually_async(lambda: server.away)
        await bench.end()
    assert "drain: 1 entries are left for others to claim" in caplog.messages


async def test_told_to_stop_before_it_began_it_ends() -> None:
    async with working(new_server(), FakeHandler()) as bench:
        await bench.end()


async def test_an_error_on_purpose_in_one_part_ends_it() -> None:
    class Unfit(FakeHandler):
        async def ready(self) -> None:
            raise UnfitServerError("PostgreSQL is too old")

    async with working(new_server(), Unfit()) as bench:
        done, _ = await asyncio.wait({bench.task}, timeout=10)
        assert done
        with pytest.raises(ExceptionGroup) as caught:
            bench.task.result()
        assert caught.group_contains(UnfitServerError)


def test_rates_are_of_the_last_ten_seconds_and_unknown_before_two_notes() -> None:
    rates = Rates()
    rates.note(0.0, {(POLLING, 0): 0})
    assert rates.per_s() == {}
    for second in range(1, 31):
        rates.note(float(second), {(POLLING, 0): 100 * max(0, second - 19), (POLLING, 1): 7})
    assert rates.per_s() == {(POLLING, 0): 100.0, (POLLING, 1): 0.0}


def test_the_resident_size_is_that_of_a_python_process() -> None:
    assert 5 << 20 < resident_bytes() < 4 << 30
