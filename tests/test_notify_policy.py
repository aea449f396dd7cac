"""Groups by a made-up clock: waiting, news, reminders, escalation, quiet hours, recovery."""

from datetime import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.model import Change, Severity
from streampoll.notifications.backoff import again_s
from streampoll.notifications.group import Group, decode_group, encode_group
from streampoll.notifications.hours import Hours
from streampoll.notifications.pace import Rate, parse_rate, take
from streampoll.notifications.policy import LOST_S, MOST_MEMBERS, join
from streampoll.notifications.routes import Route, Step, find, why_not
from tests.notify_support import MONDAY_NOON, ROUTE, Story, event

ZURICH = ZoneInfo("Europe/Zurich")
NIGHT = Hours("night", frozenset(range(7)), time(22), time(7), ZoneInfo("UTC"))
HOUR = 3600.0


def closed(number: int = 1, **more: object):
    return event(number, Change.CLOSED, MONDAY_NOON + 600, **more)


def test_a_hundred_interfaces_are_one_message_once_the_group_has_waited() -> None:
    story = Story().happens(*(event(number) for number in range(100))).until(60)

    assert story.times == [(30.0, "opened")]
    assert len(story.told[0][1].members) == 100


def test_what_comes_later_waits_for_the_interval() -> None:
    story = Story().happens(event(1)).until(100).happens(event(2)).until(1000)

    assert story.times == [(30.0, "opened"), (330.0, "opened")]


def test_an_open_event_is_repeated_until_it_is_acknowledged() -> None:
    story = Story().happens(event()).until(2.5 * HOUR)
    story.happens(event(change=Change.ACKNOWLEDGED)).until(10 * HOUR)

    assert story.times == [(30.0, "opened"), (3630.0, "repeat"), (7230.0, "repeat")]


def test_an_unacknowledged_event_escalates_step_by_step_and_each_step_once() -> None:
    steps = (Step(900, ("oncall",)), Step(1800, ("boss",)))
    story = Story(Route("ops", ("mail",), repeat_s=HOUR, steps=steps)).happens(event()).until(1.9 * HOUR)

    assert story.times == [(30.0, "opened"), (930.0, "escalated"), (1830.0, "escalated"), (5430.0, "repeat")]
    assert story.channels == [("mail",), ("oncall",), ("boss",), ("mail", "oncall", "boss")]


def test_an_acknowledged_event_does_not_escalate() -> None:
    story = Story(Route("ops", ("mail",), steps=(Step(900, ("oncall",)),))).happens(event()).until(60)
    story.happens(event(change=Change.ACKNOWLEDGED, at=MONDAY_NOON + 60)).until(3 * HOUR)

    assert story.times == [(30.0, "opened")]


def test_what_a_workflow_tells_is_told_once() -> None:
    story = Story(Route("ops", ("mail",), repeat_s=HOUR, steps=(Step(900, ("boss",)),)))
    story.happens(event(labels={"workflow": "backup", "run": "7"})).until(5 * HOUR)

    assert story.times == [(30.0, "opened")]
    assert story.group is None


def test_recovery_is_told_to_all_who_heard_of_the_trouble() -> None:
    story = Story(Route("ops", ("mail",), steps=(Step(400, ("oncall",)),))).happens(event()).until(600)
    story.happens(closed()).until(HOUR)

    assert story.times == [(30.0, "opened"), (430.0, "escalated"), (730.0, "closed")]
    assert story.channels[-1] == ("mail", "oncall")
    assert story.group is None


def test_what_is_over_before_anybody_was_told_is_told_to_nobody() -> None:
    story = Story().happens(event(), closed()).until(HOUR)

    assert story.times == []
    assert story.group is None


def test_a_route_without_recovery_tells_no_end() -> None:
    story = Story(Route("ops", ("mail",), recovery=False)).happens(event()).until(60).happens(closed()).until(HOUR)

    assert story.times == [(30.0, "opened")]


def test_an_event_that_gets_worse_is_news_and_one_that_gets_better_is_not() -> None:
    worse = event(change=Change.UPDATED, at=MONDAY_NOON + 60, severity=Severity.CRITICAL)
    better = event(change=Change.UPDATED, at=MONDAY_NOON + 400, severity=Severity.WARNING)
    story = Story().happens(event()).until(60).happens(worse).until(400).happens(better).until(1000)

    assert story.times == [(30.0, "opened"), (330.0, "opened")]


def test_quiet_hours_keep_it_until_their_end() -> None:
    evening = MONDAY_NOON + 11 * HOUR
    story = Story(Route("ops", ("mail",), quiet=NIGHT), evening).happens(event()).until(12 * HOUR)

    assert story.times == [(8 * HOUR, "opened"), (12 * HOUR, "repeat")]


def test_the_critical_is_told_in_quiet_hours_too() -> None:
    night = MONDAY_NOON + 11 * HOUR
    story = Story(Route("ops", ("mail",), quiet=NIGHT), night).happens(event(severity=Severity.CRITICAL)).until(60)

    assert story.times == [(30.0, "opened")]


def test_news_that_comes_all_the_time_does_not_put_a_flush_off() -> None:
    group = Group("ops", ("sw1",))
    group = join(group, event(1), ROUTE, MONDAY_NOON)
    late = join(group, event(2), ROUTE, MONDAY_NOON + 40)
    lost = join(late, event(3), ROUTE, MONDAY_NOON + 31 + LOST_S)

    assert (late.due, late.serial) == (group.due, group.serial)
    assert lost.serial > group.serial


def test_of_a_great_many_events_the_rest_is_counted() -> None:
    story = Story().happens(*(event(number) for number in range(MOST_MEMBERS + 20))).until(60)

    assert (len(story.told[0][1].members), story.told[0][1].more) == (MOST_MEMBERS, 20)


CHANGES = st.sampled_from([Change.OPENED, Change.UPDATED, Change.CLOSED, Change.ACKNOWLEDGED])
LIVES = st.lists(st.tuples(st.integers(1, 4), CHANGES, st.integers(0, 2000), st.sampled_from(Severity)), max_size=25)


@given(LIVES)
def test_whatever_happens_a_group_ends_and_its_record_comes_back_as_it_was(life: list) -> None:
    story = Story(Route("ops", ("mail",), quiet=NIGHT, steps=(Step(900, ("oncall",)),)))
    for after_s, number, change, severity in sorted((each[2], each[0], each[1], each[3]) for each in life):
        story.until(after_s)
        story.happens(event(number, change, MONDAY_NOON + after_s, severity=severity))
        assert story.group is None or decode_group(encode_group(story.group)) == story.group
    story.until(2001).happens(*(event(n, Change.CLOSED, MONDAY_NOON + 2001) for n in range(1, 5))).until(24 * HOUR)

    assert story.group is None


@given(LIVES)
def test_an_event_that_comes_twice_changes_nothing(life: list) -> None:
    once, twice = Story(), Story()
    for after_s, number, change, severity in sorted((each[2], each[0], each[1], each[3]) for each in life):
        each = event(number, change, MONDAY_NOON + after_s, severity=severity)
        once.until(after_s).happens(each)
        twice.until(after_s).happens(each, each)

    assert twice.until(9000).times == once.until(9000).times


def test_the_first_route_that_matches_takes_an_event_unless_it_goes_on() -> None:
    routes = [
        Route("info", ("a",), go_on=True),
        Route("zurich", ("a",), labels={"site": frozenset(("zurich",))}),
        Route("rest", ("a",)),
    ]

    assert [taken.route for taken in find(event(), routes, 0.0)] == ["info", "zurich"]
    assert [taken.route for taken in find(event(labels={"site": "bern"}), routes, 0.0)] == ["info", "rest"]


def test_the_end_of_an_event_goes_to_every_route_that_may_have_it() -> None:
    day = Hours("day", frozenset(range(5)), time(8), time(18), ZoneInfo("UTC"))
    routes = [Route("day", ("a",), hours=day), Route("night", ("b",))]
    evening = MONDAY_NOON + 9 * HOUR

    assert [(taken.route, taken.joins) for taken in find(event(change=Change.CLOSED), routes, evening)] == [
        ("day", False),
        ("night", False),
    ]


@pytest.mark.parametrize(
    ("route", "why"),
    [
        (Route("a", (), severity=Severity.CRITICAL), "it wants critical or worse"),
        (Route("a", (), labels={"groups": frozenset(("edge",))}), ""),
        (Route("a", (), labels={"site": frozenset(("bern", "basel"))}), "site is 'zurich', not 'basel' or 'bern'"),
        (Route("a", (), hours=NIGHT), "it counts in the hours 'night' only"),
    ],
)
def test_a_route_says_why_it_does_not_take_an_event(route: Route, why: str) -> None:
    assert why_not(route, event(), MONDAY_NOON) == why


def test_groups_are_by_what_the_route_says() -> None:
    assert Route("a", (), group_by=("site", "rule")).group_of(event()) == ("zurich", "if-down")


@pytest.mark.parametrize(
    ("begin", "end", "days", "at", "holds", "ends"),
    [
        (time(8), time(18), range(5), "2026-01-05T12:00", True, "2026-01-05T18:00"),
        (time(8), time(18), range(5), "2026-01-04T12:00", False, "2026-01-04T12:00"),
        (time(22), time(7), range(5), "2026-01-06T03:00", True, "2026-01-06T07:00"),
        (time(22), time(7), range(5), "2026-01-10T03:00", True, "2026-01-10T07:00"),  # Friday's night
        (time(22), time(7), range(5), "2026-01-11T03:00", False, "2026-01-11T03:00"),
        (time(0), time(0), (5, 6), "2026-01-10T03:00", True, "2026-01-12T00:00"),  # a whole weekend
        (time(0), time(0), range(7), "2026-01-10T03:00", True, "2026-01-10T03:00"),  # for ever: nothing to wait for
        (time(22), time(7), range(7), "2026-03-29T01:30", True, "2026-03-29T07:00"),  # the clocks go forward
    ],
)
def test_hours_hold_and_end(begin: time, end: time, days: range, at: str, holds: bool, ends: str) -> None:
    from datetime import datetime

    hours = Hours("h", frozenset(days), begin, end, ZURICH)
    moment = datetime.fromisoformat(at).replace(tzinfo=ZURICH).timestamp()

    assert hours.holds(moment) is holds
    assert datetime.fromtimestamp(hours.ends(moment), ZURICH).strftime("%Y-%m-%dT%H:%M") == ends


def test_a_rate_lets_so_many_through_at_once_and_the_rest_evenly() -> None:
    waits, kept = [], 0.0
    for _ in range(5):
        wait_s, kept = take(Rate(2, 60.0), kept, 1000.0)
        waits.append(wait_s)

    assert waits == [0.0, 0.0, 30.0, 60.0, 90.0]
    assert take(Rate(2, 60.0), kept, 5000.0)[0] == 0.0


@pytest.mark.parametrize(("text", "rate"), [("10/m", Rate(10, 60)), ("5/10s", Rate(5, 10)), ("1 / h", Rate(1, 3600))])
def test_rates_are_read(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0/m", "10", "10/0s", "m/10", "10/y"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(text)


def test_attempts_back_off_to_a_quarter_of_an_hour_with_full_jitter() -> None:
    assert [again_s(n, 0.999999) // 1 for n in (1, 2, 3, 4, 50)] == [5, 10, 20, 40, 900]
    assert again_s(50, 0.0) == 1.0
    assert again_s(1, 0.0, asked_s=120.0) == 120.0
