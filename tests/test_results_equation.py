"""The equation, on simulated histories: what is true is found true, and whatever is taken away is found."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.coordinator.plan import PlanTerms, build_plan
from streampoll.coordinator.schedule import Cron, Every
from streampoll.model import Device, Status
from streampoll.results.equation import (
    Booked,
    Entry,
    Gap,
    Line,
    SkippedRange,
    Stored,
    Tally,
    book,
    judge,
    percentile,
    undispatched,
)
from streampoll.results.promise import NOTHING, Promise, Sum, promised

START, END = 1_000, 1_039


def _stored(polls: Sum, status: Status = Status.OK) -> Stored:
    return Stored(polls, {status: polls.count})


def _sums(draw: st.DrawFn) -> dict[int, Sum]:
    ticks = st.integers(START, END)
    return draw(st.dictionaries(ticks, st.builds(Sum, st.integers(1, 9), st.integers(0, 2**64 - 1)), max_size=12))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Line], dict[int, Stored]]:
    """Lines in which everything promised was dispatched or skipped, and everything dispatched has its row."""
    lines, rows = [], dict[int, Sum]()
    for shard in range(draw(st.integers(1, 3))):
        due, ad_hoc, booked = _sums(draw), _sums(draw), {}
        for tick in due.keys() | ad_hoc.keys():
            planned, extra = due.get(tick, NOTHING), ad_hoc.get(tick, NOTHING)
            skipped = draw(st.booleans())
            booked[tick] = Booked(NOTHING if skipped else planned, extra, planned.count if skipped else 0)
            for sent in (booked[tick].planned, extra):
                rows[tick] = rows.get(tick, NOTHING) + sent
        lines.append(Line(shard, due, booked, (), END))
    return lines, {tick: _stored(polls) for tick, polls in rows.items() if polls.count}


def _balances(tally: Tally) -> bool:
    found = tally.by_status.total() + tally.skipped + tally.lost + tally.missing
    return tally.expected + tally.duplicates == found


@given(histories())
def test_a_true_history_is_found_true(history: tuple[list[Line], dict[int, Stored]]) -> None:
    tally = judge("j", *history, frozenset())
    assert (tally.missing, tally.lost, tally.duplicates, tally.shortfalls) == (0, 0, 0, [])
    assert _balances(tally)


@given(histories(), st.data())
def test_a_row_taken_away_is_missing(history: tuple[list[Line], dict[int, Stored]], data: st.DataObject) -> None:
    lines, stored = history
    if not stored:
        return
    slot = data.draw(st.sampled_from(sorted(stored)))
    stored[slot] = _stored(Sum(stored[slot].polls.count - 1, 5))
    tally = judge("j", lines, stored, frozenset())
    assert (tally.missing, tally.duplicates) == (1, 0)
    assert [(s.gap, s.slot) for s in tally.shortfalls] == [(Gap.NO_ROW, slot)]
    assert _balances(tally)


@given(histories(), st.data())
def test_a_ledger_entry_taken_away_is_missing(
    history: tuple[list[Line], dict[int, Stored]], data: st.DataObject
) -> None:
    lines, stored = history
    line = data.draw(st.sampled_from(lines))
    if not line.promised:
        return
    tick = data.draw(st.sampled_from(sorted(line.promised)))
    lines[lines.index(line)] = replace(line, booked={t: b for t, b in line.booked.items() if t != tick})
    tally = judge("j", lines, stored, frozenset())
    assert tally.missing >= line.promised[tick].count
    assert _balances(tally)


@given(histories(), st.integers(START, END), st.integers(1, 5))
def test_a_row_too_many_is_told(history: tuple[list[Line], dict[int, Stored]], slot: int, more: int) -> None:
    lines, stored = history
    former = stored.get(slot, Stored(NOTHING, {})).polls
    stored[slot] = _stored(former + Sum(more, 77))
    skipped = sum(line.booked[slot].skipped for line in lines if slot in line.booked)
    tally = judge("j", lines, stored, frozenset())
    assert (tally.missing, tally.duplicates) == (0, max(0, more - skipped))
    assert _balances(tally)


@given(histories(), st.data())
def test_one_device_in_the_place_of_another_is_told(
    history: tuple[list[Line], dict[int, Stored]], data: st.DataObject
) -> None:
    lines, stored = history
    skipped = {tick for line in lines for tick, entry in line.booked.items() if entry.skipped}
    if not stored.keys() - skipped:
        return
    slot = data.draw(st.sampled_from(sorted(stored.keys() - skipped)))
    stored[slot] = _stored(stored[slot].polls + Sum(0, 1))
    tally = judge("j", lines, stored, frozenset())
    assert (tally.missing, tally.duplicates) == (1, 1)
    assert _balances(tally)


@given(histories(), st.data())
def test_whatever_is_wrong_the_equation_balances(
    history: tuple[list[Line], dict[int, Stored]], data: st.DataObject
) -> None:
    lines, stored = history
    for slot in data.draw(st.lists(st.integers(START, END), max_size=4)):
        stored[slot] = _stored(Sum(data.draw(st.integers(0, 20)), data.draw(st.integers(0, 99))))
    first = data.draw(st.integers(START, END))
    span = SkippedRange(first, data.draw(st.integers(first, END)), data.draw(st.integers(0, 30)))
    lines[0] = replace(lines[0], ranges=(span,), losses=((first, first + 5),))
    open_slots = data.draw(st.frozensets(st.integers(START, END), max_size=4))
    assert _balances(judge("j", lines, stored, open_slots))


def _line(promised: int = 4, booked: Booked | None = None, **changes: object) -> Line:
    entry = {START: booked} if booked else {}
    return replace(Line(7, {START: Sum(promised, 40)}, entry, (), END), **changes)  # type: ignore[arg-type]


def test_what_is_short_where_a_loss_is_on_record_is_lost() -> None:
    line = _line(booked=Booked(Sum(4, 40)), losses=((START, START),))
    tally = judge("j", [line], {START: _stored(Sum(1, 10))}, frozenset())
    assert (tally.lost, tally.missing) == (3, 0)


def test_a_loss_in_one_shard_does_not_excuse_another() -> None:
    lossy = _line(promised=1, booked=Booked(Sum(1, 40)), losses=((START, START),))
    other = replace(_line(booked=Booked(Sum(4, 40))), shard=8)
    tally = judge("j", [lossy, other], {}, frozenset())
    assert (tally.lost, tally.missing) == (1, 4)


def test_a_slot_that_is_unfinished_is_not_judged() -> None:
    tally = judge("j", [_line(booked=Booked(Sum(4, 40)))], {}, {START})
    assert tally == Tally()


def test_beyond_the_ledgers_last_entry_nothing_is_judged_but_it_is_told() -> None:
    line = _line(horizon=START - 1)
    assert judge("j", [line], {}, frozenset()) == Tally()
    assert undispatched(line, START + 31) == (START, 4)
    assert undispatched(line, START + 29) is None


def test_a_job_that_was_never_dispatched_is_told() -> None:
    assert undispatched(_line(horizon=None), START + 100) == (START, 4)


def test_a_range_of_skipped_ticks_counts_each_poll_of_it() -> None:
    line = _line(promised=4, ranges=(SkippedRange(START - 5, START + 5, 4),))
    tally = judge("j", [line], {}, frozenset())
    assert (tally.expected, tally.skipped, tally.missing) == (4, 4, 0)


def test_a_range_that_skips_fewer_than_were_due_leaves_the_rest_missing() -> None:
    line = _line(promised=4, ranges=(SkippedRange(START - 5, START + 5, 3),))
    tally = judge("j", [line], {}, frozenset())
    assert (tally.expected, tally.skipped, tally.missing) == (4, 3, 1)


def test_a_range_that_repeats_what_was_dispatched_counts_it_once() -> None:
    line = _line(booked=Booked(Sum(4, 40)), ranges=(SkippedRange(START, START, 4),))
    tally = judge("j", [line], {START: _stored(Sum(4, 40))}, frozenset())
    assert (tally.expected, tally.skipped, tally.missing, tally.duplicates) == (4, 0, 0, 0)


def test_what_was_dispatched_and_then_skipped_is_lost_where_it_has_no_row() -> None:
    """Redis forgot the dispatch, and who noticed died before that was on record: polls were missing."""
    line = _line(booked=Booked(Sum(4, 40)), ranges=(SkippedRange(START, START + 5, 4),))
    tally = judge("j", [line], {START: _stored(Sum(1, 10))}, frozenset())
    assert (tally.expected, tally.lost, tally.skipped, tally.missing) == (4, 3, 0, 0)


def test_what_one_entry_dispatched_and_another_skipped_is_lost_where_it_has_no_row() -> None:
    line = _line(booked=Booked(Sum(4, 40), forgotten=True))
    tally = judge("j", [line], {START: _stored(Sum(1, 10))}, frozenset())
    assert (tally.lost, tally.missing) == (3, 0)


def test_a_row_beats_a_skip() -> None:
    """Polled, then Redis forgot its dispatch, ledger entry and all, and it was skipped: the row was one too many."""
    line = _line(ranges=(SkippedRange(START, START + 5, 4),))
    tally = judge("j", [line], {START: _stored(Sum(3, 30))}, frozenset())
    assert (tally.expected, tally.skipped, tally.missing, tally.duplicates) == (4, 1, 0, 0)


def test_a_row_beats_a_loss_on_record() -> None:
    """The row was stored, its ledger entry lost: the poll counted as lost, and its row as one too many."""
    line = _line(losses=((START, START),))
    tally = judge("j", [line], {START: _stored(Sum(3, 30))}, frozenset())
    assert (tally.expected, tally.lost, tally.missing, tally.duplicates) == (4, 1, 0, 0)


def test_a_row_whose_dispatch_nobody_knows_of_is_told_where_no_loss_is_on_record() -> None:
    tally = judge("j", [_line()], {START: _stored(Sum(4, 40))}, frozenset())
    assert (tally.missing, tally.duplicates) == (4, 4)


def test_ranges_that_begin_alike_count_each_tick_once() -> None:
    """A range was stored, Redis forgot it, and what was skipped then went further."""
    due = {START: Sum(4, 40), START + 6: Sum(4, 40)}
    ranges = (SkippedRange(START, START + 5, 4), SkippedRange(START, START + 8, 8))
    tally = judge("j", [Line(7, due, {}, ranges, END)], {}, frozenset())
    assert (tally.expected, tally.skipped, tally.missing) == (8, 8, 0)


def test_a_tick_dispatched_by_two_plans_counts_by_the_one_in_force() -> None:
    """Redis forgot a tick, and the plan changed before it was dispatched again."""
    entries = [Entry(1, Sum(5, 50)), Entry(2, Sum(4, 40)), Entry(0, Sum(1, 7))]
    booked = book(entries, due=Sum(4, 40))
    assert booked == Booked(Sum(4, 40), Sum(1, 7), superseded=5)

    line = _line(booked=booked)
    for rows in (5, 6, 10):
        tally = judge("j", [line], {START: _stored(Sum(rows, 47))}, frozenset())
        assert (tally.expected, tally.missing, tally.duplicates) == (rows, 0, 0)


def test_other_devices_than_planned_are_told() -> None:
    tally = judge("j", [_line(booked=Booked(Sum(4, 41)))], {START: _stored(Sum(4, 41))}, frozenset())
    assert tally.missing == 1


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 1), (0.51, 2), (1.0, 9)])
def test_a_percentile_is_the_nearest_rank(share: float, value: float) -> None:
    assert percentile({1: 5, 2: 4, 9: 1}, share) == value


def test_a_percentile_of_nothing_is_unknown() -> None:
    assert percentile({}, 0.5) is None


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from([0, 7, 20])), max_size=20, unique_by=lambda d: d[0]))
def test_a_promise_says_what_the_plan_dispatches(devices: list[tuple[int, int]]) -> None:
    inventory = [Device(f"r{n}", f"10.0.0.{n}", interval_s=interval) for n, interval in devices]
    plan = build_plan(PlanTerms("j", 3, Every(15), START + 4, END - 4), inventory, "p")
    due = promised([Promise.read(START, None, plan.summary())], START, END)
    for tick in range(START, END + 1):
        parts = plan.parts(tick, 2)
        sent = Sum(sum(len(part.polls) for part in parts), sum(part.hash_sum for part in parts) % 2**64)
        assert due.get(tick, NOTHING) == sent


def test_a_promise_of_a_cron_job_says_when_it_fires() -> None:
    plan = build_plan(PlanTerms("j", 3, Cron("*/5 * * * *", "Europe/Berlin")), [Device("r1", "10.0.0.1")], "p")
    due = promised([Promise.read(0, 1_000_000, plan.summary())], 10_000, 10_900)
    assert sorted(due) == [10_200, 10_500, 10_800]
    assert due[10_200] == Sum(1, int(plan.summary()["hash_sum"]))


def test_a_plan_is_followed_by_the_next() -> None:
    body = {"intervals": {"1": {"0": [1, "5"]}}}
    more = {"intervals": {"1": {"0": [2, "9"]}}}
    due = promised([Promise.read(START, START + 2, body), Promise.read(START + 2, None, more)], START, START + 3)
    assert [due[tick].count for tick in sorted(due)] == [1, 1, 2, 2]
