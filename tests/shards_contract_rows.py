"""The contract of entries of several results: each function is a sentence every bench makes true."""

import msgpack
from msgspec import structs

from streampoll.model import QueueClass, RatesRow, Result, Status
from streampoll.shards.entries import (
    Delivered,
    Entry,
    Kind,
    Log,
    decode_analyze,
    decode_many_rates,
    decode_result,
    decode_results,
    encode_analyze,
    encode_rates,
    encode_result,
)
from streampoll.shards.port import Answer, Dispatched, Later, Postponed, Settled, mark_of
from streampoll.shards.rows import MOST_BYTES, MOST_ROWS, apart, rows_in
from tests.shards_support import (
    JOB,
    POLLING,
    RESULTS,
    SHARD,
    START,
    TICK,
    Bench,
    dispatch,
    finish,
    held,
    ids,
    part_of,
    queue_figures,
    read,
    sweep_one,
)
from tests.waiting import eventually_async

ANALYSIS = QueueClass.ANALYSIS


def row(device: str, slot: int = TICK, job: str = JOB, size: int = 3) -> Entry:
    """A result."""
    return encode_result(Result(job, device, slot, Status.OK, 5, b"x" * size))


def with_rows(taken: list[Delivered], *entries: Entry) -> list[Settled]:
    """Settle polls, one result each."""
    return [
        Settled(one.id, one.entry.job, one.entry.slot, [(RESULTS, entry)])
        for one, entry in zip(taken, entries, strict=True)
        if one.entry
    ]


async def stored(bench: Bench) -> list[Delivered]:
    """What waits to be stored, ledger entries left out, as a store reads it."""
    return without_ledger(await read(bench, RESULTS, "store"))


def without_ledger(taken: list[Delivered]) -> list[Delivered]:
    return [one for one in taken if one.entry and one.entry.kind != Kind.LEDGER]


def devices(entry: Entry | None) -> list[str]:
    """The devices of an entry of results."""
    assert entry is not None
    results = decode_results(entry) if entry.kind == Kind.RESULTS else [decode_result(entry)]
    assert {(result.job, result.slot) for result in results} == {(entry.job, entry.slot)}
    return [result.device for result in results]


async def two_entries(bench: Bench) -> list[Delivered]:
    """Finish polls so that a store has two entries in hand: of three results and of one."""
    await finish(bench, with_rows(await held(bench, 3), row("a"), row("b"), row("c")))
    await finish(bench, with_rows(await held(bench, 1), row("d")))
    return await stored(bench)


def done(taken: list[Delivered], cause: str = "") -> list[Settled]:
    """Settle what a store has in hand."""
    return [Settled(one.id, one.entry.job, one.entry.slot, (), cause, rows=rows_in(one.entry))
            for one in taken if one.entry]  # fmt: skip


async def results_of_one_slot_are_one_entry(bench: Bench) -> None:
    await finish(bench, with_rows(await held(bench, 3), row("a"), row("b"), row("c")))

    [one] = await stored(bench)
    assert one.entry == Entry(Kind.RESULTS, JOB, TICK, 0, msgpack.packb([[name, 0, 5, b"xxx"] for name in "abc"]), b"1")


async def a_lone_result_is_an_entry_as_it_ever_was(bench: Bench) -> None:
    await finish(bench, with_rows(await held(bench, 1), row("a")))

    [one] = await stored(bench)
    assert one.entry == Entry("result", JOB, TICK, 0, msgpack.packb(["a", 0, 5, b"xxx"]), b"1")


async def results_of_other_slots_and_jobs_are_apart(bench: Bench) -> None:
    later, other = TICK + 1, "other"
    rows = [row("a"), row("b", later), row("c", job=other), row("d"), row("e", later), row("f", later, other)]
    await finish(bench, with_rows(await held(bench, 6), *rows))

    found = [one.entry for one in await stored(bench)]
    assert [devices(entry) for entry in found] == [["a", "d"], ["b", "e"], ["c"], ["f"]]
    assert [(entry.job, entry.slot) for entry in found if entry] == [
        (JOB, TICK), (JOB, later), (other, TICK), (other, later),
    ]  # fmt: skip


async def an_entry_has_so_many_rows_at_the_most(bench: Bench) -> None:
    names = [f"sw{n}" for n in range(2 * MOST_ROWS + 1)]
    await finish(bench, with_rows(await held(bench, len(names)), *map(row, names)))

    found = [devices(one.entry) for one in await stored(bench)]
    assert [len(rows) for rows in found] == [MOST_ROWS, MOST_ROWS, 1]
    assert [name for rows in found for name in rows] == names


async def an_entry_is_of_so_many_bytes_at_the_most(bench: Bench) -> None:
    half, whole = MOST_BYTES // 2 - 10, MOST_BYTES + 1
    rows = [row("a", size=half), row("b", size=half), row("c"), row("d", size=whole), row("e"), row("f")]
    await finish(bench, with_rows(await held(bench, 6), *rows))

    found = [one.entry for one in await stored(bench)]
    assert [devices(entry) for entry in found] == [["a", "b"], ["c"], ["d"], ["e", "f"]]
    assert all(len(entry.body) <= 1 + MOST_BYTES for entry in found if entry and entry.kind == Kind.RESULTS)


async def what_is_not_ours_is_in_nobodys_entry(bench: Bench) -> None:
    taken = await held(bench, 2)
    stale = await held(bench, 1)
    await bench.make_idle(POLLING, SHARD, "a", stale[0].id)
    await sweep_one(bench.streams, POLLING, "b", SHARD, 3_600_000, START, 10)
    rows = [row("a"), row("stale"), row("b"), row("twice")]

    gone = await finish(bench, with_rows([taken[0], *stale, taken[1], taken[0]], *rows))

    assert gone == {stale[0].id, taken[0].id}
    assert [devices(one.entry) for one in await stored(bench)] == [["a", "b"]]


async def a_finish_of_joined_results_sent_again_adds_nothing(bench: Bench) -> None:
    taken = await held(bench, 2)
    for _ in range(2):
        gone = await finish(bench, with_rows(taken, row("a"), row("b")))

    assert gone == set(ids(taken))
    assert [devices(one.entry) for one in await stored(bench)] == [["a", "b"]]


async def other_kinds_keep_their_place(bench: Bench) -> None:
    event = Entry(Kind.EVENT, JOB, TICK, 0, b"")
    taken = await held(bench, 5)
    await finish(bench, with_rows(taken, row("a"), row("b"), event, row("c"), row("d")))

    assert [one.entry.kind for one in await stored(bench) if one.entry] == ["results", "event", "results"]


def rates(device: str, slot: int = TICK, size: int = 3) -> Entry:
    """The rates of a result."""
    return encode_rates(RatesRow(JOB, device, slot, b"x" * size))


async def rates_of_one_slot_are_one_entry_and_lone_ones_as_they_ever_were(bench: Bench) -> None:
    taken = await held(bench, 4)
    before = (await queue_figures(bench, RESULTS)).rows
    await finish(bench, with_rows(taken, rates("a"), rates("b"), rates("c", TICK + 1), rates("d")))

    assert (await queue_figures(bench, RESULTS)).rows - before == 4
    found = [one.entry for one in await stored(bench)]
    bodies = [[JOB, device, b"xxx"] for device in "abd"]
    assert found == [
        Entry(Kind.MANY_RATES, "rates", TICK, 0, msgpack.packb(bodies), b"1"),
        Entry(Kind.RATES, "rates", TICK + 1, 0, msgpack.packb([JOB, "c", b"xxx"]), b"1"),
    ]
    assert found[0] is not None
    assert decode_many_rates(found[0]) == [RatesRow(JOB, device, TICK, b"xxx") for device in "abd"]


def analyze(device: str, slot: int = TICK, lag_ms: int = 0) -> Entry:
    """What is to be analysed."""
    return encode_analyze(row(device, slot), lag_ms)


async def what_is_to_be_analysed_of_one_slot_is_one_entry(bench: Bench) -> None:
    taken = await held(bench, 4)
    work = [analyze("a"), analyze("b", lag_ms=700), analyze("c"), analyze("d", TICK + 1)]
    await finish(bench, [Settled(one.id, JOB, TICK, [(ANALYSIS, each)]) for one, each in zip(taken, work, strict=True)])

    assert (await queue_figures(bench, ANALYSIS)).rows == 4
    found = [one.entry for one in await read(bench, ANALYSIS, "analyst") if one.entry]
    assert [(entry.kind, entry.slot) for entry in found] == [("many_analyze", TICK), ("analyze", TICK + 1)]
    assert [(result.device, lag_s) for result, lag_s in decode_analyze(found[0])] == [("a", 0), ("b", 0.7), ("c", 0)]
    [figures] = await bench.streams.figures([SHARD])
    assert [figures.open.get((ANALYSIS, JOB, slot)) for slot in (TICK, TICK + 1)] == [1, 1]


async def a_devices_slots_are_analysed_in_the_order_they_came_in(bench: Bench) -> None:
    taken = await held(bench, 5)
    work = [analyze("x", TICK + 1), analyze("a", TICK), analyze("a", TICK + 1), analyze("y", TICK + 1), analyze("z")]
    await finish(bench, [Settled(one.id, JOB, TICK, [(ANALYSIS, each)]) for one, each in zip(taken, work, strict=True)])

    found = [decode_analyze(one.entry) for one in await read(bench, ANALYSIS, "analyst") if one.entry]
    assert [[(result.device, result.slot - TICK) for result, _ in rows] for rows in found] == [
        [("x", 1)], [("a", 0)], [("a", 1), ("y", 1)], [("z", 0)],
    ]  # fmt: skip


async def rows_of_each_class_are_counted_by_themselves(bench: Bench) -> None:
    taken = await held(bench, 3)
    before = (await queue_figures(bench, RESULTS)).rows
    emits = [[(RESULTS, row(name)), (ANALYSIS, analyze(name))] for name in "abc"]
    await finish(bench, [Settled(one.id, JOB, TICK, each) for one, each in zip(taken, emits, strict=True)])
    work = await read(bench, ANALYSIS, "analyst")
    await bench.streams.finish(ANALYSIS, "analyst", {SHARD: done(work)})

    assert (await queue_figures(bench, ANALYSIS)).rows == 0
    assert (await queue_figures(bench, RESULTS)).rows - before == 3


async def rates_and_results_are_apart_also_where_a_job_is_called_rates(bench: Bench) -> None:
    taken = await held(bench, 4)
    await finish(bench, with_rows(taken, row("a", job="rates"), rates("a"), row("b", job="rates"), rates("b")))

    found = [(one.entry.kind, rows_in(one.entry)) for one in await stored(bench) if one.entry]
    assert found == [("results", 2), ("many_rates", 2)]


async def results_for_outputs_and_analysis_stay_one_a_poll(bench: Bench) -> None:
    taken = await held(bench, 2)
    emits = [(RESULTS, row("a")), (Log.OUTPUTS, Entry("result", JOB, TICK, 10, b"")), (QueueClass.ANALYSIS, row("a"))]
    await finish(bench, [Settled(one.id, JOB, TICK, emits) for one in taken])

    assert [one.entry.kind for one in await read(bench, QueueClass.ANALYSIS) if one.entry] == ["result"] * 2
    assert [devices(one.entry) for one in await stored(bench)] == [["a", "a"]]


async def open_counts_entries_and_rows_are_counted_beside(bench: Bench) -> None:
    """Whoever finishes an entry, also one that can't read it, takes one away: so a slot is final in the end."""
    taken = await two_entries(bench)

    [figures] = await bench.streams.figures([SHARD])
    slots = {slot: count for (queue, job, slot), count in figures.open.items() if (queue, job) == (RESULTS, JOB)}
    assert slots == {TICK: 3, TICK + 1: 1}  # two of them ledger entries
    assert figures.backlog == {(RESULTS, JOB): 4}
    found = figures.queues[RESULTS]
    assert (found.length, found.rows, len(taken)) == (4, 6, 2)
    assert (await bench.streams.depths([SHARD]))[0][RESULTS].rows == 6


async def rows_wait_until_a_store_has_them_in_hand(bench: Bench) -> None:
    await finish(bench, with_rows(await held(bench, 3), row("a"), row("b"), row("c")))
    before = await queue_figures(bench, RESULTS)
    await stored(bench)
    after = await queue_figures(bench, RESULTS)

    assert (before.waiting, before.in_flight) == (4, 0)
    assert (after.waiting, after.in_flight) == (0, 4)


async def rows_that_are_stored_are_counted_no_more(bench: Bench) -> None:
    taken = await two_entries(bench)

    assert await bench.streams.finish(RESULTS, "store", {SHARD: done(taken)}) == frozenset()

    found = await queue_figures(bench, RESULTS)
    assert (found.length, found.rows) == (2, 2)  # ledger entries


async def rows_of_an_entry_that_is_not_ours_stay_counted(bench: Bench) -> None:
    taken = await two_entries(bench)

    assert len(await bench.streams.finish(RESULTS, "another", {SHARD: done(taken)})) == 2

    assert (await queue_figures(bench, RESULTS)).rows == 6


async def rows_that_are_buried_are_counted_no_more(bench: Bench) -> None:
    taken = await two_entries(bench)

    await bench.streams.finish(RESULTS, "store", {SHARD: done(taken, "refused")})

    found = await queue_figures(bench, RESULTS)
    assert (found.rows, found.dead) == (2, 2)


async def rows_that_are_put_off_come_back(bench: Bench) -> None:
    taken = await two_entries(bench)
    again = [Postponed(one.id, one.entry, -1_000) for one in taken if one.entry]
    await bench.streams.retry(RESULTS, "store", SHARD, again)
    await bench.streams.promote(RESULTS, [SHARD], 10)

    assert sorted(devices(one.entry) for one in await stored(bench)) == [["a", "b", "c"], ["d"]]
    assert (await queue_figures(bench, RESULTS)).rows == 6


async def rows_that_a_finish_puts_off_are_not_joined_again(bench: Bench) -> None:
    await finish(bench, with_rows(await held(bench, 3), row("a"), row("b"), row("c")))
    [joined] = await stored(bench)
    assert joined.entry
    later = [Later(RESULTS, each, 1) for each in apart(joined.entry)]
    await bench.streams.finish(RESULTS, "store", {SHARD: [Settled(joined.id, JOB, TICK, later=later, rows=3)]})
    due: list[int] = []

    async def all_due() -> bool:
        due.append(await bench.streams.promote(RESULTS, [SHARD], 10))
        return sum(due) == 3

    await eventually_async(all_due)

    found = [one.entry for one in await stored(bench) if one.entry]
    assert [entry.kind for entry in found] == ["result"] * 3
    assert sorted(name for entry in found for name in devices(entry)) == ["a", "b", "c"]
    assert (await queue_figures(bench, RESULTS)).rows == 3 + 1  # and the ledger entry
    [figures] = await bench.streams.figures([SHARD])
    assert figures.open[RESULTS, JOB, TICK] == 3 + 1


async def rows_of_lost_entries_are_forgotten(bench: Bench) -> None:
    await two_entries(bench)
    for one in (await sweep_one(bench.streams, RESULTS, "b", SHARD, 0, START, 10)).entries:
        await bench.delete_payload(RESULTS, SHARD, one.id)

    assert sum(ghost.count for ghost in await bench.streams.reconcile([SHARD])) == 4

    assert (await queue_figures(bench, RESULTS)).rows == 0


async def rows_that_an_older_release_ended_are_forgotten_when_nothing_is_left(bench: Bench) -> None:
    """It knows of no rows: it takes one entry away, and the slot is final."""
    await two_entries(bench)
    taken = list((await sweep_one(bench.streams, RESULTS, "old", SHARD, 0, START, 10)).entries)
    await bench.streams.finish(
        RESULTS, "old", {SHARD: [structs.replace(one, rows=1) for one in done(taken, "unknown")]}
    )
    assert not (await bench.streams.figures([SHARD]))[0].open

    assert await bench.streams.reconcile([SHARD]) == []

    assert (await queue_figures(bench, RESULTS)).rows == 0


async def rows_that_an_older_release_ended_are_no_more_than_what_is_left_can_have(bench: Bench) -> None:
    names = [f"sw{n}" for n in range(3 * MOST_ROWS)]
    await finish(bench, with_rows(await held(bench, len(names)), *map(row, names)))
    taken = done(await stored(bench))
    await bench.streams.finish(RESULTS, "store", {SHARD: [structs.replace(one, rows=1) for one in taken]})
    assert (await queue_figures(bench, RESULTS)).rows == 1 + 3 * (MOST_ROWS - 1)  # of the ledger's entry

    assert await bench.streams.reconcile([SHARD]) == []

    assert (await queue_figures(bench, RESULTS)).rows == MOST_ROWS


async def the_high_water_of_results_counts_rows(bench: Bench) -> None:
    await two_entries(bench)  # with the ledger's, six rows in four entries

    parts = [part_of(1, tick=TICK + n, previous=mark_of(TICK + n - 1, 0)) for n in (2, 3)]
    assert await dispatch(bench, *parts, high_water=6) == [
        Dispatched(Answer.OK), Dispatched(Answer.SKIPPED, cause="results"),
    ]  # fmt: skip
