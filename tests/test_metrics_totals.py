"""What the fleet has counted: every count once, whatever ends, is lost or sent twice."""

from collections.abc import Awaitable, Callable, Mapping

import pytest

from streampoll.errors import RedisUnavailable
from streampoll.shards.telling import Telling
from streampoll.shards.totals import MemoryTotals, Totals, TotalsPort
from streampoll.tally import Histogram, by_label, field, together
from tests.servers_support import REDIS_NAMES
from tests.shards_support import RedisBench

Check = Callable[[TotalsPort], Awaitable[None]]


async def what_several_processes_count_is_added_up(totals: TotalsPort) -> None:
    await totals.add("a", 1, 0, {"polls|snmp|ok": 2, "rows": 1})
    await totals.add("b", 1, 0, {"polls|snmp|ok": 3})
    assert await totals.read() == {"polls|snmp|ok": 5, "rows": 1}


async def a_batch_that_is_sent_again_counts_once(totals: TotalsPort) -> None:
    await totals.add("a", 1, 0, {"polls": 2})
    await totals.add("a", 1, 0, {"polls": 2})
    await totals.add("a", 2, 1, {"polls": 1})
    assert await totals.read() == {"polls": 3}


async def totals_that_went_back_begin_again_at_zero(totals: TotalsPort) -> None:
    """A counter that falls a little reads as a reset to 0, and its whole height as new: a spike of millions."""
    await totals.add("a", 1, 0, {"polls": 1_000_000})
    number = await totals.add("b", 1, 50, {"polls": 3})  # b has seen change 50; here there was only 1
    assert await totals.read() == {"polls": 3}
    await totals.add("a", 2, 40, {"polls": 4})  # who has seen less does not begin once more
    assert await totals.read() == {"polls": 7}
    assert number > 50


async def the_counts_of_a_process_that_ended_stay(totals: TotalsPort) -> None:
    first, second = Counting(), Counting()
    for name, counting in (("life-1", first), ("life-2", second)):
        telling = Telling(totals, name, counting)
        for _ in range(3):
            counting.polls += 10
            await telling.tell()
    assert await totals.read() == {"polls": 60}


CHECKS = [
    what_several_processes_count_is_added_up,
    a_batch_that_is_sent_again_counts_once,
    totals_that_went_back_begin_again_at_zero,
    the_counts_of_a_process_that_ended_stay,
]
on_each = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@on_each
async def test_in_memory(check: Check) -> None:
    await check(MemoryTotals())


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
@on_each
async def test_on_redis(check: Check, fresh_redis: str) -> None:
    async with RedisBench(fresh_redis) as bench:
        await check(Totals(bench.topology, bench.keys))


async def test_an_answer_that_is_lost_counts_nothing_twice_and_nothing_not_at_all() -> None:
    totals, counting = Forgetful(), Counting()
    telling = Telling(totals, "w", counting)
    for lost_before, lost_after in ((False, True), (True, False), (False, True), (False, False)):
        totals.lost_before, totals.lost_after = lost_before, lost_after
        counting.polls += 10
        await telling.tell()
    assert totals.totals == {"polls": 40}


async def test_a_count_that_falls_adds_nothing_until_it_is_past() -> None:
    totals, counting = MemoryTotals(), Counting(10)
    telling = Telling(totals, "w", counting)
    for polls in (10, 0, 4, 12):  # a socket was closed, and its drops with it
        counting.polls = polls
        await telling.tell()
    assert totals.totals == {"polls": 12}


def test_a_histogram_counts_a_value_in_the_bucket_whose_bound_it_is() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.2, 7.0, -3.0):
        histogram.note(value)
    assert histogram.lay_out("h", "snmp") == {"h|snmp|0": 3, "h|snmp|1": 1, "h|snmp|2": 1, "h|snmp|sum": 7_350_000}
    assert Histogram((1.0,)).lay_out("h") == {}


def test_counts_are_laid_out_under_their_names() -> None:
    assert by_label("polls", {"ok": 2, "auth": 0}, "snmp") == {"polls|snmp|ok": 2}
    assert field("polls", "a|b") == "polls|a/b"
    assert together([{"a": 1}, {"a": 2, "b": 3}]) == {"a": 3, "b": 3}


class Counting:
    """A process with one counter."""

    def __init__(self, polls: int = 0) -> None:
        self.polls = polls

    def __call__(self) -> Mapping[str, int]:
        return {"polls": self.polls}


class Forgetful(MemoryTotals):
    """Totals behind a connection that breaks, before or after Redis has done it."""

    lost_before = lost_after = False

    async def add(self, own_id: str, batch: int, seen: int, added: Mapping[str, int]) -> int:
        if self.lost_before:
            raise RedisUnavailable("reset by peer")
        number = await super().add(own_id, batch, seen, added)
        if self.lost_after:
            raise RedisUnavailable("reset by peer")
        return number
