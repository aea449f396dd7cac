"""What `stats` reads: what is there, and nothing made up."""

from collections.abc import Mapping
from typing import Any

from streampoll.config.jobs import Job
from streampoll.model import QueueClass
from streampoll.observe.snapshot import DEAF_AFTER_S, Known, RedisStats
from streampoll.results.figures import StoreFigures
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_presence import MemoryLease, MemoryPresence
from streampoll.shards.memory_server import MemoryServer
from tests.worker_support import POLLING, entry


class World:
    """A Redis in memory, read by `stats`; the clock stands where the test sets it."""

    def __init__(self) -> None:
        self.ms = 1_000_000_000
        self.server = MemoryServer(now_ms=lambda: self.ms)
        self.streams = MemoryStreams(self.server)
        self.presence = MemoryPresence(self.server)
        self.source = RedisStats(self.streams, self.presence, lambda: self.ms / 1000, Known(2, 3.0))

    async def worker(self, name: str, **said: Any) -> None:
        await self.presence.beat(name, [POLLING])
        await self.presence.publish(name, figures(**said))

    async def polling(self, shard: int = 0):
        stats = await self.source.snapshot()
        return next(row for row in stats.queues if (row.queue, row.shard) == (POLLING, shard))


def figures(state: str = "running", **polling: Any) -> Mapping[str, Any]:
    """What a worker publishes."""
    queue = {
        "homes": 1, "read_age_s": 0.1, "in_flight": 0, "held": 0, "read": 0, "done": 0, "claimed": 0, "lost": 0,
        "rate_by_shard": {}, "claimed_by_shard": {},
    } | polling  # fmt: skip
    return {"host": "h", "pid": 7, "pool": "", "state": state, "started": 999_990.0, "rss_bytes": 1, "loop_lag_s": 0.0,
            "done_per_s": 1.5, "queues": {"polling": queue}, "store": StoreFigures().packable()}  # fmt: skip


async def test_with_nobody_there_it_is_unknown_and_not_zero() -> None:
    world = World()
    row = await world.polling()
    assert (row.waiting, row.in_flight, row.dead) == (0, 0, 0)  # read off Redis
    assert (row.claimed, row.rate_per_s, row.oldest_s, row.home) == (None, None, None, None)
    stats = await world.source.snapshot()
    assert (stats.leader, list(stats.workers), stats.troubles) == (None, [], ())


async def test_a_queue_row_tells_what_waits_how_old_it_is_and_what_is_in_flight() -> None:
    world = World()
    await world.streams.add(POLLING, 1, [entry() for _ in range(5)])
    await world.streams.make_groups(POLLING, [1])
    await world.streams.read(POLLING, [1], "w", 2, 0)
    world.ms += 4_000
    await world.worker("w", rate_by_shard={1: 3.0}, claimed_by_shard={1: 9})
    row = await world.polling(1)
    assert (row.waiting, row.in_flight, row.oldest_s) == (3, 2, 4.0)
    assert (row.claimed, row.rate_per_s, row.home) == (9, 3.0, "w")


async def test_a_worker_that_missed_its_heartbeats_is_silent_and_home_of_nothing() -> None:
    world = World()
    await world.worker("w")
    world.ms += 3_500
    [worker] = (await world.source.snapshot()).workers
    assert (worker.state, worker.seen_s, worker.pid) == ("silent", 3.5, 7)
    assert (await world.polling()).home is None


async def test_one_that_beats_and_reads_nothing_is_deaf() -> None:
    world = World()
    await world.worker("deaf", read_age_s=DEAF_AFTER_S + 1)
    await world.worker("busy", read_age_s=DEAF_AFTER_S + 1, in_flight=3)
    await world.worker("idle", read_age_s=DEAF_AFTER_S + 1, homes=0)
    states = {worker.id: worker.state for worker in (await world.source.snapshot()).workers}
    assert states == {"deaf": "deaf", "busy": "running", "idle": "running"}


async def test_a_worker_whose_figures_are_not_there_yet_is_shown_without_them() -> None:
    world = World()
    await world.presence.beat("w", [POLLING])
    [worker] = (await world.source.snapshot()).workers
    assert (worker.id, worker.pid, worker.in_flight, worker.state) == ("w", None, None, None)


async def test_the_leader_is_told_by_its_lease() -> None:
    world = World()
    await MemoryLease(world.server, "c1", 6.0).take(world.streams, [0, 1])
    world.ms += 2_000
    leader = (await world.source.snapshot()).leader
    assert leader is not None
    assert (leader.id, leader.epoch) == ("c1", 1_000_000_000)


async def test_an_outage_is_a_line_of_trouble() -> None:
    world = World()
    world.server.away = True
    stats = await world.source.snapshot()
    assert len(stats.troubles) == 1
    assert (list(stats.queues), list(stats.workers), stats.leader) == ([], [], None)


async def test_jobs_are_those_of_the_configuration_and_those_that_were_dispatched() -> None:
    world = World()
    await world.streams.add(QueueClass.POLLING, 0, [entry("old")])
    known = Known(2, 3.0, [Job("new", every_s=60)])
    source = RedisStats(world.streams, world.presence, lambda: world.ms / 1000, known)
    jobs = {row.job: row for row in (await source.snapshot()).jobs}
    assert jobs["new"].interval_s == 60.0
    assert (jobs["new"].unfinished, jobs["new"].lateness_p50_s) == (0, None)
