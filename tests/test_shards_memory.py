"""What a service's tests can ask of the server in memory: a time of their own, an outage, no memory left."""

import pytest

from streampoll.errors import RedisFull, RedisUnavailable
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_presence import MemoryLease, MemoryPresence
from streampoll.shards.memory_server import MemoryServer
from streampoll.shards.port import Lease, Postponed, Presence
from tests.shards_support import (
    IDLE_MS,
    POLLING,
    SHARD,
    TICK,
    MemoryBench,
    contents,
    dispatch,
    finish,
    held,
    part_of,
    queue_figures,
    read,
    settled,
    swept,
)


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = (TICK + 1_000) * 1_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def bench(hand: Hand) -> MemoryBench:
    bench = MemoryBench()
    bench.server = MemoryServer(hand, monotonic=lambda: hand.ms / 1_000)
    bench.streams = MemoryStreams(bench.server)
    return bench


async def test_leases_run_on_the_given_clock(bench: MemoryBench, hand: Hand) -> None:
    [one] = await held(bench, 1)
    assert one.leased == hand.ms / 1_000

    hand.ms += IDLE_MS - 1
    assert await swept(bench, "b", IDLE_MS) == []
    hand.ms += 1
    assert len(await swept(bench, "b", IDLE_MS)) == 1


async def test_a_retry_is_due_by_the_given_clock(bench: MemoryBench, hand: Hand) -> None:
    [one] = await held(bench, 1)
    assert one.entry
    await bench.streams.retry(POLLING, "a", SHARD, [Postponed(one.id, one.entry, 5_000)])

    hand.ms += 4_999
    assert await bench.streams.promote(POLLING, [SHARD], 10) == 0
    hand.ms += 1
    assert await bench.streams.promote(POLLING, [SHARD], 10) == 1


async def test_a_clock_that_goes_back_makes_no_id_twice(bench: MemoryBench, hand: Hand) -> None:
    first = await held(bench, 2)
    hand.ms -= 100_000

    second = await held(bench, 2)

    assert [one.id for one in second] == [b"%d-%d" % (hand.ms + 100_000, n) for n in (2, 3)]
    assert contents(first) == contents(second)


async def test_consumers_silent_for_a_minute_are_retired(bench: MemoryBench, hand: Hand) -> None:
    await held(bench, 1, "busy")
    for consumer in ("live", "gone"):
        await finish(bench, settled(await held(bench, 1, consumer)), consumer)

    hand.ms += 60_001

    assert await bench.streams.retire(POLLING, SHARD, ["live"]) == 1
    assert (await queue_figures(bench)).pending == 1


async def test_a_lease_ends_by_the_given_clock(bench: MemoryBench, hand: Hand) -> None:
    one: Lease = MemoryLease(bench.server, "one", 6.0)
    two: Lease = MemoryLease(bench.server, "two", 6.0)
    assert await one.take(bench.streams, [SHARD])

    hand.ms += 5_999
    assert (one.held, await two.take(bench.streams, [SHARD])) == (True, False)
    hand.ms += 1
    assert (one.held, await two.take(bench.streams, [SHARD])) == (False, True)
    assert two.epoch == one.epoch + 6_000


async def test_an_outage_is_one_for_everybody(bench: MemoryBench) -> None:
    presence: Presence = MemoryPresence(bench.server)
    bench.server.away = True

    for call in (
        read(bench),
        dispatch(bench, part_of(1)),
        bench.streams.figures([SHARD]),
        bench.streams.fill(),
        presence.workers(),
        presence.leader(),
        MemoryLease(bench.server, "one", 6.0).take(bench.streams, [SHARD]),
    ):
        with pytest.raises(RedisUnavailable):
            await call


async def test_a_full_server_refuses_what_adds_and_nothing_else(bench: MemoryBench) -> None:
    taken = await held(bench, 2)
    bench.server.full = True

    with pytest.raises(RedisFull):
        await dispatch(bench, part_of(1, tick=TICK + 1, previous=(TICK << 16)))

    assert await finish(bench, settled(taken, emits=1)) == set()
    assert await MemoryPresence(bench.server).beat("w", [POLLING]) != []
    assert await MemoryLease(bench.server, "one", 6.0).take(bench.streams, [SHARD])
