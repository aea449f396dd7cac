"""The streams of outputs: each output gets everything once in order, at its own pace; what is missed is counted."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import redis

from streampoll.shards.entries import Entry, Kind, Log
from streampoll.shards.memory_outputs import MemoryOutputStreams
from streampoll.shards.outputs import Followed, OutputStreams, Reader, RedisOutputStreams
from streampoll.shards.port import Settled
from tests.servers_support import REDIS_NAMES
from tests.shards_support import POLLING, SHARD, Bench, MemoryBench, RedisBench, read

BOTH = ["a", "b"]


@dataclass(slots=True)
class World:
    """A bench, and the outputs' streams on it."""

    bench: Bench
    outputs: OutputStreams

    async def finish(self, *bodies: bytes, kept: int = 1000) -> None:
        """Finish polls that leave these results for outputs."""
        await self.bench.streams.add(POLLING, SHARD, [Entry(Kind.POLL, "j", 7, 0, body) for body in bodies])
        await self.bench.streams.make_groups(POLLING, [SHARD])
        settled = [
            Settled(each.id, "j", 7, [(Log.OUTPUTS, Entry(Kind.RESULT, "j", 7, kept, each.entry.body))])
            for each in await read(self.bench, count=len(bodies))
        ]
        assert not await self.bench.streams.finish(POLLING, "a", {SHARD: settled})

    async def take(self, output: str, count: int = 1000, all_outputs: Sequence[str] = BOTH) -> list[bytes]:
        """Deliver what an output has not had."""
        followed = await self.outputs.follow(output, [SHARD], count)
        await self.outputs.deliver(output, followed, all_outputs)
        return [kept.entry.body for each in followed for kept in each.kept]

    async def length(self) -> int:
        """Return how many results are kept."""
        [everything] = await self.outputs.follow("nobody", [SHARD], 10_000)
        return len(everything.kept)


Check = Callable[[World], Awaitable[None]]


async def every_output_gets_everything_in_order_at_its_own_pace(world: World) -> None:
    await world.finish(b"1", b"2", b"3")
    assert await world.take("a", 2) == [b"1", b"2"]
    assert await world.take("b") == [b"1", b"2", b"3"]
    await world.finish(b"4")
    assert await world.take("a") == [b"3", b"4"]
    assert await world.take("a") == []


async def what_all_outputs_have_is_deleted_and_no_more(world: World) -> None:
    await world.finish(b"1", b"2", b"3")
    await world.take("a")
    assert await world.length() == 3  # b may still come
    await world.take("b", 2)
    assert await world.length() == 1
    await world.take("b")
    assert await world.length() == 0


async def it_is_not_counted_as_open(world: World) -> None:
    await world.finish(b"1")
    [figures] = await world.bench.streams.figures([SHARD])
    assert (figures.open, figures.backlog) == ({}, {})


async def where_more_is_kept_than_may_be_the_oldest_go_and_are_counted(world: World) -> None:
    await world.finish(b"0")
    await world.take("a")
    bodies = [b"%d" % number for number in range(1, 501)]
    await world.finish(*bodies, kept=100)
    [followed] = await world.outputs.follow("a", [SHARD], 1000)
    got = [kept.entry.body for kept in followed.kept]
    assert 100 <= len(got) <= 300  # Redis trims whole nodes of its stream
    assert got == bodies[-len(got) :]
    assert followed.missed == 500 - len(got)
    assert followed.waiting == len(got)


async def a_delivery_that_somebody_else_has_overtaken_changes_nothing(world: World) -> None:
    await world.finish(b"1", b"2")
    late = await world.outputs.follow("a", [SHARD], 1)
    await world.take("a", 2)
    await world.outputs.deliver("a", late, BOTH)
    assert await world.take("a") == []


async def nothing_is_emitted_for_a_poll_that_is_not_ours_any_more(world: World) -> None:
    emits = [(Log.OUTPUTS, Entry(Kind.RESULT, "j", 7, 1000, b"x"))]
    assert await world.bench.streams.finish(POLLING, "a", {SHARD: [Settled(b"5-5", "j", 7, emits)]})
    assert await world.length() == 0


async def after_a_loss_of_redis_data_outputs_go_on(world: World) -> None:
    await world.finish(b"1")
    await world.take("a")
    await world.bench.flush()
    await world.finish(b"2")
    assert await world.take("a") == [b"2"]


async def what_one_reader_is_at_no_other_gets_until_its_time_is_over(world: World) -> None:
    """Two homes for a moment: Prometheus would refuse the second's samples as out of order, a file have them twice."""
    await world.finish(b"1")
    first, second = Reader("first", 60.0), Reader("second", 60.0)
    [followed] = await world.outputs.follow("a", [SHARD], 10, first)
    assert kept_by(await world.outputs.follow("a", [SHARD], 10, second)) == []
    assert kept_by(await world.outputs.follow("b", [SHARD], 10, second)) == [b"1"]  # another output
    assert kept_by(await world.outputs.follow("a", [SHARD], 10, first)) == [b"1"]  # sent again
    await world.outputs.deliver("a", [followed], BOTH)
    await world.finish(b"2")
    assert kept_by(await world.outputs.follow("a", [SHARD], 10, Reader("second", -1.0))) == [b"2"]
    assert kept_by(await world.outputs.follow("a", [SHARD], 10, first)) == [b"2"]  # the second died with it


def kept_by(followed: Sequence[Followed]) -> list[bytes]:
    return [kept.entry.body for each in followed for kept in each.kept if kept.entry]


CHECKS = [
    what_one_reader_is_at_no_other_gets_until_its_time_is_over,
    every_output_gets_everything_in_order_at_its_own_pace,
    what_all_outputs_have_is_deleted_and_no_more,
    it_is_not_counted_as_open,
    where_more_is_kept_than_may_be_the_oldest_go_and_are_counted,
    a_delivery_that_somebody_else_has_overtaken_changes_nothing,
    nothing_is_emitted_for_a_poll_that_is_not_ours_any_more,
    after_a_loss_of_redis_data_outputs_go_on,
]
on_each = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@on_each
async def test_in_memory(check: Check) -> None:
    bench = MemoryBench()
    await check(World(bench, MemoryOutputStreams(bench.server)))


@asynccontextmanager
async def on_redis(url: str) -> AsyncIterator[World]:
    async with RedisBench(url) as bench:
        yield World(bench, RedisOutputStreams(bench.topology, bench.keys))


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
@on_each
async def test_on_redis(check: Check, fresh_redis: str) -> None:
    async with on_redis(fresh_redis) as world:
        await check(world)


async def test_a_position_ahead_of_the_stream_is_given_up(fresh_redis: str) -> None:
    """Its results were lost, and Redis' clock went back: it must not wait for ever for an id that was."""
    async with on_redis(fresh_redis) as world:
        await world.finish(b"1")
        bench = world.bench
        assert isinstance(bench, RedisBench)
        with redis.Redis.from_url(fresh_redis) as client:
            client.hset(bench.keys.shard(SHARD).positions, "a", "99999999999999-0 5")
        assert await world.take("a") == [b"1"]
        assert await world.take("a") == []
