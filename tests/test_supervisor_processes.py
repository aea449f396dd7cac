"""The supervisor with real processes and real signals."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streampoll.worker.supervisor import TICK_S
from tests.supervisor_support import Supervised, alive
from tests.waiting import eventually

Start = Callable[..., Supervised]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Supervised] = []

    def run(*options: str, orders: tuple[str, ...] = (), stdin: int = subprocess.DEVNULL) -> Supervised:
        (tmp_path / "orders").mkdir()
        for order in orders:
            (tmp_path / "orders" / order).touch()
        started.append(Supervised(tmp_path, *options, stdin=stdin))
        return started[-1]

    yield run
    for supervised in started:
        supervised.end()


def test_sigterm_drains_every_child_and_exits_0(start: Start) -> None:
    supervised = start("processes=3")
    pids = supervised.wait_up(3)

    supervised.send(signal.SIGTERM)

    assert supervised.wait() == 0
    assert sorted(pid for _, pid in supervised.events("down")) == sorted(pids)
    assert not any(map(alive, pids))


def test_ctrl_c_reaches_the_group_and_still_drains(start: Start) -> None:
    supervised = start("processes=2")
    supervised.wait_up(2)

    os.killpg(supervised.process.pid, signal.SIGINT)

    assert supervised.wait() == 0
    assert len(supervised.events("down")) == 2
    assert "Traceback" not in supervised.log


def test_a_killed_child_is_replaced_at_its_index(start: Start) -> None:
    supervised = start("processes=2")
    victim = dict(supervised.events("up") if supervised.wait_up(2) else ())[1]

    os.kill(victim, signal.SIGKILL)

    supervised.wait_up(3)
    assert supervised.events("up")[2][0] == 1
    assert f"worker 1 (pid {victim}): ended by SIGKILL after" in supervised.log


def test_a_blocked_loop_is_traced_killed_and_replaced(start: Start) -> None:
    supervised = start("processes=2", "hard_limit_s=1.0")
    supervised.wait_up(2)

    supervised.order("block-0")

    supervised.wait_up(3)
    assert supervised.events("up")[2][0] == 0
    supervised.wait_log("its loop has been stuck for 1")
    supervised.wait_log(r'supervisor_child.py", line \d+ in run_child')  # where it was stuck
    assert supervised.log.count("killed") == 2  # announced and done: one child, once


def test_a_child_that_never_beats_is_replaced(start: Start) -> None:
    supervised = start("processes=1", "start_timeout_s=0.5", orders=("silent-0",))
    first = supervised.wait_up(1)[0]
    supervised.revoke("silent-0")

    supervised.wait_up(2)

    eventually(lambda: not alive(first))
    supervised.wait_log("it did not start within 0.5 s")


def test_sighup_replaces_every_child_and_never_has_fewer(start: Start) -> None:
    supervised = start("processes=3")
    old = supervised.wait_up(3)
    fewest = [3]

    def replaced() -> bool:
        fewest.append(sum(map(alive, {pid for _, pid in supervised.events("up")} - going())))
        return len(supervised.events("down")) == 3 and not any(map(alive, old))

    def going() -> set[int]:
        return {pid for _, pid in supervised.events("down")}

    supervised.send(signal.SIGHUP)
    eventually(replaced)

    assert [index for index, _ in supervised.events("up")[3:]] == [0, 1, 2]
    assert min(fewest) >= 3


def test_sighup_takes_on_another_number_of_processes(start: Start) -> None:
    supervised = start("processes=1")
    supervised.wait_up(1)

    supervised.order("reload", "processes=2")
    supervised.send(signal.SIGHUP)
    supervised.wait_up(3)
    supervised.order("reload", "processes=1")
    supervised.send(signal.SIGHUP)

    supervised.wait_log("fewer processes are wanted")


def test_a_bad_configuration_is_refused_and_the_old_one_stays(start: Start) -> None:
    supervised = start("processes=1")
    pid = supervised.wait_up(1)[0]

    supervised.order("reload", "bad")
    supervised.send(signal.SIGHUP)

    supervised.wait_log("refused, the old one stays: streampoll.toml:3: unknown key 'procesess'; write 'processes'")
    assert alive(pid)
    assert len(supervised.events("up")) == 1


def test_children_of_a_killed_supervisor_drain_and_go(start: Start) -> None:
    supervised = start("processes=2")
    pids = supervised.wait_up(2)

    supervised.send(signal.SIGKILL)

    eventually(lambda: not any(map(alive, pids)))
    assert len(supervised.events("down")) == 2


def test_a_crash_loop_backs_off_longer_each_time_and_ends_when_the_cause_does(start: Start) -> None:
    began = time.monotonic()
    supervised = start("processes=1", orders=("crash-0",))

    waits_s = [float(wait) for wait in supervised.wait_log(r"next try in (\d+\.\d) s", 3)]
    waited_s = time.monotonic() - began
    supervised.revoke("crash-0")

    supervised.wait_up(1)
    assert waited_s > sum(waits_s[:2]) - 0.1  # as said, rounded; the third wait has only begun
    assert waits_s == sorted(waits_s)
    assert supervised.log.count("ZeroDivisionError") >= 3


def test_children_are_recycled_by_tasks_without_a_gap(start: Start) -> None:
    supervised = start("processes=2", "max_tasks=50")
    supervised.wait_up(6)
    supervised.send(signal.SIGTERM)

    assert supervised.wait() == 0
    lines = supervised.log
    for _, pid in supervised.events("down")[:3]:
        assert lines.index(f"to replace pid {pid}") < lines.index(f"(pid {pid}): draining")


def test_a_child_above_its_size_is_recycled(start: Start) -> None:
    supervised = start("processes=1", "max_rss_mb=1")

    supervised.wait_up(2)

    supervised.wait_log(r"to replace pid \d+: \d+ MB resident")


def test_a_child_that_does_not_drain_is_killed_and_told_by_the_exit_code(start: Start) -> None:
    supervised = start("processes=2", "drain_s=0.1", orders=("stubborn-0",))
    pids = supervised.wait_up(2)

    supervised.send(signal.SIGTERM)

    assert supervised.wait() == 1
    assert not any(map(alive, pids))
    supervised.wait_log("it did not drain within 0.1 s")


def test_told_twice_it_kills_at_once(start: Start) -> None:
    supervised = start("processes=2", "drain_s=600", orders=("stubborn-0", "stubborn-1"))
    pids = supervised.wait_up(2)

    supervised.send(signal.SIGTERM)
    supervised.wait_log("SIGTERM: draining")
    eventually(lambda: "killing what is left" in supervised.log or supervised.send(signal.SIGTERM))

    assert supervised.wait() == 1
    assert not any(map(alive, pids))


def test_children_that_refuse_to_start_end_it_with_their_code(start: Start) -> None:
    supervised = start("processes=2", orders=("refuse",))

    assert supervised.wait() == 2
    assert "streampoll.toml: redis.url: unfit" in supervised.log
    assert "Traceback" not in supervised.log


def test_a_successor_that_refuses_its_configuration_leaves_the_old_children_in_place(start: Start) -> None:
    supervised = start("processes=2")
    pids = supervised.wait_up(2)

    supervised.order("refuse")
    supervised.send(signal.SIGHUP)
    supervised.wait_log("the new configuration is refused, the old one stays")
    os.kill(
        pids[0], signal.SIGKILL
    )  # the next look at the crew: were the others still to be replaced, one would be now
    supervised.revoke("refuse")
    supervised.wait_up(3)

    assert supervised.log.count("exited with 2") <= 2  # the successor, and at most one in the place of the killed
    assert alive(pids[1])


def test_crews_drain_one_after_another_in_their_order(start: Start) -> None:
    supervised = start("first", "processes=2", orders=("linger",))
    supervised.wait_up(2)
    eventually(lambda: supervised.events("first-up"))

    supervised.send(signal.SIGTERM)
    eventually(lambda: supervised.events("first-told"))
    os.kill(supervised.wait_up(2)[0], signal.SIGKILL)
    supervised.wait_up(3)  # the workers are kept at strength while the first crew drains
    assert not supervised.events("down")
    supervised.revoke("linger")

    assert supervised.wait() == 0
    assert len(supervised.events("down")) == 2


def test_the_end_of_a_crew_that_ends_all_drains_the_others(start: Start) -> None:
    supervised = start("first", "processes=2")
    supervised.wait_up(2)

    supervised.order("end")

    assert supervised.wait() == 7
    assert len(supervised.events("down")) == 2
    assert len(supervised.events("first-up")) == 1


def test_a_closed_terminal_ends_it_instead_of_a_reload(start: Start) -> None:
    terminal, stdin = os.openpty()
    supervised = start("processes=1", stdin=stdin)
    os.close(stdin)
    supervised.wait_up(1)

    os.close(terminal)
    supervised.send(signal.SIGHUP)

    assert supervised.wait() == 0
    assert len(supervised.events("down")) == 1


def test_a_parent_that_was_frozen_goes_on_as_if_nothing_had_been(start: Start) -> None:
    """It took the garbage that sigtimedwait answers then for a signal, and died or drained its crew."""
    supervised = start("processes=1")
    pids = supervised.wait_up(1)

    for _ in range(3):
        supervised.send(signal.SIGSTOP)
        over = time.monotonic() + TICK_S + 0.1
        eventually(lambda over=over: time.monotonic() > over)
        supervised.send(signal.SIGCONT)

    os.kill(pids[0], signal.SIGKILL)
    assert len(supervised.wait_up(2)) == 2
    supervised.send(signal.SIGTERM)
    assert supervised.wait() == 0
