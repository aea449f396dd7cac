"""What goes on in a Redis over maxmemory, and what does not: each function is a sentence every server makes true."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streampoll.errors import RedisFull
from streampoll.shards.clock import Clock
from streampoll.shards.lease import LeaderLease
from streampoll.shards.port import Write, mark_of
from streampoll.shards.presence import Presence
from streampoll.shards.scripts import Scripts
from tests.shards_contract_settle import emitted, postponed
from tests.shards_support import (
    POLLING,
    RESULTS,
    SHARD,
    START,
    TICK,
    Bench,
    RedisBench,
    bodies,
    dispatch,
    finish,
    held,
    part_of,
    queue_figures,
    release,
    result_of,
    rows_of,
    settled,
    sweep_one,
)


@asynccontextmanager
async def full(bench: Bench) -> AsyncIterator[RedisBench]:
    """Put a Redis over maxmemory for a while."""
    assert isinstance(bench, RedisBench)
    _, before = await bench.run("CONFIG", "GET", "maxmemory")
    await bench.run("CONFIG", "SET", "maxmemory", 1)
    try:
        yield bench
    finally:
        await bench.run("CONFIG", "SET", "maxmemory", before)


async def a_full_redis_refuses_a_dispatch_and_holds_nothing_of_it(bench: Bench) -> None:
    await dispatch(bench, part_of(1))
    before = await bench.streams.figures([SHARD])

    async with full(bench):
        with pytest.raises(RedisFull, match="maxmemory"):
            await dispatch(bench, part_of(1, tick=TICK + 1, previous=mark_of(TICK, 0)))
        assert await bench.streams.fill() > 1

    assert await bench.streams.figures([SHARD]) == before


async def a_full_redis_refuses_what_is_added(bench: Bench) -> None:
    [one] = await held(bench, 1)

    async with full(bench):
        with pytest.raises(RedisFull, match="maxmemory"):
            await bench.streams.add(RESULTS, SHARD, [result_of(one)])
        with pytest.raises(RedisFull, match="maxmemory"):
            await bench.streams.add(RESULTS, SHARD, [result_of(one)], delay_s=60.0, unique=["key"])


async def a_full_redis_lets_work_be_finished(bench: Bench) -> None:
    taken = await held(bench, 3)

    async with full(bench):
        assert await finish(bench, settled(taken[:2], emits=1)) == set()
        assert await finish(bench, settled(taken[2:], cause="crashed")) == set()

    assert await emitted(bench) == [b"body-0/0", b"body-1/0"]
    assert (await queue_figures(bench)).dead == 1


async def a_full_redis_lets_records_be_written(bench: Bench) -> None:
    taken = settled(await held(bench, 1), emits=1)
    taken[0].writes = [Write("device", "core-1", b"", b"version1")]

    async with full(bench):
        assert await finish(bench, taken) == set()

    assert await bench.streams.recall("device", {SHARD: ["core-1"]}) == {SHARD: {"core-1": b"version1"}}


async def a_full_redis_lets_work_be_put_off_and_taken_up(bench: Bench) -> None:
    taken = await held(bench, 3)

    async with full(bench):
        assert await bench.streams.retry(POLLING, "a", SHARD, [postponed(taken[0].id, 0)]) == []
        assert await bench.streams.promote(POLLING, [SHARD], 10) == 1
        assert await release(bench, taken[1:2]) == []
        assert len((await sweep_one(bench.streams, POLLING, "b", SHARD, 0, START, 10)).entries) == 2
        assert len(await bench.streams.read(POLLING, [SHARD], "b", 10, 0)) == 1


async def a_full_redis_lets_an_entry_run_in_quarantine(bench: Bench) -> None:
    taken = await held(bench, 1)

    async with full(bench):
        assert await bench.streams.mark(POLLING, "a", SHARD, taken[0].id)


async def a_full_redis_lets_results_be_read_that_nobody_read_before(bench: Bench) -> None:
    await finish(bench, settled(await held(bench, 3), emits=1))

    async with full(bench):
        assert await bench.streams.read(RESULTS, [SHARD], "store", 10, 0) == []
        taken = await bench.streams.read(RESULTS, [SHARD], "store", 10, 0)

    assert [row for one in taken if one.entry for row in rows_of(one.entry)] == [b"%s/0" % body for body in bodies(3)]


async def a_full_redis_still_has_a_leader(bench: Bench) -> None:
    async with full(bench) as redis:
        lease = LeaderLease(Scripts(redis.topology), redis.keys, "one", 6.0, Clock())

        assert await lease.take(bench.streams, [SHARD])
        assert await lease.take(bench.streams, [SHARD])


async def a_full_redis_lets_a_new_leader_begin(bench: Bench) -> None:
    async with full(bench) as redis:
        assert await redis.streams.fence(7, [SHARD])


async def a_full_redis_still_has_homes(bench: Bench) -> None:
    async with full(bench) as redis:
        presence = Presence(redis.topology, redis.keys, Clock())

        assert [worker.id for worker in await presence.beat("w", [RESULTS])] == ["w"]
