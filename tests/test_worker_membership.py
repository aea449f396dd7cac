"""Homes: every shard has one among the living, and gets another as soon as that one leaves or dies."""

import asyncio
from contextlib import suppress

import pytest

from streampoll.config.settings import WorkerSettings
from streampoll.model import QueueClass
from streampoll.shards.memory_presence import MemoryPresence
from streampoll.shards.memory_server import MemoryServer
from streampoll.worker.membership import Membership
from tests.waiting import eventually_async

POLLING, RESULTS = QueueClass.POLLING, QueueClass.RESULTS
SHARDS = 16


class World:
    """A server whose clock the test sets, and its workers."""

    def __init__(self) -> None:
        self.ms = 1_000_000
        self.server = MemoryServer(now_ms=lambda: self.ms)

    def worker(self, name: str, *queues: QueueClass, heartbeat_s: float = 1.0) -> Membership:
        settings = WorkerSettings(heartbeat_s=heartbeat_s)
        return Membership(name, queues or (POLLING,), SHARDS, settings, MemoryPresence(self.server))


def homes(*workers: Membership, queue: QueueClass = POLLING) -> list[int]:
    return sorted(shard for worker in workers for shard in worker.homes(queue))


async def beat(*workers: Membership) -> None:
    for _ in range(2):  # the first beat makes them known to the others
        for worker in workers:
            await worker.beat()


async def test_before_its_first_beat_a_worker_is_home_of_nothing() -> None:
    assert homes(World().worker("a")) == []


async def test_each_shard_has_just_one_home_among_the_living() -> None:
    world = World()
    workers = [world.worker(name) for name in "abc"]
    await beat(*workers)
    assert homes(*workers) == list(range(SHARDS))


async def test_a_worker_takes_only_the_classes_it_serves() -> None:
    world = World()
    polling, both = world.worker("a"), world.worker("b", POLLING, RESULTS)
    await beat(polling, both)
    assert homes(both, queue=RESULTS) == list(range(SHARDS))
    assert homes(polling, queue=RESULTS) == []


async def test_the_shards_of_a_silent_worker_find_a_home_after_dead_after() -> None:
    world = World()
    dead, heir = world.worker("a"), world.worker("b")
    await beat(dead, heir)
    world.ms += 2_900
    await heir.beat()
    assert len(homes(heir)) < SHARDS
    world.ms += 200
    await heir.beat()
    assert homes(heir) == list(range(SHARDS))


async def test_one_that_leaves_is_home_of_nothing_and_the_others_take_over_at_once() -> None:
    world = World()
    leaver, heir = world.worker("a"), world.worker("b")
    await beat(leaver, heir)
    await leaver.leave()
    await leaver.beat()  # it goes on beating while it drains
    await heir.beat()
    assert homes(leaver) == []
    assert homes(heir) == list(range(SHARDS))


async def test_homes_stay_while_redis_is_away_which_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    worker = world.worker("a", heartbeat_s=0.001)
    task = asyncio.create_task(worker.run(dict))
    await eventually_async(lambda: homes(worker) == list(range(SHARDS)))
    with caplog.at_level("INFO"):
        world.server.away = True
        await eventually_async(lambda: worker.away)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert homes(worker) == list(range(SHARDS))
        world.server.away = False
        await eventually_async(lambda: not worker.away)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert sum("waiting for it" in line for line in caplog.messages) == 1
    assert caplog.messages[-1] == "Redis is back"
