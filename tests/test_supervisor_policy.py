"""What the supervisor does next, as tables."""

from dataclasses import replace

import pytest

from streampoll.worker.policy import (
    DRAIN_SLACK_S,
    TRACE_S,
    Action,
    Child,
    CrewView,
    Drain,
    Fork,
    Kill,
    Rules,
    Trace,
    backoff_s,
    decide,
    jittered_limit,
)

NOW = 1000.0
RULES = Rules(processes=2, start_timeout_s=30.0, drain_s=20.0, hard_limit_s=60.0, max_tasks=100, max_rss_mb=200)
A = Child(pid=11, index=0, serial=1, forked=900.0, task_limit=100, beat=999.5)
B = Child(pid=12, index=1, serial=2, forked=900.0, task_limit=100, beat=999.5)
A2 = Child(pid=13, index=0, serial=3, forked=999.0, task_limit=100)  # has not beaten yet


def names(actions: list[Action]) -> list[tuple[str, int]]:
    """Reduce actions to their kind and whom they concern."""
    return [(type(action).__name__, action.index if isinstance(action, Fork) else action.pid) for action in actions]


def decided(*children: Child, rules: Rules = RULES, **crew: object) -> list[tuple[str, int]]:
    return names(decide(NOW, CrewView(children, **crew), rules))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        pytest.param([A, B], [], id="a crew that is well is left alone"),
        pytest.param([], [("Fork", 0), ("Fork", 1)], id="empty places are filled"),
        pytest.param([B], [("Fork", 0)], id="one that died is replaced at its own index"),
        pytest.param([replace(A, drained=990.0), B], [("Fork", 0)], id="a draining child holds no place"),
        pytest.param([A, B, A2], [], id="the older stays until the newer has beaten"),
        pytest.param([A, B, replace(A2, beat=999.9)], [("Drain", 11)], id="then it drains"),
        pytest.param([replace(A2, beat=999.9), A, B], [("Drain", 11)], id="newer is told by the serial, not the order"),
        pytest.param([A, B, replace(B, pid=14, index=2)], [("Drain", 14)], id="places no longer wanted are emptied"),
        pytest.param([replace(A, killed=999.0), B], [], id="a killed child holds its place until it is gone"),
    ],
)
def test_places(children: list[Child], expected: list[tuple[str, int]]) -> None:
    assert decided(*children) == expected


def test_an_empty_place_waits_for_its_back_off() -> None:
    assert decided(B, not_before={0: NOW + 0.1}) == []
    assert decided(B, not_before={0: NOW}) == [("Fork", 0)]


@pytest.mark.parametrize(
    "due", [replace(A, done=100), replace(A, rss_mb=200.1), replace(A, outdated=True)], ids=["tasks", "rss", "reload"]
)
def test_a_child_that_had_its_time_is_forked_beside_before_it_is_drained(due: Child) -> None:
    assert decided(due, B) == [("Fork", 0)]
    assert decided(due, B, A2) == []
    assert decided(due, B, replace(A2, beat=NOW)) == [("Drain", 11)]


def test_limits_of_zero_never_replace() -> None:
    never = replace(RULES, max_rss_mb=0)
    assert decided(replace(A, done=9999, task_limit=0, rss_mb=9999.0), B, rules=never) == []


@pytest.mark.parametrize(
    ("others", "crew"),
    [
        pytest.param([replace(B, outdated=True), replace(A2, index=1, drained=990.0)], {}, id="while one drains"),
        pytest.param([replace(B, beat=0.0, forked=999.0)], {}, id="while one starts"),
        pytest.param([B], {"not_before": {1: NOW + 1}}, id="while one is in back-off"),
    ],
)
def test_only_one_child_is_replaced_at_a_time(others: list[Child], crew: dict[str, object]) -> None:
    assert decided(replace(A, outdated=True), *others, **crew) == []


def test_of_several_that_are_due_one_is_replaced() -> None:
    assert decided(replace(A, outdated=True), replace(B, outdated=True)) == [("Fork", 0)]


STUCK = replace(A, beat=NOW - 60.1)


def test_a_loop_that_does_not_beat_is_traced_then_killed_once() -> None:
    assert decided(STUCK, B) == [("Trace", 11)]
    assert decided(replace(STUCK, traced=NOW - TRACE_S / 2), B) == []
    assert decided(replace(STUCK, traced=NOW - TRACE_S), B) == [("Kill", 11)]
    assert decided(replace(STUCK, traced=990.0, killed=999.0), B) == []


@pytest.mark.parametrize(
    "child",
    [
        pytest.param(replace(A, beat=NOW - 59.9), id="a loop within its limit"),
        pytest.param(replace(A, beat=0.0, forked=NOW - 29.9), id="a start within its time-out"),
        pytest.param(replace(A, drained=NOW - 25.0 - DRAIN_SLACK_S + 0.1), id="a drain within its time"),
    ],
)
def test_a_child_within_its_limits_is_not_killed(child: Child) -> None:
    assert not {"Trace", "Kill"} & {kind for kind, _ in decided(child, B)}


@pytest.mark.parametrize(
    "child",
    [
        pytest.param(replace(A, beat=0.0, forked=NOW - 30.1), id="did not start"),
        pytest.param(replace(A, drained=NOW - 25.1 - DRAIN_SLACK_S), id="did not drain"),
    ],
)
def test_a_child_over_its_limits_is_ended(child: Child) -> None:
    assert ("Trace", 11) in decided(child, B)
    assert ("Trace", 11) in decided(child, B, stopping=True)


def test_a_hard_limit_of_zero_never_kills() -> None:
    assert decided(replace(A, beat=1.0), B, rules=replace(RULES, hard_limit_s=0.0)) == []


def test_a_parent_that_did_not_run_itself_gives_its_children_time() -> None:
    suspended = [replace(A, beat=1.0), replace(B, beat=0.0, forked=1.0)]
    assert decided(*suspended, awake_since=NOW - 1) == []


def test_stopping_drains_everybody_once_and_forks_nobody() -> None:
    assert decided(A, stopping=True) == [("Drain", 11)]
    assert decided(replace(A, drained=999.0), B, A2, stopping=True) == [("Drain", 12), ("Drain", 13)]
    assert decided(replace(A, drained=999.0), stopping=True) == []


def test_told_twice_kills_everybody_once() -> None:
    assert decided(replace(A, drained=999.0), B, stopping=True, hurry=True) == [("Kill", 11), ("Kill", 12)]
    assert decided(replace(A, killed=999.0), stopping=True, hurry=True) == []


def test_reasons_are_said() -> None:
    why = [decide(NOW, CrewView((child, B)), RULES)[0].why for child in (STUCK, replace(A, done=120))]
    assert why == ["its loop has been stuck for 60.1 s", "to replace pid 11: 120 tasks done"]
    assert Kill(1, "") != Drain(1, "") != Trace(1, "")


@pytest.mark.parametrize(
    ("failures", "shortest_s", "longest_s"), [(1, 0, 0), (2, 0.25, 0.5), (3, 0.5, 1), (4, 1, 2), (999, 15, 30)]
)
def test_back_off_doubles_up_to_a_bound_with_half_of_it_jitter(
    failures: int, shortest_s: float, longest_s: float
) -> None:
    assert backoff_s(failures, 0.0) == shortest_s
    assert shortest_s <= backoff_s(failures, 0.999) <= longest_s


def test_each_child_has_its_own_task_limit_within_ten_percent() -> None:
    assert [jittered_limit(1000, jitter) for jitter in (0.0, 0.5, 1.0)] == [900, 1000, 1100]
    assert jittered_limit(0, 0.7) == 0
    assert jittered_limit(1, 0.0) == 1
