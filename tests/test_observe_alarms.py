"""Alarms come before they cost polls, and name their cause once."""

import pytest

from streampoll.observe.alarms import alarms
from streampoll.observe.figures import QueueRow


def rows(*held: int) -> list[QueueRow]:
    return [QueueRow("results", shard, waiting=count, in_flight=0, home="w1") for shard, count in enumerate(held)]


def test_nothing_is_said_while_all_is_well() -> None:
    assert (
        list(alarms([*rows(99, 0), QueueRow("polling", 0, 5_000, 5_000, home="w1")], [{"store_away": ""}, {}], 1000))
        == []
    )


def test_a_class_in_which_something_waits_and_that_nobody_serves_is_named() -> None:
    waiting = [QueueRow("workflows", 0, waiting=2, delayed=1), QueueRow("workflows", 1, waiting=0, delayed=0)]
    served = [QueueRow("analysis", 0, waiting=2, delayed=0, home="w1"), QueueRow("urgent", 0, waiting=0, delayed=0)]

    assert list(alarms([*waiting, *served], [], 0)) == ["workflows: 3 wait, and no worker serves the class"]


@pytest.mark.parametrize(
    ("oldest_s", "lines"),
    [(59.0, []), (125.0, ["analysis: 9 wait, the oldest for 2m05s: events come so much later"])],
)
def test_analysis_that_does_not_keep_up_is_named_by_its_oldest(oldest_s: float, lines: list[str]) -> None:
    held = [
        QueueRow("analysis", 0, waiting=7, in_flight=1, oldest_s=3.0, home="w1"),
        QueueRow("analysis", 1, waiting=2, oldest_s=oldest_s, home="w1"),
        QueueRow("analysis", 2, waiting=0, in_flight=1, oldest_s=900.0, home="w1"),  # somebody's task, at work
    ]

    assert list(alarms(held, [], 0)) == lines


def test_messages_that_nobody_got_are_named() -> None:
    dead = [QueueRow("notifications", shard, dead=1, home="w1") for shard in range(2)] + [
        QueueRow("polling", 0, dead=9)
    ]

    assert list(alarms(dead, [], 0)) == [
        "notifications: 2 messages could not be delivered; `streampoll dead list --queue notifications` says why"
    ]


def test_stores_that_can_not_write_are_named_with_their_cause() -> None:
    published = [{"store_away": "PostgreSQL: refused"}, {"store_away": "PostgreSQL: refused"}, {"store_away": ""}]

    assert list(alarms([], published, 1000)) == ["rows wait in Redis, 2 stores wait: PostgreSQL: refused"]


@pytest.mark.parametrize(
    ("held", "line"),
    [
        (100, "results: 100 wait in shard 01, 10 % of those at which polls are skipped"),
        (1000, "results: 1,000 wait in shard 01, 100 % of those at which polls are skipped"),
        (1001, "results: 1,001 in shard 01 are over the high water: its polls are skipped"),
    ],
)
def test_results_that_pile_up_are_named_long_before_polls_are_skipped(held: int, line: str) -> None:
    assert list(alarms(rows(7, held, 0), [], 1000)) == [line]


def test_without_a_configuration_no_mark_is_made_up() -> None:
    assert list(alarms(rows(10**6), [], 0)) == []
