"""The contract of dispatch, add, read and figures: each function is a sentence that every bench must make true."""

import asyncio

from streampoll.model import LedgerEntry, QueueClass
from streampoll.shards.entries import Entry, Kind, decode_ledger
from streampoll.shards.port import Answer, Dispatched, Progress, ShardFigures, mark_of
from tests.shards_support import (
    EPOCH,
    JOB,
    POLLING,
    RESULTS,
    SHARD,
    START,
    TICK,
    WORKFLOWS,
    Bench,
    bodies,
    contents,
    dispatch,
    finish,
    held,
    ids,
    part_of,
    queue_figures,
    read,
    settled,
    sweep_one,
    wall_ms,
)

SKIP = Answer.SKIPPED


async def ledger_of(bench: Bench) -> list[LedgerEntry]:
    """The ledger entries that wait in the results stream."""
    return [decode_ledger(one.entry) for one in await read(bench, RESULTS) if one.entry and one.entry.kind == "ledger"]


async def a_dispatch_adds_its_polls_in_order(bench: Bench) -> None:
    assert await dispatch(bench, part_of(3)) == [Dispatched(Answer.OK)]

    taken = await read(bench)

    expected = [Entry(Kind.POLL, JOB, TICK, TICK + 60, body) for body in bodies(3)]
    assert [(one.entry, one.delivery, one.shard, one.queue) for one in taken] == [
        (entry, 1, SHARD, POLLING) for entry in expected
    ]
    assert abs(taken[0].dispatched * 1000 - wall_ms()) < 60_000


async def a_dispatch_adds_one_ledger_entry(bench: Bench) -> None:
    await dispatch(bench, part_of(3, part=2))

    expected = LedgerEntry(JOB, SHARD, TICK, TICK, 2, 2**64 - 1, 3, 2**63)
    assert await ledger_of(bench) == [expected]


async def a_dispatch_is_counted_as_open_and_as_progress(bench: Bench) -> None:
    await dispatch(bench, part_of(3))

    [figures] = await bench.streams.figures([SHARD])
    assert figures.open == {(POLLING, JOB, TICK): 3, (RESULTS, JOB, TICK): 1}
    assert figures.backlog == {(POLLING, JOB): 3, (RESULTS, JOB): 1}
    assert figures.dispatched == {JOB: mark_of(TICK, 0)}
    assert await bench.streams.progress([SHARD, 8]) == [{JOB: Progress(mark_of(TICK, 0), 2**64 - 1)}, {}]
    assert await bench.streams.epochs([SHARD, 8]) == [EPOCH, 0]


async def a_dispatch_sent_again_is_done_already(bench: Bench) -> None:
    await dispatch(bench, part_of(3))

    assert await dispatch(bench, part_of(3)) == [Dispatched(Answer.DONE, mark_of(TICK, 0))]

    assert (await queue_figures(bench)).length == 3
    assert (await queue_figures(bench, RESULTS)).length == 1


async def parts_sent_again_together_are_all_done_already(bench: Bench) -> None:
    parts = [part_of(2), part_of(2, part=1, previous=mark_of(TICK, 0))]
    assert await dispatch(bench, *parts) == [Dispatched(Answer.OK)] * 2

    assert await dispatch(bench, *parts) == [Dispatched(Answer.DONE, mark_of(TICK, 1))] * 2

    assert (await queue_figures(bench)).length == 4


async def an_older_leader_is_fenced(bench: Bench) -> None:
    await dispatch(bench, part_of(1))

    late = part_of(1, tick=TICK + 1, previous=mark_of(TICK, 0))
    assert await dispatch(bench, late, epoch=EPOCH - 1) == [Dispatched(Answer.FENCED, EPOCH)]

    assert (await queue_figures(bench)).length == 1
    assert await bench.streams.epochs([SHARD]) == [EPOCH]


async def a_leader_that_dispatched_nothing_yet_fences_the_older_ones(bench: Bench) -> None:
    await dispatch(bench, part_of(1))
    assert await bench.streams.fence(EPOCH + 1, [SHARD, 8])

    late = part_of(1, tick=TICK + 1, previous=mark_of(TICK, 0))
    assert await dispatch(bench, late) == [Dispatched(Answer.FENCED, EPOCH + 1)]
    assert await bench.streams.epochs([SHARD, 8]) == [EPOCH + 1, EPOCH + 1]


async def an_older_leader_fences_nobody(bench: Bench) -> None:
    assert await bench.streams.fence(EPOCH, [SHARD])

    assert not await bench.streams.fence(EPOCH - 1, [8, SHARD])

    assert await bench.streams.epochs([SHARD]) == [EPOCH]


async def a_newer_leader_goes_on(bench: Bench) -> None:
    await dispatch(bench, part_of(1))

    next_part = part_of(1, tick=TICK + 1, previous=mark_of(TICK, 0))
    assert await dispatch(bench, next_part, epoch=EPOCH + 1) == [Dispatched(Answer.OK)]
    assert await bench.streams.epochs([SHARD]) == [EPOCH + 1]


async def a_mark_that_is_not_the_expected_one_is_a_gap(bench: Bench) -> None:
    first = part_of(1, previous=mark_of(TICK - 1, 0))
    assert await dispatch(bench, first) == [Dispatched(Answer.GAP, 0)]
    await dispatch(bench, part_of(1))

    wide = part_of(1, tick=TICK + 9, previous=mark_of(TICK + 8, 0))
    assert await dispatch(bench, wide) == [Dispatched(Answer.GAP, mark_of(TICK, 0))]
    assert (await queue_figures(bench)).length == 1


async def a_tick_ahead_of_redis_is_early(bench: Bench) -> None:
    assert await dispatch(bench, part_of(1, tick=wall_ms() // 1000 + 60)) == [Dispatched(Answer.EARLY, 0)]
    assert (await queue_figures(bench)).length == 0
    assert await bench.streams.epochs([SHARD]) == [0]


async def a_mark_that_lies_ahead_is_set_back_by_naming_it(bench: Bench) -> None:
    ahead = mark_of(TICK + 100_000, 0)
    await dispatch(bench, part_of(0, tick_to=TICK + 100_000, skipped=1, cause="late"))

    assert await dispatch(bench, part_of(1, previous=ahead)) == [Dispatched(Answer.OK)]
    assert await dispatch(bench, part_of(1, previous=ahead)) == [Dispatched(Answer.DONE, mark_of(TICK, 0))]


async def a_job_a_round_behind_is_skipped(bench: Bench) -> None:
    await dispatch(bench, part_of(3, devices=2))

    behind = part_of(2, tick=TICK + 1, previous=mark_of(TICK, 0), devices=2)
    assert await dispatch(bench, behind) == [Dispatched(SKIP, cause="backlog")]

    assert (await queue_figures(bench)).length == 3
    assert (await ledger_of(bench))[-1] == LedgerEntry(
        JOB, SHARD, TICK + 1, TICK + 1, 0, 2**64 - 1, 0, 0, skipped=2, cause="backlog"
    )


async def results_over_their_high_water_skip_polls(bench: Bench) -> None:
    await dispatch(bench, part_of(1))

    behind = part_of(2, tick=TICK + 1, previous=mark_of(TICK, 0))
    assert await dispatch(bench, behind, high_water=0) == [Dispatched(SKIP, cause="results")]
    assert await dispatch(bench, behind, high_water=0) == [Dispatched(Answer.DONE, mark_of(TICK + 1, 0))]
    assert (await ledger_of(bench))[-1].cause == "results"


async def a_range_of_ticks_is_skipped_at_once(bench: Bench) -> None:
    late = part_of(0, tick_to=TICK + 30, skipped=90, cause="late")
    assert await dispatch(bench, late) == [Dispatched(SKIP, cause="late")]

    assert await ledger_of(bench) == [
        LedgerEntry(JOB, SHARD, TICK, TICK + 30, 0, 2**64 - 1, 0, 0, skipped=90, cause="late")
    ]
    assert (await bench.streams.progress([SHARD]))[0][JOB].mark == mark_of(TICK + 30, 0)


async def a_part_that_is_skipped_counts_its_polls(bench: Bench) -> None:
    await dispatch(bench, part_of(4, cause="memory"))

    [entry] = await ledger_of(bench)
    assert (entry.count, entry.skipped, entry.hash_sum, entry.cause) == (0, 4, 0, "memory")
    assert (await queue_figures(bench)).length == 0


async def a_part_that_is_to_be_polled_counts_only_its_polls(bench: Bench) -> None:
    assert await dispatch(bench, part_of(2, skipped=9)) == [Dispatched(Answer.OK)]

    [entry] = await ledger_of(bench)
    assert (entry.count, entry.skipped) == (2, 0)


async def each_job_and_shard_goes_on_by_itself(bench: Bench) -> None:
    parts = [part_of(1), part_of(2, job="b"), part_of(3, shard=8)]
    assert await dispatch(bench, *parts) == [Dispatched(Answer.OK)] * 3

    here, there = await bench.streams.figures([SHARD, 8])
    assert (here.open[POLLING, JOB, TICK], here.open[POLLING, "b", TICK], there.open[POLLING, JOB, TICK]) == (1, 2, 3)


async def no_parts_are_no_answers(bench: Bench) -> None:
    assert await dispatch(bench) == []
    assert await bench.streams.figures([]) == []


async def what_is_added_is_open_until_it_is_finished(bench: Bench) -> None:
    entry = Entry(Kind.TASK, "nightly", TICK, 0, b"\x00\xff")
    [entry_id, _] = await bench.streams.add(WORKFLOWS, SHARD, [entry, entry])
    [figures] = await bench.streams.figures([SHARD])
    assert figures.open == {(WORKFLOWS, "nightly", TICK): 2}

    taken = await read(bench, WORKFLOWS)
    await bench.streams.finish(WORKFLOWS, "a", {SHARD: settled(taken)})

    assert (taken[0].id, taken[0].entry) == (entry_id, entry)
    [figures] = await bench.streams.figures([SHARD])
    assert (figures.open, figures.backlog) == ({}, {})


async def an_untouched_shard_has_empty_figures(bench: Bench) -> None:
    [figures] = await bench.streams.figures([SHARD])

    assert figures == ShardFigures(SHARD, {}, {}, {}, figures.queues)
    assert set(figures.queues) == set(QueueClass)
    assert {(q.length, q.pending, q.oldest, q.delayed, q.dead) for q in figures.queues.values()} == {(0, 0, None, 0, 0)}


async def figures_tell_waiting_from_held(bench: Bench) -> None:
    await dispatch(bench, part_of(3))
    taken = await read(bench, count=2)

    figures = await queue_figures(bench)

    assert (figures.length, figures.pending, figures.oldest) == (3, 2, taken[0].dispatched)


async def an_entry_is_read_by_one_consumer_only(bench: Bench) -> None:
    await dispatch(bench, part_of(5))

    first, second = await read(bench, count=2), await read(bench, consumer="b")

    assert contents(first) + contents(second) == bodies(5)
    assert await read(bench) == []


async def a_read_takes_its_count_from_each_shard(bench: Bench) -> None:
    await bench.streams.make_groups(POLLING, [SHARD, 8])
    await dispatch(bench, part_of(3), part_of(1, shard=8))

    taken = await bench.streams.read(POLLING, [SHARD, 8], "a", 2, 0)

    assert [(one.shard, one.entry.body) for one in taken if one.entry] == [
        (SHARD, b"body-0"), (SHARD, b"body-1"), (8, b"body-0"),
    ]  # fmt: skip


async def a_first_read_makes_the_group_and_loses_nothing(bench: Bench) -> None:
    await dispatch(bench, part_of(2))

    assert await bench.streams.read(POLLING, [SHARD, 8], "a", 10, 0) == []
    taken = await bench.streams.read(POLLING, [SHARD, 8], "a", 10, 0)

    assert contents(taken) == bodies(2)


async def a_blocked_read_ends_when_work_comes(bench: Bench) -> None:
    await bench.streams.make_groups(POLLING, [SHARD, 8])
    reading = asyncio.create_task(bench.streams.read(POLLING, [8, SHARD], "a", 10, 8_000))
    await bench.until_blocked()
    await dispatch(bench, part_of(2))

    async with asyncio.timeout(5):
        taken = await reading
        taken += await bench.streams.read(POLLING, [SHARD], "a", 10, 0)

    assert contents(taken) == bodies(2)


async def a_blocked_read_comes_back_empty_after_its_time(bench: Bench) -> None:
    await bench.streams.make_groups(POLLING, [SHARD])

    assert await bench.streams.read(POLLING, [SHARD], "a", 10, 20) == []


async def a_deleted_group_delivers_all_that_is_unfinished_again(bench: Bench) -> None:
    taken = await held(bench, 3)
    await finish(bench, settled(taken[:1]))
    await bench.delete_group(POLLING, SHARD)

    assert await finish(bench, settled(taken[1:], emits=1)) == set(ids(taken[1:]))
    assert contents(await read(bench, consumer="b")) == bodies(2, first=1)


async def a_group_deleted_under_a_blocked_read_is_made_again(bench: Bench) -> None:
    await bench.streams.make_groups(POLLING, [SHARD])
    reading = asyncio.create_task(bench.streams.read(POLLING, [SHARD], "a", 10, 300))
    await bench.until_blocked()
    await bench.delete_group(POLLING, SHARD)
    await reading
    await dispatch(bench, part_of(1))

    assert await bench.streams.read(POLLING, [SHARD], "a", 10, 0) + await read(bench) != []


async def a_flush_under_a_blocked_read_is_survived(bench: Bench) -> None:
    await bench.streams.make_groups(POLLING, [SHARD])
    reading = asyncio.create_task(bench.streams.read(POLLING, [SHARD], "a", 10, 300))
    await bench.until_blocked()
    await bench.flush()
    async with asyncio.timeout(5):
        assert await reading == []
    await dispatch(bench, part_of(2))

    taken = await bench.streams.read(POLLING, [SHARD], "a", 10, 0)
    taken += await bench.streams.read(POLLING, [SHARD], "a", 10, 0)

    assert contents(taken) == bodies(2)


async def after_a_flush_the_next_dispatch_is_a_gap(bench: Bench) -> None:
    await dispatch(bench, part_of(1))
    await bench.flush()

    on = part_of(1, tick=TICK + 1, previous=mark_of(TICK, 0))
    assert await dispatch(bench, on) == [Dispatched(Answer.GAP, 0)]


async def bytes_of_any_kind_pass_unchanged(bench: Bench) -> None:
    body = bytes(range(256)) * 40
    entry = Entry(Kind.TASK, "ünï.code-job", TICK, 0, body)
    await bench.streams.add(WORKFLOWS, SHARD, [entry])

    [one] = await read(bench, WORKFLOWS)

    assert one.entry == entry


async def fields_that_cannot_be_read_are_delivered_raw(bench: Bench) -> None:
    garbage = [b"\xff\xfe", b"\x00", b"v", b"\x80"]
    await bench.add_fields(POLLING, SHARD, garbage)

    [one] = await read(bench)

    assert (one.entry, list(one.raw), one.delivery) == (None, garbage, 1)


async def an_entry_of_another_version_keeps_its_envelope(bench: Bench) -> None:
    fields = [b"v", b"9", b"k", b"poll", b"j", b"j", b"s", b"1", b"x", b"2", b"b", b"?", b"new", b"field"]
    await bench.add_fields(POLLING, SHARD, fields)

    [one] = await read(bench)

    assert one.entry == Entry("poll", "j", 1, 2, b"?", b"9")


async def a_sweep_without_a_group_finds_nothing(bench: Bench) -> None:
    swept = await sweep_one(bench.streams, POLLING, "a", SHARD, 0, START, 10)

    assert (swept.cursor, list(swept.entries), swept.payloads_lost) == (START, [], 0)
