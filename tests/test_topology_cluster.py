"""A Redis Cluster in trouble: masters killed and frozen, slots moved, with work going on all the while."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings, ShardsSettings
from streampoll.errors import RedisUnavailable, UnfitServerError
from streampoll.shards.clock import Clock
from streampoll.shards.entries import Delivered, Entry, Kind
from streampoll.shards.keys import Keys
from streampoll.shards.lease import LeaderLease
from streampoll.shards.presence import Presence
from streampoll.shards.scripts import Scripts
from streampoll.shards.server import examine, settle
from streampoll.shards.slots import slot_of
from streampoll.worker.attempt import Surroundings
from streampoll.worker.consume import Consumer
from streampoll.worker.port import Disposition
from streampoll.worker.slots import Slots
from tests.shards_support import POLLING, RESULTS, SHARD, part_of
from tests.topology_support import ClusterBench, Server, TestCluster, move_slot, redis_cluster
from tests.topology_traffic import SHARDS, Traffic
from tests.waiting import eventually_async
from tests.worker_support import LIMITS, FakeHandler, entry, finished

FAILOVER_S = 12.0


@pytest.fixture
def cluster(tmp_path: "os.PathLike[str]") -> Iterator[TestCluster]:
    """Three masters, three replicas."""
    with redis_cluster(tmp_path, replicas=True) as made:  # type: ignore[arg-type]
        yield made


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """Three masters, and a fourth that has no slot yet."""
    with redis_cluster(tmp_path_factory.mktemp("masters"), masters=4) as made:
        yield made


@pytest.fixture
async def bench(masters: TestCluster) -> AsyncIterator[ClusterBench]:
    for server in masters.masters:
        server.do("FLUSHALL")
    async with ClusterBench(masters.url) as bench:
        yield bench


def holder_of(cluster: TestCluster, key: str) -> Server:
    return cluster.holder(slot_of(key))


async def test_a_killed_master_costs_nothing_and_its_shards_go_on_with_the_replica(cluster: TestCluster) -> None:
    async with ClusterBench(cluster.url) as bench, Traffic(bench.streams) as traffic:
        await traffic.more()
        holder_of(cluster, "{00}").kill()

        await traffic.more(deadline_s=FAILOVER_S)
        assert traffic.away > 0
        await traffic.drained()

    assert set(traffic.stored.values()) == {1}
    if not traffic.lost:  # else a replica was promoted that lacked the last milliseconds: dispatched anew
        assert len(traffic.stored) == traffic.due


async def test_while_a_master_is_frozen_the_other_shards_go_on(cluster: TestCluster) -> None:
    frozen = holder_of(cluster, "{00}")
    assert frozen.process is not None
    async with ClusterBench(cluster.url) as bench, Traffic(bench.streams) as traffic:
        await traffic.more()
        others = [line for line in traffic.lines if holder_of_line(cluster, line.shard) is not frozen]
        os.kill(frozen.process.pid, signal.SIGSTOP)
        before = [line.tick for line in others]
        await eventually_async(lambda: traffic.away > 0, 15)
        await eventually_async(lambda: all(line.tick > tick for line, tick in zip(others, before, strict=True)), 15)

        await traffic.more(deadline_s=FAILOVER_S)
        os.kill(frozen.process.pid, signal.SIGCONT)
        await traffic.more()
        await traffic.drained()

    assert set(traffic.stored.values()) == {1}


def holder_of_line(cluster: TestCluster, shard: int) -> Server:
    return holder_of(cluster, Keys().shard(shard).open)


async def test_a_master_that_stays_frozen_holds_up_its_own_shards_only(
    masters: TestCluster, bench: ClusterBench
) -> None:
    frozen = holder_of(masters, "{00}")
    assert frozen.process is not None
    async with Traffic(bench.streams) as traffic:
        await traffic.more()
        others = [line for line in traffic.lines if holder_of_line(masters, line.shard) is not frozen]
        os.kill(frozen.process.pid, signal.SIGSTOP)
        try:
            await eventually_async(lambda: traffic.away > 0, 15)
            before = [line.tick for line in others]
            # each look would take three seconds, did it wait for the frozen one
            await eventually_async(lambda: all(n.tick > at + 15 for n, at in zip(others, before, strict=True)), 20)
        finally:
            os.kill(frozen.process.pid, signal.SIGCONT)
        await traffic.more()
        await traffic.drained()

    assert set(traffic.stored.values()) == {1}
    assert len(traffic.stored) == traffic.due


async def test_a_worker_keeps_and_settles_what_it_holds_on_the_other_nodes_while_one_is_frozen(
    masters: TestCluster, bench: ClusterBench
) -> None:
    """All that was held was dropped with the frozen node's, and what was settled was sent again and counted as lost."""
    opened = asyncio.Event()

    async def serve(batch: Sequence[Delivered]) -> Sequence[Disposition]:
        await opened.wait()
        return [finished(delivered, b"ok") for delivered in batch]

    frozen = holder_of(masters, "{00}")
    assert frozen.process is not None
    there = sum(holder_of_line(masters, shard) is frozen for shard in SHARDS)
    for shard in SHARDS:
        await bench.streams.add(POLLING, shard, [entry()])
    around = Surroundings("w1", bench.streams, Slots(100, {POLLING: 1}), lambda _: SHARDS, lambda: (), lambda: None)
    consumer = Consumer(POLLING, FakeHandler(serve), replace(LIMITS, concurrency=100, claim_idle_s=5.0), around)
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(part()) for _, part in consumer.tasks()]
        await eventually_async(lambda: consumer.in_flight == len(SHARDS))
        os.kill(frozen.process.pid, signal.SIGSTOP)
        try:
            await eventually_async(lambda: consumer.counts.lost == there, 20)
            assert consumer.held == len(SHARDS) - there
            await eventually_async(lambda: consumer.in_flight == consumer.held)  # attempts end a turn of the loop later
            opened.set()
            await eventually_async(lambda: consumer.counts.done == len(SHARDS) - there, 20)
        finally:
            os.kill(frozen.process.pid, signal.SIGCONT)
        await eventually_async(lambda: consumer.counts.done == len(SHARDS), 20)
        for task in running:
            task.cancel()

    assert consumer.counts.lost == there
    found = await bench.streams.figures(SHARDS)
    assert [one.queues[RESULTS].length for one in found] == [1] * len(SHARDS)


async def test_slots_are_moved_under_work_and_nothing_is_lost_or_doubled(
    masters: TestCluster, bench: ClusterBench
) -> None:
    async with Traffic(bench.streams) as traffic:
        await traffic.more()
        for shard in (0, 5, 11):
            slot = slot_of(Keys().shard(shard).open)
            source = masters.holder(slot)
            target = masters.masters[3]
            await asyncio.to_thread(move_slot, slot, source, target, masters, 0.3)
        await traffic.more()
        await traffic.drained()

    assert traffic.lost == 0
    assert set(traffic.stored.values()) == {1}
    assert len(traffic.stored) == traffic.due
    assert masters.holder(slot_of(Keys().shard(5).open)) is masters.masters[3]


@pytest.mark.parametrize(
    "key", ["a", "{", "{}", "x{}y", "{a}b", "x{a}y{b}", "x{{a}}", "}{a", "sp:{07}:open", "sp:leader"]
)
def test_slots_are_those_of_redis(key: str, masters: TestCluster) -> None:
    assert slot_of(key) == masters.masters[0].do("CLUSTER KEYSLOT", key)


async def test_leader_beats_and_figures_go_to_their_own_slots(masters: TestCluster, bench: ClusterBench) -> None:
    keys = bench.keys
    assert len({slot_of(key) for key in (keys.leader, keys.workers, keys.meta, keys.worker("w"))}) == 4
    clock = Clock()
    lease = LeaderLease(Scripts(bench.topology), keys, "one", 6.0, clock)
    presence = Presence(bench.topology, keys, Clock())

    assert await lease.take(bench.streams, SHARDS)
    assert [worker.id for worker in await presence.beat("w", [POLLING])] == ["w"]
    await presence.publish("w", {"x": 1})

    assert await presence.figures(["w", "nobody"]) == [{"x": 1}, None]
    assert await presence.leader() == ("one", lease.epoch)


async def test_a_cluster_is_examined_and_settled_as_a_whole(masters: TestCluster) -> None:
    redis = RedisSettings(url=Secret(masters.url))
    masters.masters[2].do("CONFIG", "SET", "maxmemory", "100mb")

    assert (await examine(redis)).maxmemory == 0
    await settle(redis, ShardsSettings(count=24))
    with pytest.raises(UnfitServerError, match=r"shards\.count = 24"):
        await settle(redis, ShardsSettings(count=8))

    masters.masters[1].do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(UnfitServerError, match="allkeys-lru"):
        await settle(redis, ShardsSettings(count=24))
    masters.masters[1].do("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_one_server_is_no_cluster(fresh_redis: str) -> None:
    async with ClusterBench(fresh_redis.replace("redis://", "cluster://").rstrip("/0")) as bench:
        with pytest.raises(UnfitServerError, match=r"no Redis Cluster.*redis://"):
            await bench.streams.figures([0])


async def test_no_node_at_all_is_unavailable() -> None:
    async with ClusterBench("cluster://127.0.0.1:1,127.0.0.1:2") as bench:
        with pytest.raises(RedisUnavailable):
            await bench.streams.dispatch(1, 1, [part_of(1)])


async def test_parts_of_a_tick_keep_their_order_while_their_slot_moves(
    masters: TestCluster, bench: ClusterBench
) -> None:
    slot = slot_of(Keys().shard(SHARD).open)
    await bench.streams.make_groups(POLLING, [SHARD])
    await bench.streams.add(RESULTS, SHARD, [Entry(Kind.TASK, "j", 1, 0, b"")])
    await bench.streams.figures(SHARDS)  # the map of slots is known, and will be wrong

    await asyncio.to_thread(move_slot, slot, masters.holder(slot), masters.masters[1], masters)
    parts = [part_of(2, part=n, previous=0 if n == 0 else part_of(part=n - 1).mark) for n in range(3)]
    answers = await bench.streams.dispatch(10**13, 10**6, parts)

    assert [one.answer for one in answers] == ["ok"] * 3
