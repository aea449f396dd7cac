"""The contract of the lease and of presence: each function is a sentence that every bench must make true."""

from streampoll.shards.clock import Clock
from streampoll.shards.lease import LeaderLease
from streampoll.shards.memory_presence import MemoryLease, MemoryPresence
from streampoll.shards.port import Answer, Dispatched, Lease, Presence, mark_of
from streampoll.shards.presence import Presence as RedisPresence
from streampoll.shards.scripts import Scripts
from tests.shards_support import (
    EPOCH,
    POLLING,
    RESULTS,
    SHARD,
    TICK,
    Bench,
    MemoryBench,
    RedisBench,
    dispatch,
    part_of,
    wall_ms,
)
from tests.waiting import eventually_async

SHARDS = [SHARD, 8]
AHEAD_MS = 1_000_000_000
MINUTE_MS = 60_000


def candidate(bench: Bench, own_id: str, lease_s: float = 30.0) -> Lease:
    """A coordinator that may lead."""
    if isinstance(bench, MemoryBench):
        return MemoryLease(bench.server, own_id, lease_s)
    assert isinstance(bench, RedisBench)
    return LeaderLease(Scripts(bench.topology), bench.keys, own_id, lease_s, Clock())


def presence(bench: Bench) -> Presence:
    """Who is alive."""
    if isinstance(bench, MemoryBench):
        return MemoryPresence(bench.server)
    assert isinstance(bench, RedisBench)
    return RedisPresence(bench.topology, bench.keys, Clock())


async def beat_long_ago(bench: Bench, worker_id: str) -> None:
    """Let a worker's last beat be older than a minute."""
    if isinstance(bench, MemoryBench):
        bench.server.beats[worker_id] = wall_ms() - MINUTE_MS - 1_000, frozenset({"polling"})
    elif isinstance(bench, RedisBench):
        await bench.run("HSET", bench.keys.workers, worker_id, f"{wall_ms() - MINUTE_MS - 1_000} polling")


async def the_first_to_ask_leads_and_the_other_does_not(bench: Bench) -> None:
    one, two = candidate(bench, "one"), candidate(bench, "two")

    assert await one.take(bench.streams, SHARDS)
    assert not await two.take(bench.streams, SHARDS)

    assert (one.held, two.held, two.epoch, two.holder) == (True, False, 0, "one")
    assert await presence(bench).leader() == ("one", one.epoch)


async def a_renewal_keeps_the_epoch(bench: Bench) -> None:
    one = candidate(bench, "one")
    await one.take(bench.streams, SHARDS)
    epoch = one.epoch

    assert await one.take(bench.streams, SHARDS)

    assert one.epoch == epoch


async def nobody_leads_at_first(bench: Bench) -> None:
    one = candidate(bench, "one")

    assert (one.held, one.epoch, one.holder) == (False, 0, "")
    assert await presence(bench).leader() is None


async def the_first_epoch_is_the_time(bench: Bench) -> None:
    one = candidate(bench, "one")
    await one.take(bench.streams, SHARDS)

    assert abs(one.epoch - wall_ms()) < MINUTE_MS


async def an_epoch_is_above_that_of_every_shard(bench: Bench) -> None:
    ahead = wall_ms() + AHEAD_MS
    await dispatch(bench, part_of(1, shard=8), epoch=ahead)
    one = candidate(bench, "one")

    await one.take(bench.streams, SHARDS)

    assert one.epoch == ahead + 1


async def a_dead_leader_is_replaced_after_its_lease(bench: Bench) -> None:
    one, two = candidate(bench, "one", 0.05), candidate(bench, "two")
    await one.take(bench.streams, SHARDS)
    await dispatch(bench, part_of(1), epoch=one.epoch)

    await eventually_async(lambda: two.take(bench.streams, SHARDS))

    assert not one.held
    assert two.epoch > one.epoch
    assert not await one.take(bench.streams, SHARDS)


async def a_leader_that_resigns_is_replaced_at_once(bench: Bench) -> None:
    one, two = candidate(bench, "one"), candidate(bench, "two")
    await one.take(bench.streams, SHARDS)

    await one.resign()
    await one.resign()

    assert not one.held
    assert await two.take(bench.streams, SHARDS)


async def who_does_not_lead_can_resign_nothing(bench: Bench) -> None:
    one, two = candidate(bench, "one"), candidate(bench, "two")
    await one.take(bench.streams, SHARDS)

    await two.resign()

    assert not await two.take(bench.streams, SHARDS)


async def a_fenced_leader_takes_a_newer_epoch_and_goes_on(bench: Bench) -> None:
    one = candidate(bench, "one")
    await one.take(bench.streams, SHARDS)
    ahead = one.epoch + AHEAD_MS
    await dispatch(bench, part_of(1), epoch=ahead)
    on = part_of(1, tick=TICK + 1, previous=mark_of(TICK, 0))
    assert await dispatch(bench, on, epoch=one.epoch) == [Dispatched(Answer.FENCED, ahead)]

    assert await one.take(bench.streams, SHARDS, newer=True)

    assert await dispatch(bench, on, epoch=one.epoch) == [Dispatched(Answer.OK)]


async def a_lease_that_redis_lost_is_taken_again_with_a_newer_epoch(bench: Bench) -> None:
    one = candidate(bench, "one")
    await one.take(bench.streams, SHARDS)
    before = one.epoch
    await dispatch(bench, part_of(1), epoch=before + EPOCH)
    if isinstance(bench, MemoryBench):
        bench.server.leader = None
    elif isinstance(bench, RedisBench):
        await bench.run("DEL", bench.keys.leader)

    assert await one.take(bench.streams, SHARDS, newer=True)

    assert one.epoch > before + EPOCH


async def every_worker_that_beats_is_seen(bench: Bench) -> None:
    people = presence(bench)
    await people.beat("w1", [POLLING, RESULTS])

    seen = {worker.id: worker for worker in await people.beat("w2", [POLLING])}

    assert set(seen) == {"w1", "w2"}
    assert seen["w1"].queues == {"polling", "results"}
    assert abs(seen["w1"].beat * 1000 - wall_ms()) < MINUTE_MS
    assert set(await people.workers()) == set(seen.values())


async def a_worker_that_leaves_is_gone_at_once(bench: Bench) -> None:
    people = presence(bench)
    await people.beat("w1", [POLLING])

    assert await people.beat("w1", []) == []
    assert await people.beat("w1", []) == []


async def who_is_silent_for_a_minute_is_forgotten(bench: Bench) -> None:
    people = presence(bench)
    await people.beat("w1", [POLLING])
    await beat_long_ago(bench, "w2")

    assert [worker.id for worker in await people.workers()] == ["w1"]


async def figures_are_what_was_published_last(bench: Bench) -> None:
    people = presence(bench)
    await people.publish("w1", {"done": 1})
    await people.publish("w1", {"done": 2, "by": {3: [1.5, b"\xff", None]}})

    assert await people.figures(["w1", "w2"]) == [{"done": 2, "by": {3: [1.5, b"\xff", None]}}, None]
    assert await people.figures([]) == []


async def figures_that_are_withdrawn_are_unknown(bench: Bench) -> None:
    people = presence(bench)
    await people.publish("w1", {"done": 1})

    await people.withdraw("w1")

    assert await people.figures(["w1"]) == [None]
