"""CPU time and memory of processes by what they do, read from /proc (proc(5))."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


_ROLES = {  # the kernel cuts a name at 15 characters
    "sp-coord": "coordinator",
    "sp-worker": "worker",
    "sp-demo": "demo",
    "redis": "redis",
    "valkey": "redis",
    "postgres": "postgres",
}


@dataclass(frozen=True, slots=True)
class Process:
    """One process, at one moment."""

    pid: int
    parent: int
    name: str  # comm: at most 15 characters
    cpu_s: float  # its own and that of children it has waited for
    rss_bytes: int


def read_process(pid: int) -> Process | None:
    """Read a process; None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    before, _, after = text.rpartition(")")  # a name may hold anything, spaces and brackets too
    fields = after.split()
    ticks = sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return Process(pid, int(fields[1]), before.partition("(")[2], ticks / _TICKS_PER_S, int(fields[21]) * _PAGE_BYTES)


def all_processes() -> list[Process]:
    """Read every process of the machine that we may see."""
    numbers = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [process for pid in numbers if (process := read_process(pid)) is not None]


def below(root: int, processes: Iterable[Process]) -> Iterator[tuple[Process, Process]]:
    """Yield (child of `root`, descendant of it or itself) pairs."""
    by_parent: dict[int, list[Process]] = defaultdict(list)
    for process in processes:
        by_parent[process.parent].append(process)
    for child in by_parent[root]:
        waiting = [child]
        while waiting:
            process = waiting.pop()
            yield child, process
            waiting += by_parent[process.pid]


def role_of(process: Process) -> str:
    """Return what a child of ours does, by its name: forked roles are `sp-ROLE-N`, servers have names of their own."""
    name = process.name
    for start, role in _ROLES.items():
        if name.startswith(start):
            return role
    return name


def cpu_by_role(root: int, names: dict[int, str] | None = None) -> dict[str, float]:
    """Return the CPU seconds of `root`'s descendants by the role of the child they are below.

    `names` says what a child does whose name doesn't tell (pid -> role).
    """
    spent: dict[str, float] = defaultdict(float)
    for child, process in below(root, all_processes()):
        spent[(names or {}).get(child.pid) or role_of(child)] += process.cpu_s
    return dict(spent)
