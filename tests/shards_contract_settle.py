"""The contract of finish, renew, retry, release and promote: each function is a sentence every bench makes true."""

from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, Kind, encode_fields
from streampoll.shards.port import Postponed, Released, Settled
from tests.shards_support import (
    IDLE_MS,
    JOB,
    POLLING,
    RESULTS,
    SHARD,
    TICK,
    Bench,
    bodies,
    contents,
    finish,
    held,
    ids,
    part_of,
    queue_figures,
    read,
    release,
    rows_of,
    settled,
    swept,
)

A_DAY_MS = 86_400_000


async def emitted(bench: Bench) -> list[bytes]:
    """What the results that wait say, in order."""
    return [row for one in await read(bench, RESULTS) if one.entry for row in rows_of(one.entry)]


async def open_polls(bench: Bench) -> int:
    """How many polls of the job's first slot are open; the two counts must agree."""
    [figures] = await bench.streams.figures([SHARD])
    assert figures.open.get((POLLING, JOB, TICK), 0) == figures.backlog.get((POLLING, JOB), 0)
    return figures.open.get((POLLING, JOB, TICK), 0)


async def a_finish_deletes_and_emits(bench: Bench) -> None:
    taken = await held(bench, 3)

    assert await finish(bench, settled(taken, emits=2)) == set()

    figures = await queue_figures(bench)
    assert (figures.length, figures.pending, figures.oldest) == (0, 0, None)
    assert await emitted(bench) == [b"%s/%d" % (body, n) for body in bodies(3) for n in range(2)]


async def what_is_finished_is_open_no_more(bench: Bench) -> None:
    taken = await held(bench, 3)

    await finish(bench, settled(taken[:2], emits=1))

    [figures] = await bench.streams.figures([SHARD])
    assert figures.open == {
        (POLLING, JOB, TICK): 1,
        (RESULTS, JOB, TICK): 2,
    }  # the ledger entry, one of two results
    assert figures.backlog == {(POLLING, JOB): 1, (RESULTS, JOB): 2}


async def counts_that_come_to_nothing_are_gone(bench: Bench) -> None:
    await finish(bench, settled(await held(bench, 3), emits=1))

    results = await read(bench, RESULTS)
    last = [Settled(one.id, one.entry.job, one.entry.slot) for one in results if one.entry]
    assert await bench.streams.finish(RESULTS, "a", {SHARD: last}) == frozenset()

    [figures] = await bench.streams.figures([SHARD])
    assert (figures.open, figures.backlog) == ({}, {})


async def an_emit_goes_to_its_own_class(bench: Bench) -> None:
    [one] = await held(bench, 1)
    emits = [(queue, Entry(Kind.TASK, "j", TICK, 0, queue.encode())) for queue in QueueClass]

    await finish(bench, [Settled(one.id, JOB, TICK, emits)])

    for queue in QueueClass:
        assert contents(await read(bench, queue))[-1] == queue.encode()
    [figures] = await bench.streams.figures([SHARD])
    assert {queue for queue, job, _ in figures.open if job == "j"} == set(QueueClass)


async def a_finish_sent_again_emits_nothing(bench: Bench) -> None:
    taken = await held(bench, 2)
    await finish(bench, settled(taken, emits=1))

    assert await finish(bench, settled(taken, emits=1)) == set(ids(taken))

    assert len(await emitted(bench)) == 2
    assert await open_polls(bench) == 0


async def an_entry_named_twice_is_finished_once(bench: Bench) -> None:
    taken = await held(bench, 2)

    assert await finish(bench, settled([taken[0], taken[0]], emits=1)) == {taken[0].id}

    assert len(await emitted(bench)) == 1
    assert await open_polls(bench) == 1


async def a_stale_worker_finishes_nothing(bench: Bench) -> None:
    taken = await held(bench, 2)
    await swept(bench, "b")

    assert await finish(bench, settled(taken, emits=1)) == set(ids(taken))

    assert await emitted(bench) == []
    assert (await queue_figures(bench)).pending == 2
    assert await finish(bench, settled(taken, emits=1), "b") == set()


async def what_is_ours_is_finished_beside_what_is_not(bench: Bench) -> None:
    taken = await held(bench, 3)
    other = await held(bench, 1, "b")

    assert await finish(bench, settled([taken[0], *other, taken[2]], emits=1)) == set(ids(other))

    assert await emitted(bench) == [b"body-0/0", b"body-2/0"]


async def a_poll_that_everybody_finishes_emits_once(bench: Bench) -> None:
    taken = await held(bench, 1)
    await swept(bench, "b")
    for consumer in ("a", "b", "a", "b"):
        await finish(bench, settled(taken, emits=1), consumer)

    assert await emitted(bench) == [b"body-0/0"]


async def one_call_finishes_entries_of_many_shards(bench: Bench) -> None:
    await bench.streams.make_groups(POLLING, [SHARD, 8])
    await bench.streams.dispatch(1, 10, [part_of(1), part_of(2, shard=8)])
    taken = await bench.streams.read(POLLING, [SHARD, 8], "a", 10, 0)
    by_shard = {shard: settled([one for one in taken if one.shard == shard]) for shard in (SHARD, 8)}

    assert await bench.streams.finish(POLLING, "a", by_shard) == frozenset()
    assert await bench.streams.finish(POLLING, "a", by_shard) == {(one.shard, one.id) for one in taken}
    assert await bench.streams.finish(POLLING, "a", {}) == frozenset()


async def a_thousand_polls_are_finished_in_one_call(bench: Bench) -> None:
    taken = await held(bench, 1_000)

    assert await finish(bench, settled(taken, emits=1)) == set()

    assert len(await emitted(bench)) == 1_000
    assert (await queue_figures(bench)).length == 0


async def five_thousand_entries_are_renewed_and_finished_at_once(bench: Bench) -> None:
    taken = await held(bench, 5_000)

    assert await bench.streams.renew(POLLING, "a", {SHARD: ids(taken)}) == frozenset()
    assert await finish(bench, settled(taken)) == set()

    assert (await queue_figures(bench)).length == 0
    assert await open_polls(bench) == 0


async def a_burial_keeps_the_entry_with_its_cause(bench: Bench) -> None:
    taken = await held(bench, 1)
    [again] = await swept(bench, "a")
    assert taken[0].entry

    await finish(bench, settled(taken, emits=1, cause="crashed"))

    assert await bench.letters(POLLING, SHARD) == [(again.id, "crashed", 2, list(encode_fields(taken[0].entry)))]
    assert await emitted(bench) == [b"body-0/0"]
    assert (await queue_figures(bench)).dead == 1
    assert await open_polls(bench) == 0


async def a_burial_sent_again_buries_nothing(bench: Bench) -> None:
    taken = await held(bench, 1)

    for _ in range(2):
        await finish(bench, settled(taken, cause="crashed"))

    assert (await queue_figures(bench)).dead == 1


async def garbage_can_be_buried(bench: Bench) -> None:
    garbage = [b"\xff", b"\x00"] * 5_000
    await bench.add_fields(POLLING, SHARD, garbage)
    [one] = await read(bench)

    assert await finish(bench, [Settled(one.id, "", 0, cause="unreadable")]) == set()

    [(entry_id, cause, delivery, fields)] = await bench.letters(POLLING, SHARD)
    assert (entry_id, cause, delivery) == (one.id, "unreadable", 1)
    assert fields == garbage[: len(fields)]
    assert (await queue_figures(bench)).length == 0


async def a_renewed_entry_is_not_idle(bench: Bench) -> None:
    taken = await held(bench, 2)
    for one in taken:
        await bench.make_idle(POLLING, SHARD, "a", one.id)

    assert await bench.streams.renew(POLLING, "a", {SHARD: [taken[0].id]}) == frozenset()

    assert ids(await swept(bench, "b", IDLE_MS)) == [taken[1].id]


async def a_renewal_does_not_count_as_a_delivery(bench: Bench) -> None:
    taken = await held(bench, 1)

    for _ in range(3):
        await bench.streams.renew(POLLING, "a", {SHARD: ids(taken)})

    assert (await swept(bench, "b"))[0].delivery == 2


async def a_stale_worker_steals_nothing_back_by_renewing(bench: Bench) -> None:
    taken = await held(bench, 2)
    await swept(bench, "b")

    lost = await bench.streams.renew(POLLING, "a", {SHARD: ids(taken)})

    assert lost == {(SHARD, entry_id) for entry_id in ids(taken)}
    assert await bench.streams.renew(POLLING, "b", {SHARD: ids(taken)}) == frozenset()


async def what_is_finished_cannot_be_renewed(bench: Bench) -> None:
    taken = await held(bench, 2)
    await finish(bench, settled(taken[:1]))

    assert await bench.streams.renew(POLLING, "a", {SHARD: ids(taken), 8: [taken[1].id]}) == {
        (SHARD, taken[0].id), (8, taken[1].id),
    }  # fmt: skip
    assert await bench.streams.renew(POLLING, "a", {}) == frozenset()


def postponed(taken_id: bytes, delay_ms: int, body: bytes = b"\x00again\xff") -> Postponed:
    """An entry to try again, with another body."""
    return Postponed(taken_id, Entry(Kind.POLL, JOB, TICK, TICK + 60, body), delay_ms)


async def a_retried_entry_waits_until_it_is_due(bench: Bench) -> None:
    [one, _] = await held(bench, 2)

    assert await bench.streams.retry(POLLING, "a", SHARD, [postponed(one.id, A_DAY_MS)]) == []

    assert await bench.streams.promote(POLLING, [SHARD], 10) == 0
    figures = await queue_figures(bench)
    assert (figures.length, figures.pending, figures.delayed) == (1, 1, 1)
    assert await open_polls(bench) == 2


async def a_due_entry_is_promoted_once(bench: Bench) -> None:
    [one] = await held(bench, 1)
    await bench.streams.retry(POLLING, "a", SHARD, [postponed(one.id, 0)])

    assert await bench.streams.promote(POLLING, [SHARD, 8], 10) == 1
    assert await bench.streams.promote(POLLING, [SHARD, 8], 10) == 0

    [again] = await read(bench)
    assert (again.entry, again.delivery) == (postponed(one.id, 0).entry, 1)
    assert (await queue_figures(bench)).delayed == 0
    assert await open_polls(bench) == 1


async def a_retry_sent_again_is_one_retry(bench: Bench) -> None:
    [one] = await held(bench, 1)

    assert await bench.streams.retry(POLLING, "a", SHARD, [postponed(one.id, 0)]) == []
    assert await bench.streams.retry(POLLING, "a", SHARD, [postponed(one.id, 0)]) == [one.id]

    assert (await queue_figures(bench)).delayed == 1


async def a_stale_worker_retries_nothing(bench: Bench) -> None:
    [one] = await held(bench, 1)
    await swept(bench, "b")

    assert await bench.streams.retry(POLLING, "a", SHARD, [postponed(one.id, 0)]) == [one.id]

    assert (await queue_figures(bench)).delayed == 0
    assert await finish(bench, settled([one]), "b") == set()


async def the_earliest_due_are_promoted_first(bench: Bench) -> None:
    taken = await held(bench, 3)
    later = [postponed(one.id, -1_000 * n, b"%d" % n) for n, one in enumerate(taken)]
    await bench.streams.retry(POLLING, "a", SHARD, later)

    assert await bench.streams.promote(POLLING, [SHARD], 2) == 2

    assert contents(await read(bench)) == [b"2", b"1"]
    assert await bench.streams.promote(POLLING, [], 2) == 0


async def a_released_entry_is_claimable_at_once_and_was_not_delivered(bench: Bench) -> None:
    taken = await held(bench, 2)

    assert await release(bench, taken[:1]) == []

    claimed = await swept(bench, "b", IDLE_MS)
    assert [(one.id, one.delivery) for one in claimed] == [(taken[0].id, 1)]


async def a_release_may_count(bench: Bench) -> None:
    taken = await held(bench, 1)

    await release(bench, taken, counted=True)

    assert (await swept(bench, "b", IDLE_MS))[0].delivery == 2


async def a_release_sent_again_takes_back_one_delivery(bench: Bench) -> None:
    await held(bench, 1)
    await swept(bench, "b")
    taken = await swept(bench, "b")
    assert taken[0].delivery == 3

    for _ in range(2):
        await release(bench, taken, "b")

    assert (await swept(bench, "c", IDLE_MS))[0].delivery == 3


async def what_is_released_is_not_held_any_more(bench: Bench) -> None:
    taken = await held(bench, 1)
    await release(bench, taken)

    assert await bench.streams.renew(POLLING, "a", {SHARD: ids(taken)}) == {(SHARD, taken[0].id)}
    assert await finish(bench, settled(taken, emits=1)) == {taken[0].id}

    assert ids(await swept(bench, "b", IDLE_MS)) == ids(taken)


async def a_stale_worker_releases_nothing(bench: Bench) -> None:
    taken = await held(bench, 1)
    await swept(bench, "b")

    assert await release(bench, taken, "a") == ids(taken)

    assert await swept(bench, "c", IDLE_MS) == []
    assert await bench.streams.release(POLLING, "a", Released(8, ids(taken)), IDLE_MS) == ids(taken)
