"""The contract of dead letters: each function is a sentence that every server makes true."""

from dataclasses import replace

from streampoll.model import Target
from streampoll.shards.entries import encode_target
from streampoll.shards.letters import Letter, Letters
from streampoll.shards.scripts import Scripts
from tests.shards_contract_rows import done, row, stored, with_rows
from tests.shards_support import (
    JOB,
    POLLING,
    RESULTS,
    SHARD,
    TICK,
    Bench,
    RedisBench,
    finish,
    held,
    part_of,
    queue_figures,
    read,
    settled,
)


async def buried(bench: Bench, count: int) -> tuple[Letters, list[Letter]]:
    """Bury polls; return the letters' keeper and them."""
    assert isinstance(bench, RedisBench)
    body = encode_target(Target("sw1", "10.0.0.1", 0, "if", "", {}))
    await bench.streams.dispatch(1, 10, [replace(part_of(), polls=[(TICK + 60, body)] * count)])
    await finish(bench, settled(await read(bench), cause="crashed"))
    letters = Letters(Scripts(bench.topology), bench.keys, SHARD + 1)
    return letters, [letter async for letter in letters.read()]


async def a_letter_is_put_back_once_and_is_open_again(bench: Bench) -> None:
    letters, [letter] = await buried(bench, 1)

    assert [await letters.requeue(letter, TICK + 500.0) for _ in range(2)] == [True, False]

    figures = await queue_figures(bench)
    assert (figures.length, figures.dead) == (1, 0)
    [shard] = await bench.streams.figures([SHARD])
    assert shard.open.get((POLLING, JOB, TICK + 500)) == 1


async def results_that_are_put_back_count_with_all_their_rows(bench: Bench) -> None:
    assert isinstance(bench, RedisBench)
    await finish(bench, with_rows(await held(bench, 3), row("a"), row("b"), row("c")))
    [one] = await stored(bench)
    await bench.streams.finish(RESULTS, "store", {SHARD: done([one], "refused")})
    letters = Letters(Scripts(bench.topology), bench.keys, SHARD + 1)
    [letter] = [letter async for letter in letters.read()]

    assert [await letters.requeue(letter, TICK + 500.0) for _ in range(2)] == [True, False]

    found = await queue_figures(bench, RESULTS)
    assert (found.length, found.rows, found.dead) == (2, 4, 0)
    assert [again.entry for again in await stored(bench)] == [one.entry]


async def a_purge_counts_what_was_there(bench: Bench) -> None:
    letters, found = await buried(bench, 3)

    assert [await letters.purge(found[:2]) for _ in range(2)] == [2, 0]

    assert (await queue_figures(bench)).dead == 1


async def letters_are_read_page_by_page(bench: Bench) -> None:
    _, found = await buried(bench, 120)

    assert len({letter.name for letter in found}) == 120
