"""Processes as /proc shows them, by what they do."""

import os
import subprocess
import sys

from streampoll.observe.processes import Process, all_processes, below, cpu_by_role, read_process, role_of
from tests.waiting import eventually


def process(pid: int, parent: int, name: str) -> Process:
    return Process(pid, parent, name, 1.0, 1)


def test_this_process_is_read_with_its_parent_and_size() -> None:
    found = read_process(os.getpid())
    assert found is not None
    assert (found.pid, found.parent) == (os.getpid(), os.getppid())
    assert found.cpu_s > 0
    assert found.rss_bytes > 1 << 20


def test_one_that_is_gone_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert read_process(child.pid) is None


def test_a_name_with_brackets_and_blanks_is_read() -> None:
    program = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'a) (b R 1', 0, 0, 0); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as child:
        named = eventually(lambda: (found := read_process(child.pid)) and found.name == "a) (b R 1" and found)
        assert named.parent == os.getpid()
        child.kill()


def test_each_descendant_is_counted_under_the_child_it_is_below() -> None:
    crowd = [process(1, 0, "init"), process(2, 1, "up"), process(3, 2, "redis"), process(4, 3, "fork"),
             process(5, 4, "deep"), process(6, 1, "other")]  # fmt: skip
    assert [(child.pid, each.pid) for child, each in below(2, crowd)] == [(3, 3), (3, 4), (3, 5)]


def test_roles_are_told_by_names() -> None:
    names = {
        "sp-worker-12": "worker",
        "sp-coordinator-": "coordinator",
        "redis-server": "redis",
        "postgres": "postgres",
    }
    assert {name: role_of(process(1, 0, name)) for name in [*names, "vi"]} == names | {"vi": "vi"}


def test_cpu_is_summed_by_role_and_names_may_be_given() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        spent = cpu_by_role(os.getpid(), {child.pid: "fleet"})
        child.kill()
    assert "fleet" in spent
    assert any(each.pid == os.getpid() for each in all_processes())
