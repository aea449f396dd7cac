"""Lines: what a leader sends at which second, whatever happened before."""

import pytest

from streampoll.coordinator.line import Line, Pace
from streampoll.coordinator.plan import Plan, PlanTerms, build_plan
from streampoll.coordinator.schedule import Every
from streampoll.model import Device
from streampoll.shards.port import Answer, Dispatched, mark_of

PACE = Pace(grace_s=10, batch_size=10)


def plan_of(count: int, interval_s: int = 1, names: str = "sw") -> Plan:
    devices = [Device(f"{names}{n}", f"10.0.0.{n}") for n in range(count)]
    return build_plan(PlanTerms("j", 0, Every(interval_s, spread=False)), devices, "")


def line_at(tick: int, plan: Plan, mark: int = 0) -> Line:
    line = Line("j", 0, tick, mark)
    line.plan = plan
    return line


def sent(line: Line, now: int, answer: Answer = Answer.OK, pace: Pace = PACE):
    sends = line.wanted(now, pace)
    line.heard(sends, [Dispatched(answer)] * len(sends))
    return [(send.tick, send.part, len(send.polls), send.skipped) for send in sends]


def test_each_tick_is_sent_once():
    line = line_at(100, plan_of(1))
    assert [sent(line, now) for now in (100, 100, 101)] == [[(100, 0, 1, 0)], [], [(101, 0, 1, 0)]]


def test_a_tick_with_many_devices_is_sent_in_parts_that_follow_one_another():
    line = line_at(100, plan_of(25))
    sends = line.wanted(100, PACE)
    assert [(send.part, send.previous) for send in sends] == [(0, 0), (1, mark_of(100, 0)), (2, mark_of(100, 1))]


def test_a_tick_at_which_nothing_is_due_is_not_sent():
    line = line_at(101, plan_of(1, interval_s=100))
    assert [sent(line, now) for now in (101, 150, 199, 200)] == [[], [], [], [(200, 0, 1, 0)]]


def test_what_was_missed_within_the_grace_is_sent_two_ticks_at_a_time():
    line = line_at(100, plan_of(1))
    assert [[tick for tick, *_ in sent(line, now)] for now in (105, 106, 107, 108)] == [
        [100, 101], [102, 103], [104, 105], [106, 107],
    ]  # fmt: skip


def test_what_was_missed_for_longer_is_skipped_as_one_range():
    line = line_at(100, plan_of(3))
    skip, *rest = line.wanted(200, PACE)
    assert (skip.tick, skip.tick_to, skip.skipped, skip.cause, len(skip.polls)) == (100, 189, 270, "late", 0)
    assert [send.tick for send in rest] == [190]


def test_a_range_ends_where_another_plan_begins():
    line = line_at(100, plan_of(3))
    other = plan_of(1, names="other")
    assert line.change(other, 150)
    skips = [send for send in line.wanted(200, PACE) if send.skipped]
    assert [(skip.tick, skip.tick_to, skip.plan, skip.skipped) for skip in skips] == [
        (100, 149, plan_of(3).id, 150), (150, 189, other.id, 40),
    ]  # fmt: skip


def test_a_new_plan_takes_effect_at_its_tick():
    line = line_at(100, plan_of(1))
    assert line.change(plan_of(2, names="new"), 102)
    assert [sent(line, now) for now in (100, 101, 102)] == [[(100, 0, 1, 0)], [(101, 0, 1, 0)], [(102, 0, 2, 0)]]


def test_a_plan_for_a_tick_already_looked_at_is_refused():
    line = line_at(100, plan_of(1))
    sent(line, 100)
    assert not line.change(plan_of(2), 100)


def test_a_line_goes_on_behind_the_mark_that_redis_holds():
    line = line_at(0, plan_of(25), mark_of(100, 1))
    assert sent(line, 100) == [(100, 2, 5, 0)]


def test_the_rest_of_a_tick_that_is_too_old_is_skipped():
    line = line_at(0, plan_of(25, interval_s=1000), mark_of(1000, 1))
    [send] = line.wanted(1100, PACE)
    assert (send.tick, send.part, len(send.polls), send.cause) == (1000, 2, 5, "late")


@pytest.mark.parametrize("answer", [Answer.EARLY])
def test_what_redis_did_not_take_is_sent_again(answer):
    line = line_at(100, plan_of(1))
    assert sent(line, 100, answer) == sent(line, 100)


def test_a_line_goes_on_from_where_another_leader_has_come():
    line = line_at(100, plan_of(1))
    sends = line.wanted(100, PACE)
    assert line.heard(sends, [Dispatched(Answer.DONE, mark_of(103, 0))]) is None
    assert [tick for tick, *_ in sent(line, 104)] == [104]


def test_a_mark_that_went_back_is_a_setback():
    line = line_at(0, plan_of(1), mark_of(103, 0))
    sends = line.wanted(104, PACE)
    setback = line.heard(sends, [Dispatched(Answer.GAP, mark_of(101, 0))])
    assert setback is not None
    assert (setback.expected, setback.found) == (mark_of(103, 0), mark_of(101, 0))


def test_while_memory_is_short_everything_is_skipped_with_that_cause():
    line = line_at(100, plan_of(3))
    [send] = line.wanted(100, Pace(10, 10, cause="memory"))
    assert (send.cause, len(send.polls)) == ("memory", 3)


def test_a_line_without_a_committed_plan_waits_and_forgets_no_tick():
    line = Line("j", 0, 100)
    assert line.wanted(103, PACE) == []
    line.plan = plan_of(1)
    assert [tick for tick, *_ in sent(line, 103)] == [100, 101]


def test_a_line_ahead_of_the_clock_goes_on_from_now_and_names_the_mark_that_redis_holds():
    line = line_at(0, plan_of(1), mark_of(5000, 0))
    assert line.bring_back(1000) == 4000
    [send] = line.wanted(1001, PACE)
    assert (send.tick, send.previous) == (1001, mark_of(5000, 0))


def test_a_line_a_little_ahead_of_the_clock_waits_for_it():
    line = line_at(0, plan_of(1), mark_of(1002, 0))
    assert line.bring_back(1000) == 0
    assert line.wanted(1002, PACE) == []
