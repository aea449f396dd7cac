"""The contract of records of state and of what is added later or once: each function is a sentence of it."""

from collections.abc import Sequence

from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, Kind
from streampoll.shards.port import Later, Settled, Write
from tests.shards_contract_settle import emitted
from tests.shards_support import (
    JOB,
    POLLING,
    RESULTS,
    SHARD,
    TICK,
    WORKFLOWS,
    Bench,
    contents,
    finish,
    held,
    queue_figures,
    read,
    settled,
    swept,
)

FAR_MS = 10**9
NEW, SECOND, OTHER = b"version1 one", b"version2 two", b"version9 nine"


def write(before: bytes, after: bytes, name: str = "core-1") -> Write:
    """A write of a device's record."""
    return Write("device", name, before[:8], after)


def task(body: bytes = b"task") -> Entry:
    """An entry."""
    return Entry(Kind.TASK, "j", TICK, 0, body)


async def record(bench: Bench, name: str = "core-1") -> bytes | None:
    """What is recorded of a device."""
    return (await bench.streams.recall("device", {SHARD: [name]}))[SHARD].get(name)


async def finished(bench: Bench, *writes: Sequence[Write], consumer: str = "a") -> set[bytes]:
    """Finish polls, each with its writes and a result; return those that are not done."""
    taken = settled(await held(bench, len(writes), consumer), emits=1)
    for item, its in zip(taken, writes, strict=True):
        item.writes = its
    return await finish(bench, taken, consumer)


async def a_record_is_written_with_the_finish_and_read_back(bench: Bench) -> None:
    assert await finished(bench, [write(b"", NEW), write(b"", OTHER, "edge\n1")]) == set()

    assert await bench.streams.recall("device", {SHARD: ["core-1", "edge\n1", "none"], 8: ["core-1"]}) == {
        SHARD: {"core-1": NEW, "edge\n1": OTHER},
        8: {},
    }
    assert await bench.streams.recall("group", {SHARD: ["core-1"]}) == {SHARD: {}}
    assert len(await emitted(bench)) == 1


async def a_record_is_replaced_and_deleted(bench: Bench) -> None:
    await finished(bench, [write(b"", NEW)])

    assert await finished(bench, [write(NEW, SECOND)]) == set()
    assert await record(bench) == SECOND

    assert await finished(bench, [write(SECOND, b"")]) == set()
    assert await record(bench) is None


async def a_record_that_has_changed_since_stops_everything_of_its_entry(bench: Bench) -> None:
    await finished(bench, [write(b"", NEW)])
    await read(bench, RESULTS)

    stale = await finished(bench, [write(b"", OTHER)], [write(SECOND, OTHER), write(b"", OTHER, "b")])

    assert len(stale) == 2
    assert (await record(bench), await record(bench, "b")) == (NEW, None)
    assert await emitted(bench) == []
    assert (await queue_figures(bench)).length == 2


async def what_was_stale_is_claimed_at_once_and_was_not_delivered(bench: Bench) -> None:
    [stale] = await finished(bench, [write(NEW, SECOND)])

    [again] = await swept(bench, "a", idle_ms=3_600_000)

    assert (again.id, again.delivery) == (stale, 1)
    assert again.entry is not None
    done = [Settled(again.id, again.entry.job, again.entry.slot, writes=[write(b"", NEW)])]
    assert await finish(bench, done) == set()
    assert await record(bench) == NEW
    assert (await queue_figures(bench)).length == 0


async def one_that_is_stale_does_not_cost_the_others_theirs(bench: Bench) -> None:
    assert len(await finished(bench, [write(b"", NEW)], [write(SECOND, OTHER, "b")], [])) == 1

    assert (await record(bench), await record(bench, "b")) == (NEW, None)
    assert len(await emitted(bench)) == 2


async def writes_in_one_call_build_on_one_another(bench: Bench) -> None:
    assert (
        await finished(bench, [write(b"", NEW)], [write(NEW, SECOND)], [write(SECOND, b"")], [write(b"", OTHER)])
        == set()
    )

    assert await record(bench) == OTHER


async def what_builds_on_a_write_that_did_not_happen_is_stale(bench: Bench) -> None:
    assert len(await finished(bench, [write(OTHER, NEW)], [write(NEW, SECOND)])) == 2

    assert await record(bench) is None


async def a_stale_worker_writes_nothing(bench: Bench) -> None:
    [one] = await held(bench, 1)
    await swept(bench, "b")

    assert await finish(bench, [Settled(one.id, JOB, TICK, writes=[write(b"", NEW)])]) == {one.id}

    assert await record(bench) is None


async def a_finish_sent_again_writes_nothing(bench: Bench) -> None:
    [one] = await held(bench, 1)
    done = [Settled(one.id, JOB, TICK, writes=[write(b"", NEW)], later=[Later(WORKFLOWS, task(), FAR_MS)])]
    await finish(bench, done)
    await finished(bench, [write(NEW, b"")])

    assert await finish(bench, done) == {one.id}

    assert await record(bench) is None
    assert (await queue_figures(bench, WORKFLOWS)).delayed == 1


async def what_is_emitted_for_later_waits_among_the_delayed(bench: Bench) -> None:
    [one] = await held(bench, 1)
    later = [Later(WORKFLOWS, task(b"far"), FAR_MS), Later(WORKFLOWS, task(b"due"), 1), Later(WORKFLOWS, task(b"now"))]

    await finish(bench, [Settled(one.id, JOB, TICK, later=later)])

    figures = await queue_figures(bench, WORKFLOWS)
    assert (figures.length, figures.delayed) == (1, 2)
    assert contents(await read(bench, WORKFLOWS)) == [b"now"]
    [shard] = await bench.streams.figures([SHARD])
    assert shard.open[WORKFLOWS, "j", TICK] == shard.backlog[WORKFLOWS, "j"] == 3
    while not await bench.streams.promote(WORKFLOWS, [SHARD], 10):
        pass
    assert contents(await read(bench, WORKFLOWS)) == [b"due"]


async def what_is_added_for_later_waits_among_the_delayed(bench: Bench) -> None:
    ids = await bench.streams.add(WORKFLOWS, SHARD, [task(), task()], delay_s=1e6)

    assert len(set(ids)) == 2
    figures = await queue_figures(bench, WORKFLOWS)
    assert (figures.length, figures.delayed) == (0, 2)
    [shard] = await bench.streams.figures([SHARD])
    assert shard.open[WORKFLOWS, "j", TICK] == 2


async def what_has_a_key_is_added_once(bench: Bench) -> None:
    [first, other, again] = await bench.streams.add(
        WORKFLOWS, SHARD, [task(b"first"), task(b"other"), task(b"again")], unique=["k:1,2", "k:3", "k:1,2"]
    )
    assert first and other and not again  # noqa: PT018  (one answer)
    taken = settled(await held(bench, 2))
    for item in taken:
        item.later = [Later(WORKFLOWS, task(b"late"), unique="k:1,2"), Later(WORKFLOWS, task(b"new"), unique="new")]

    await finish(bench, taken)

    assert contents(await read(bench, WORKFLOWS)) == [b"first", b"other", b"new"]
    [shard] = await bench.streams.figures([SHARD])
    assert shard.open[WORKFLOWS, "j", TICK] == 3


async def a_key_is_forgotten_after_a_day(bench: Bench) -> None:
    await bench.streams.add(WORKFLOWS, SHARD, [task()], unique=["k"])
    await bench.age_once(SHARD)

    assert (await bench.streams.add(WORKFLOWS, SHARD, [task()], unique=["k"]))[0]
    await bench.age_once(SHARD)
    [one] = await held(bench, 1)
    await finish(bench, [Settled(one.id, JOB, TICK, later=[Later(WORKFLOWS, task(), unique="k")])])

    assert (await queue_figures(bench, WORKFLOWS)).length == 3


async def a_key_is_one_of_its_class(bench: Bench) -> None:
    for queue in (WORKFLOWS, QueueClass.NOTIFICATIONS):
        assert (await bench.streams.add(queue, SHARD, [task()], unique=["k"]))[0]


async def a_delayed_entry_with_a_key_is_added_once(bench: Bench) -> None:
    for _ in range(2):
        await bench.streams.add(WORKFLOWS, SHARD, [task()], delay_s=1e6, unique=["k"])
    [one] = await held(bench, 1)
    await finish(bench, [Settled(one.id, JOB, TICK, later=[Later(WORKFLOWS, task(), FAR_MS, "k")])])

    assert (await queue_figures(bench, WORKFLOWS)).delayed == 1


async def a_record_of_an_entry_that_is_buried_is_written_too(bench: Bench) -> None:
    [one] = await held(bench, 1)

    await finish(bench, [Settled(one.id, JOB, TICK, cause="why", writes=[write(b"", NEW)])])

    assert (await queue_figures(bench)).dead == 1
    assert await record(bench) == NEW


async def results_of_polls_are_as_ever(bench: Bench) -> None:
    assert await finish(bench, settled(await held(bench, 1), emits=1)) == set()

    assert (await queue_figures(bench, POLLING)).length == 0
