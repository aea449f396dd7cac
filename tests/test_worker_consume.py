"""The consume loop: what becomes of an entry, whatever the handler, the lease and the process do."""

import asyncio
import time
from functools import partial
from types import SimpleNamespace
from typing import ClassVar

import pytest

from streampoll.errors import RedisPartlyUnavailable, RedisUnavailable
from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.port import Released
from streampoll.shards.rows import join
from streampoll.worker.attempt import Counts
from streampoll.worker.port import Release, Retry
from streampoll.worker.quarantine import Solitude
from streampoll.worker.sweep import Sweeper
from tests.shards_support import sweep_one
from tests.waiting import eventually_async
from tests.worker_support import (
    POLLING,
    FakeHandler,
    consuming,
    entry,
    filled,
    finished,
    is_done,
    new_server,
    row,
    rows,
)

RESULTS = QueueClass.RESULTS


async def test_every_entry_is_served_and_leaves_one_row():
    server = await filled(50)
    async with consuming(server, FakeHandler()):
        await eventually_async(lambda: is_done(server))
    assert await rows(server) == [b"ok"] * 50


async def test_what_is_done_a_second_counts_rows():
    """A store that has an entry of many rows did as much as if each had had one."""
    server = new_server()
    await MemoryStreams(server).add(POLLING, 0, [join([row("j", 60, b"\x90")] * 3), entry()])
    async with consuming(server, FakeHandler()) as consumer:
        await eventually_async(lambda: is_done(server))
        await eventually_async(lambda: consumer.counts.done == 2)
        assert consumer.counts.by_shard == {0: 4}


async def test_no_more_is_held_than_slots_and_prefetch_allow():
    release = asyncio.Event()

    async def wait(batch):
        await release.wait()
        return [finished(delivered, b"ok") for delivered in batch]

    server = await filled(50)
    async with consuming(server, FakeHandler(wait)) as consumer:
        await eventually_async(lambda: consumer.in_flight == 4 and consumer.held == 6)
        assert (await MemoryStreams(server).figures([0]))[0].queues[POLLING].pending == 6
        release.set()
        await eventually_async(lambda: is_done(server))


async def test_with_less_room_than_homes_nothing_waits_for_what_comes_for_another():
    """Who waits for one home leaves what is there for the others unread for a second."""
    reads: list[tuple[tuple[int, ...], int]] = []

    class Watched(MemoryStreams):
        async def read(self, queue, shards, consumer, count, block_ms):
            reads.append((tuple(shards), block_ms))
            return await super().read(queue, shards, consumer, count, block_ms)

    server, handler = new_server(), FakeHandler()
    streams = Watched(server)
    async with consuming(server, handler, streams=streams, concurrency=1, prefetch=0) as consumer:
        for number, shard in enumerate((0, 1, 1, 0, 1)):
            await streams.add(POLLING, shard, [entry(slot=60 + number)])
            await eventually_async(lambda served=number + 1: consumer.counts.done == served)
        await streams.add(POLLING, 1, [entry(slot=70 + number) for number in range(20)])
        await eventually_async(lambda: consumer.counts.done == 25)
        await eventually_async(lambda: reads[-1][1] > 0)

    assert [shards for shards, block_ms in reads if block_ms and len(shards) < 2] == []
    assert sum(block_ms == 0 for _, block_ms in reads) < 2 * 25 + 10  # it does not spin


async def test_with_less_room_than_homes_a_read_that_fails_is_followed_by_one_of_all():
    """In a Cluster a node may be away: a read of all homes passes it by, one of its own brings the error alone."""
    reads: list[tuple[int, ...]] = []

    class HalfAway(MemoryStreams):
        async def read(self, queue, shards, consumer, count, block_ms):
            reads.append(tuple(shards))
            if tuple(shards) == (0,):
                raise RedisUnavailable("a node is away")
            return await super().read(queue, [1], consumer, count, block_ms)

    server, handler = new_server(), FakeHandler()
    async with consuming(server, handler, streams=HalfAway(server), concurrency=1, prefetch=0) as consumer:
        await eventually_async(lambda: (0,) in reads)
        await MemoryStreams(server).add(POLLING, 1, [entry()])
        await eventually_async(lambda: consumer.counts.done == 1)
        assert reads[reads.index((0,)) + 1] == (0, 1)


async def test_what_was_found_empty_before_there_was_no_room_may_be_full_by_now():
    """Else one of each home would be held, with a slot for one."""
    release = asyncio.Event()

    async def wait(batch):
        await release.wait()
        return [finished(delivered, b"ok") for delivered in batch]

    server, solitude = new_server(), Solitude()
    streams = MemoryStreams(server)
    async with consuming(
        server, FakeHandler(wait), streams=streams, solitude=solitude, concurrency=1, prefetch=0
    ) as consumer:
        await eventually_async(lambda: consumer._found_empty >= 2)
        async with solitude.alone(0.0):
            await eventually_async(lambda: not consumer._reading)
            for shard in (0, 1):
                await streams.add(POLLING, shard, [entry(slot=61 + number) for number in range(5)])
        await eventually_async(lambda: consumer.in_flight == 1)
        assert consumer.held == 1
        release.set()
        await eventually_async(lambda: consumer.counts.done == 10)


async def test_a_bug_in_the_handler_costs_its_entry_only():
    async def break_on_60(batch):
        if batch[0].entry.slot == 60:
            raise ZeroDivisionError("by design")
        return [finished(delivered, b"ok") for delivered in batch]

    server = await filled(3)
    async with consuming(server, FakeHandler(break_on_60)):
        await eventually_async(lambda: is_done(server))
    assert sorted(await rows(server)) == [b"error: ZeroDivisionError: by design", b"ok", b"ok"]


async def test_a_bug_that_one_entry_meets_costs_the_others_of_its_batch_nothing():
    async def break_on_60(batch):
        if any(delivered.entry.slot == 60 for delivered in batch):
            raise ZeroDivisionError("by design")
        return [finished(delivered, b"ok") for delivered in batch]

    server = await filled(4)
    async with consuming(server, FakeHandler(break_on_60), batch=4) as consumer:
        await eventually_async(lambda: is_done(server))
    assert sorted(await rows(server)) == [b"error: ZeroDivisionError: by design", b"ok", b"ok", b"ok"]
    assert consumer.counts.failed == 1


async def test_a_bug_in_making_what_was_drafted_costs_its_entry_only():
    def make(delivered):
        if delivered.entry.slot == 60:
            raise ZeroDivisionError("by design")
        return finished(delivered, b"ok")

    async def draft(batch):
        return [partial(make, delivered) for delivered in batch]

    server = await filled(3)
    async with consuming(server, FakeHandler(draft)) as consumer:
        await eventually_async(lambda: is_done(server))
    assert sorted(await rows(server)) == [b"error: ZeroDivisionError: by design", b"ok", b"ok"]
    assert consumer.counts.failed == 1


async def test_an_attempt_past_the_soft_limit_is_cancelled_and_recorded():
    async def hang(_):
        await asyncio.Event().wait()

    server = await filled()
    async with consuming(server, FakeHandler(hang), soft_limit_s=0.01) as consumer:
        await eventually_async(lambda: consumer.enforce() or is_done(server))
    assert await rows(server) == [b"error: soft limit of 0.01 s"]


async def test_a_killed_workers_entries_are_done_by_another():
    async def hang(_):
        await asyncio.Event().wait()

    server = await filled(4)
    async with consuming(server, FakeHandler(hang), "dead") as dead:
        await eventually_async(lambda: dead.in_flight == 4)
    async with consuming(server, FakeHandler(), "w2") as heir:
        await eventually_async(lambda: is_done(server))
        assert heir.counts.claimed == 4
    assert await rows(server) == [b"ok"] * 4


async def test_a_lease_is_renewed_for_as_long_as_its_attempt_takes():
    release = asyncio.Event()

    async def wait(batch):
        await release.wait()
        return [finished(delivered, b"ok") for delivered in batch]

    server = await filled()
    renewals = 0

    class Counting(MemoryStreams):
        async def renew(self, *arguments):
            nonlocal renewals
            renewals += 1
            return await super().renew(*arguments)

    async with (
        consuming(server, FakeHandler(wait), streams=Counting(server)),
        consuming(server, FakeHandler(), "w2") as other,
    ):
        await eventually_async(lambda: renewals > 6)
        assert other.counts.claimed == 0
        release.set()
        await eventually_async(lambda: is_done(server))


async def test_a_lost_lease_cancels_the_attempt_and_drops_its_outcome():
    cancelled = asyncio.Event()

    async def wait(_):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    server = await filled()
    async with consuming(server, FakeHandler(wait)) as consumer:
        await eventually_async(lambda: consumer.in_flight == 1)
        await sweep_one(MemoryStreams(server), POLLING, "thief", 0, 0, b"0-0", 10)
        await asyncio.wait_for(cancelled.wait(), 10)
        await eventually_async(lambda: consumer.in_flight == 0)
    assert await rows(server) == []


async def test_what_waited_when_its_lease_was_lost_is_never_served():
    release, served = asyncio.Event(), []

    async def wait(batch):
        await release.wait()
        served.extend(delivered.id for delivered in batch)
        return [finished(delivered, b"ok") for delivered in batch]

    server = await filled(6)
    async with consuming(server, FakeHandler(wait)) as consumer:
        await eventually_async(lambda: consumer.in_flight == 4 and consumer.held == 6)
        await sweep_one(MemoryStreams(server), POLLING, "thief", 0, 0, b"0-0", 10)
        await eventually_async(lambda: consumer.held == 0 and consumer.in_flight == 0)
        release.set()
        await asyncio.sleep(0)
    assert (served, consumer.counts.lost) == ([], 6)


@pytest.mark.parametrize("end", ["lost", "handed back by a drain"])
async def test_a_class_with_nothing_left_to_start_keeps_no_slot_from_others(end):
    release = asyncio.Event()

    async def wait(batch):
        await release.wait()
        return [finished(delivered, b"ok") for delivered in batch]

    server = await filled(6)
    async with consuming(server, FakeHandler(wait), concurrency=0) as consumer:
        await eventually_async(lambda: consumer.in_flight == 4 and consumer.held == 6)
        if end == "lost":
            consumer._leases._give_up([*consumer._waiting])
        else:
            consumer.stop_reading()
        release.set()
        await eventually_async(lambda: not consumer.in_flight and not consumer.held)
        assert consumer._around.slots.free(QueueClass.ANALYSIS) == 4


async def test_without_a_renewal_in_time_a_worker_fences_itself():
    cancelled = asyncio.Event()

    async def wait(_):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    server = await filled()
    async with consuming(server, FakeHandler(wait)) as consumer:
        await eventually_async(lambda: consumer.in_flight == 1)
        server.away = True
        await asyncio.wait_for(cancelled.wait(), 10)
        server.away = False


async def test_what_is_held_of_other_shards_outlasts_one_that_is_away():
    """A node of a Cluster that was away had a worker drop all it held."""

    class Partial(MemoryStreams):
        async def renew(self, queue, consumer, held):
            gone = await super().renew(queue, consumer, {1: held.get(1, ())})
            raise RedisPartlyUnavailable("its node is down", gone, frozenset([0]))

    release = asyncio.Event()

    async def wait(batch):
        await release.wait()
        return [finished(delivered, b"ok") for delivered in batch]

    server = await filled()
    await MemoryStreams(server).add(POLLING, 1, [entry()])
    async with consuming(server, FakeHandler(wait), streams=Partial(server)) as consumer:
        await eventually_async(lambda: consumer.in_flight == 2)
        await eventually_async(lambda: consumer.counts.lost == 1)
        assert next(iter(server.shard(1).streams[POLLING].pending.values())).consumer == "w1"
        release.set()
        await eventually_async(lambda: consumer.counts.by_shard[1] == 1)


async def test_outcomes_are_kept_while_redis_is_away_and_told_when_it_is_back():
    server = await filled()

    async def lose_redis(batch):
        server.away = True
        return [finished(delivered, b"ok") for delivered in batch]

    handler = FakeHandler(lose_redis)
    async with consuming(server, handler, claim_idle_s=60.0):
        await eventually_async(lambda: bool(handler.seen))
        server.away = False
        await eventually_async(lambda: is_done(server))
    assert await rows(server) == [b"ok"]


async def test_a_drain_hands_back_what_has_not_started_without_counting_the_delivery():
    async def hang(_):
        await asyncio.Event().wait()

    server = await filled(6)
    async with consuming(server, FakeHandler(hang)) as consumer:
        await eventually_async(lambda: consumer.held == 6)
        consumer.stop_reading()
        consumer.cut()
        await eventually_async(lambda: consumer.drained)
    swept = await sweep_one(MemoryStreams(server), POLLING, "w2", 0, 2000, b"0-0", 10)
    assert [delivered.delivery for delivered in swept.entries] == [1] * 6


async def test_garbage_is_handed_back_once_and_buried_the_second_time():
    server = new_server()
    server.shard(0).streams[POLLING].add((b"not", b"an entry"))
    async with consuming(server, FakeHandler()):
        await eventually_async(lambda: is_done(server), deadline_s=15)
    [letter] = server.shard(0).dead[POLLING]
    assert (letter.cause, letter.delivery) == ("no worker can read this entry", 2)


async def test_a_retry_comes_back_when_it_is_due():
    async def fail_once(batch):
        [delivered] = batch
        if len(handler.seen) == 1:
            return [Retry(delivered.entry, 0.01)]
        return [finished(delivered, b"ok")]

    server = await filled()
    handler = FakeHandler(fail_once)
    async with consuming(server, handler):
        await eventually_async(lambda: is_done(server))
    assert len(handler.seen) == 2
    assert await rows(server) == [b"ok"]


async def test_nothing_is_read_while_the_handler_is_not_ready():
    server = await filled()
    handler = FakeHandler()
    handler.available.clear()
    async with consuming(server, handler) as consumer:
        await asyncio.sleep(0)
        assert consumer.held == 0
        handler.available.set()
        await eventually_async(lambda: is_done(server))


async def test_a_released_entry_is_served_again():
    async def hand_back_once(batch):
        return [Release("not now")] if len(handler.seen) == 1 else [finished(batch[0], b"ok")]

    server = await filled()
    handler = FakeHandler(hand_back_once)
    async with consuming(server, handler):
        await eventually_async(lambda: is_done(server))
    assert [delivered.delivery for delivered in handler.seen] == [1, 1]


async def test_an_entry_that_is_lost_and_comes_back_while_its_batch_is_served_is_settled_by_the_later_attempt():
    gates = [asyncio.Event(), asyncio.Event()]
    served: list[int] = []

    async def wait(batch):
        served.append(len(batch))
        attempt = len(served)
        await gates[attempt - 1].wait()
        return [finished(delivered, b"attempt %d" % attempt) for delivered in batch]

    server = await filled(2)
    async with consuming(server, FakeHandler(wait), batch=2) as consumer:
        await eventually_async(lambda: consumer.in_flight == 2)
        server.away = True
        await eventually_async(lambda: consumer.held == 0)  # fenced; a batch is not cut short for its parts
        server.away = False
        await eventually_async(lambda: consumer.in_flight == 4)
        gates[0].set()
        await eventually_async(lambda: consumer.in_flight == 2)
        gates[1].set()
        await eventually_async(lambda: is_done(server))
        await eventually_async(lambda: consumer.in_flight == consumer.held == 0)
    assert await rows(server) == [b"attempt 2"] * 2


async def test_of_two_attempts_at_an_entry_the_loss_of_the_later_lease_cancels_the_later():
    cancelled: list[int] = []
    served: list[int] = []
    first_may_end = asyncio.Event()

    async def wait(batch):
        served.append(batch[0].delivery)
        attempt = len(served)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(attempt)
            if attempt == 1:
                await first_may_end.wait()  # it does not heed its cancellation, for a while
            raise

    server = await filled()
    async with consuming(server, FakeHandler(wait), concurrency=4) as consumer:
        await eventually_async(lambda: len(served) == 1)
        for attempt in (1, 2):
            server.away = True
            await eventually_async(lambda attempt=attempt: cancelled == list(range(1, attempt + 1)))
            server.away = False
            await eventually_async(lambda attempt=attempt: len(served) == attempt + 1)
        first_may_end.set()
        await eventually_async(lambda: consumer.in_flight == len(consumer.attempts) == 1)


async def test_an_attempt_that_is_lost_before_its_first_step_gives_its_slot_back():
    """As when the loop stood still: a slot is free, the next attempt starts, and then the loss of its lease is told."""
    server, handler = await filled(), FakeHandler()
    async with consuming(server, handler, concurrency=0) as consumer:
        await eventually_async(lambda: is_done(server))
        handler.seen.clear()
        lost = Delivered(POLLING, 0, b"1-1", entry(), 1, time.monotonic())
        consumer._admit([lost])
        assert consumer.in_flight == 1
        consumer._leases._give_up([lost])
        await eventually_async(lambda: not consumer.in_flight and not consumer.attempts)
        consumer.stop_reading()
        await eventually_async(lambda: consumer.drained)
        assert consumer._around.slots.free(POLLING) == 4
        assert not handler.seen, "it was served without a lease"


@pytest.mark.parametrize("end", ["well", "with a bug", "by the soft limit"])
async def test_of_attempts_that_are_over_nothing_is_left(end):
    async def serve(batch):
        if end == "with a bug":
            raise RuntimeError("planted")
        if end == "by the soft limit":
            await asyncio.Event().wait()
        return [finished(delivered, b"ok") for delivered in batch]

    server, solitude = await filled(6), Solitude()
    soft_limit_s = 0.1 if end == "by the soft limit" else 0.0
    async with consuming(server, FakeHandler(serve), solitude=solitude, soft_limit_s=soft_limit_s) as consumer:

        async def all_done() -> bool:
            consumer.enforce()
            return await is_done(server)

        await eventually_async(all_done)
        await eventually_async(lambda: not consumer.in_flight)
        assert not consumer.attempts


async def test_a_drain_waits_for_the_read_under_way_and_hands_back_what_it_brings():
    reading, answer = asyncio.Event(), asyncio.Event()

    class Slow(MemoryStreams):
        async def read(self, *arguments):
            reading.set()
            await answer.wait()
            return await super().read(*arguments)

    server = await filled(3)
    await MemoryStreams(server).make_groups(POLLING, [0, 1])
    async with consuming(server, FakeHandler(), streams=Slow(server)) as consumer:
        await asyncio.wait_for(reading.wait(), 10)
        consumer.stop_reading()
        assert not consumer.drained
        answer.set()
        await eventually_async(lambda: consumer.drained)
    swept = await sweep_one(MemoryStreams(server), POLLING, "w2", 0, 2000, b"0-0", 10)
    assert [delivered.delivery for delivered in swept.entries] == [1] * 3


async def test_a_shard_that_is_away_alone_does_not_keep_the_others_from_being_swept():
    class Partial(MemoryStreams):
        async def sweep(self, queue, consumer, idle_ms, portions):
            return await super().sweep(queue, consumer, idle_ms, [each for each in portions if each.shard != 0])

    server = new_server()
    streams = MemoryStreams(server)
    await streams.add(POLLING, 1, [entry()])
    await streams.make_groups(POLLING, [1])
    await streams.read(POLLING, [1], "dead", 1, 0)
    async with consuming(server, FakeHandler(), streams=Partial(server)) as consumer:
        await eventually_async(lambda: consumer.counts.claimed == 1)


async def test_what_an_outage_left_behind_is_taken_over_in_one_sweep_as_far_as_there_is_room():
    """A hundred entries a shard and second made the backlog of ten seconds take as long again."""

    class Counting(MemoryStreams):
        sweeps = 0

        async def promote(self, *more):
            self.sweeps += 1
            return await super().promote(*more)

    server = await filled(450)
    streams = Counting(server)
    await streams.make_groups(POLLING, [0])
    taken = await streams.read(POLLING, [0], "dead", 450, 0)
    await streams.release(POLLING, "dead", Released(0, [each.id for each in taken]), 2000)
    async with consuming(server, FakeHandler(), streams=streams, concurrency=1000, claim_idle_s=2.0):
        await eventually_async(lambda: is_done(server))

    assert streams.sweeps == 1


async def test_a_sweep_claims_no_more_than_there_is_room_for_and_asks_every_shard():
    """Whoever is first in line must not be the only one that is ever claimed of."""

    class Asked(MemoryStreams):
        portions: ClassVar[list[list[tuple[int, int]]]] = []

        async def sweep(self, queue, consumer, idle_ms, portions):
            self.portions.append([(portion.shard, portion.count) for portion in portions])
            return await super().sweep(queue, consumer, idle_ms, portions)

    server = new_server()
    await left_by_the_dead(server, {0: 1, 1: 1, 2: 1, 3: 9})
    claimed: list[int] = []
    room = 3
    around = SimpleNamespace(
        homes=lambda _: range(5), monotonic=server.monotonic, streams=Asked(server), consumer="w1"
    )  # fmt: skip
    sweeper = Sweeper(
        POLLING, 2.0, around, lambda: room - len(claimed), lambda swept: claimed.extend(e.shard for e in swept.entries)
    )
    await sweeper._sweep(Counts())
    assert claimed == [0, 1, 2]
    assert Asked.portions == [[(0, 1), (1, 1), (2, 1)]]
    room += 3
    await sweeper._sweep(Counts())
    assert claimed == [0, 1, 2, 3, 3, 3]
    assert Asked.portions[1:] == [[(3, 1), (4, 1), (0, 1)], [(1, 1), (2, 1)], [(3, 2)]]


async def left_by_the_dead(server, counts):
    """Have entries of each shard held by a consumer that is gone, long enough to be claimed."""
    streams = MemoryStreams(server)
    for shard, count in counts.items():
        await streams.add(POLLING, shard, [entry() for _ in range(count)])
        await streams.make_groups(POLLING, [shard])
        taken = await streams.read(POLLING, [shard], "dead", count, 0)
        await streams.release(POLLING, "dead", Released(shard, [each.id for each in taken]), 2000)


async def test_a_busy_stream_is_not_waited_for_while_there_is_more_of_it():
    """A read that brings as many as it may is not all there was, however few: a linger would be a limit of its own."""
    server = new_server()
    streams = MemoryStreams(server)
    await streams.add(POLLING, 0, [entry() for _ in range(100)])
    async with consuming(server, FakeHandler(), concurrency=10, prefetch=0, batch=8, gather_s=3600.0) as consumer:
        await eventually_async(lambda: consumer.counts.read >= 100)


async def test_a_shard_that_was_away_waits_for_its_owners_to_renew_what_they_hold():
    class Partial(MemoryStreams):
        asked: ClassVar[list[list[int]]] = []

        async def sweep(self, queue, consumer, idle_ms, portions):
            self.asked.append([portion.shard for portion in portions])
            return await super().sweep(queue, consumer, idle_ms, [each for each in portions if each.shard != 0])

    now = 100.0
    around = SimpleNamespace(
        homes=lambda _: range(2), monotonic=lambda: now, streams=Partial(new_server()), consumer="w1"
    )
    sweeper = Sweeper(POLLING, 30.0, around, lambda: 10, lambda _: None)
    for now in (100.0, 101.0, 109.9, 110.0):  # noqa: B007 - `around` reads it
        await sweeper._sweep(Counts())
    assert Partial.asked == [[0, 1], [1], [1], [0, 1]]
