"""The contract of sweep, mark and delivery counts: each function is a sentence that every bench must make true."""

from streampoll.shards.entries import Entry, Kind
from streampoll.shards.port import Ghost, Portion, Postponed
from tests.shards_support import (
    IDLE_MS,
    JOB,
    POLLING,
    SHARD,
    START,
    TICK,
    Bench,
    bodies,
    contents,
    dispatch,
    finish,
    held,
    ids,
    next_tick,
    part_of,
    previous_mark,
    queue_figures,
    release,
    settled,
    sweep_one,
    swept,
)


async def a_sweep_claims_what_is_idle(bench: Bench) -> None:
    taken = await held(bench, 3)
    await bench.make_idle(POLLING, SHARD, "a", taken[1].id)

    claimed = await swept(bench, "b", IDLE_MS)

    assert [(one.id, one.entry, one.delivery) for one in claimed] == [(taken[1].id, taken[1].entry, 2)]
    assert await swept(bench, "c", IDLE_MS) == []


async def what_a_deleted_consumer_held_is_found_and_claimed(bench: Bench) -> None:
    taken = await held(bench, 3)
    await held(bench, 1, "other")
    await dispatch(bench, part_of(2, previous=await previous_mark(bench), tick=await next_tick(bench)))
    await bench.delete_consumer(POLLING, SHARD, "a")

    first = await sweep_one(bench.streams, POLLING, "b", SHARD, 0, START, 1_000)
    claimed = await swept(bench, "b")

    assert (len(first.entries), first.adopted) == (1, 3)
    assert [(one.id, one.delivery) for one in claimed[:3]] == [(one.id, 2) for one in taken]


async def every_claim_counts_as_a_delivery(bench: Bench) -> None:
    await held(bench, 1)

    deliveries = [(await swept(bench, consumer))[0].delivery for consumer in "bcb"]

    assert deliveries == [2, 3, 4]


async def a_sweep_goes_on_at_its_cursor(bench: Bench) -> None:
    await held(bench, 5)
    found, cursor, calls = [], START, 0
    while calls == 0 or cursor != START:
        one = await sweep_one(bench.streams, POLLING, "b", SHARD, 0, cursor, 2)
        found += contents(one.entries)
        cursor, calls = one.cursor, calls + 1

    assert (found, calls) == (bodies(5), 3)


async def a_sweep_claims_a_portion_of_each_shard(bench: Bench) -> None:
    other, without_group = 8, 9
    await held(bench, 3)
    await bench.streams.make_groups(POLLING, [other])
    await bench.streams.add(POLLING, other, [Entry(Kind.POLL, JOB, 0, 0, body) for body in bodies(2)])
    await bench.streams.read(POLLING, [other], "a", 2, 0)
    portions = [Portion(SHARD, 2), Portion(other, 5), Portion(without_group, 5)]

    swept = await bench.streams.sweep(POLLING, "b", 0, portions)

    assert {shard: contents(one.entries) for shard, one in swept.items()} == {
        SHARD: bodies(3)[:2], other: bodies(2), without_group: []
    }  # fmt: skip
    assert {each.shard for each in swept[other].entries} == {other}
    assert swept[SHARD].cursor != START
    assert swept[other].cursor == START


async def a_sweep_that_may_claim_one_looks_at_many(bench: Bench) -> None:
    taken = await held(bench, 300)
    await bench.make_idle(POLLING, SHARD, "a", taken[-1].id)

    one = await sweep_one(bench.streams, POLLING, "b", SHARD, IDLE_MS, START, 1)

    assert [each.id for each in one.entries] == [taken[-1].id]
    assert one.cursor == START


async def an_idle_entry_behind_many_fresh_ones_is_reached(bench: Bench) -> None:
    taken = await held(bench, 300)
    await bench.make_idle(POLLING, SHARD, "a", taken[-1].id)
    found, cursor, calls = [], START, 0
    while calls == 0 or cursor != START:
        one = await sweep_one(bench.streams, POLLING, "b", SHARD, IDLE_MS, cursor, 10)
        found += ids(one.entries)
        cursor, calls = one.cursor, calls + 1

    assert found == [taken[-1].id]


async def what_is_left_open_of_a_lost_payload_is_found_and_forgotten(bench: Bench) -> None:
    [taken] = await held(bench, 1)
    await bench.delete_payload(POLLING, SHARD, taken.id)

    ghosts = await bench.streams.reconcile([SHARD, SHARD + 1])

    assert [ghost for ghost in ghosts if ghost.queue is POLLING] == [Ghost(SHARD, POLLING, JOB, TICK, 1)]
    assert [field for field in (await bench.streams.figures([SHARD]))[0].open if field[0] is POLLING] == []
    assert not (await bench.streams.figures([SHARD]))[0].backlog.get((POLLING, JOB))
    assert await bench.streams.reconcile([SHARD]) == []


async def what_is_in_flight_or_delayed_is_no_ghost(bench: Bench) -> None:
    taken = await held(bench, 2)
    await bench.streams.retry(POLLING, "a", SHARD, [Postponed(one.id, one.entry, 60_000) for one in taken[:1]])
    assert await bench.streams.reconcile([SHARD]) == []

    await finish(bench, settled(taken[1:]))
    assert await bench.streams.reconcile([SHARD]) == []


async def a_lost_payload_is_counted_and_forgotten(bench: Bench) -> None:
    taken = await held(bench, 3)
    await bench.delete_payload(POLLING, SHARD, taken[1].id)

    first = await sweep_one(bench.streams, POLLING, "b", SHARD, 0, START, 10)
    second = await sweep_one(bench.streams, POLLING, "b", SHARD, 0, START, 10)

    assert (ids(first.entries), first.payloads_lost) == ([taken[0].id, taken[2].id], 1)
    assert (ids(second.entries), second.payloads_lost) == ([taken[0].id, taken[2].id], 0)
    assert (await queue_figures(bench)).pending == 2


async def a_sweep_clears_no_work_of_its_own_consumer(bench: Bench) -> None:
    mine = await held(bench, 2, "b")
    theirs = await held(bench, 1, "a")
    await bench.make_idle(POLLING, SHARD, "a", theirs[0].id)
    await bench.delete_payload(POLLING, SHARD, theirs[0].id)

    assert (await sweep_one(bench.streams, POLLING, "b", SHARD, IDLE_MS, START, 10)).payloads_lost == 1

    assert await bench.streams.renew(POLLING, "b", {SHARD: ids(mine)}) == frozenset()


async def who_died_in_quarantine_is_known(bench: Bench) -> None:
    taken = await held(bench, 2)

    assert await bench.streams.mark(POLLING, "a", SHARD, taken[0].id)
    assert await bench.streams.mark(POLLING, "a", SHARD, taken[0].id)

    for consumer in ("b", "c"):
        claimed = await sweep_one(bench.streams, POLLING, consumer, SHARD, 0, START, 10)
        assert (claimed.suspected, claimed.crashed) == ({taken[0].id}, frozenset())


async def who_died_alone_is_known(bench: Bench) -> None:
    taken = await held(bench, 2)
    await bench.streams.mark(POLLING, "a", SHARD, taken[0].id)

    assert await bench.streams.mark(POLLING, "a", SHARD, taken[0].id, alone=True)

    for consumer in ("b", "c"):
        claimed = await sweep_one(bench.streams, POLLING, consumer, SHARD, 0, START, 10)
        assert (claimed.suspected, claimed.crashed) == (frozenset(), {taken[0].id})


async def a_stale_worker_starts_nothing_in_quarantine(bench: Bench) -> None:
    taken = await held(bench, 1)
    await swept(bench, "b")

    assert not await bench.streams.mark(POLLING, "a", SHARD, taken[0].id)
    assert not await bench.streams.mark(POLLING, "a", 8, taken[0].id)

    assert (await sweep_one(bench.streams, POLLING, "c", SHARD, 0, START, 10)).suspected == frozenset()


async def who_survives_quarantine_is_not_remembered(bench: Bench) -> None:
    taken = await held(bench, 3)
    for one in taken:
        await bench.streams.mark(POLLING, "a", SHARD, one.id)
    await finish(bench, settled(taken[:1]))
    await release(bench, taken[1:2])
    await bench.streams.retry(
        POLLING, "a", SHARD, [Postponed(taken[2].id, Entry(Kind.POLL, JOB, TICK, 0, b"again"), 0)]
    )

    claimed = await sweep_one(bench.streams, POLLING, "b", SHARD, 0, START, 10)

    assert (ids(claimed.entries), claimed.suspected) == ([taken[1].id], frozenset())
    assert await bench.in_quarantine(POLLING, SHARD) == set()


async def a_consumer_that_left_is_retired_but_never_with_work(bench: Bench) -> None:
    """On Redis its idle time is real; the script under test says how long that must be."""
    await held(bench, 1, "busy")
    for consumer in ("live", "gone", "gone-too"):
        await finish(bench, settled(await held(bench, 1, consumer)), consumer)

    assert await bench.streams.retire(POLLING, SHARD, ["live"]) in (0, 2)
    assert await bench.streams.retire(POLLING, SHARD, ["live"]) == 0
    assert await bench.streams.retire(POLLING, 8, []) == 0

    assert (await queue_figures(bench)).pending == 1
