"""CPU and memory of processes by the role they play, children included, from /proc.

CPU is user and system time of a process, of its live descendants and of those it has waited for; so forked commands
count. Memory is the proportional share (PSS: shared pages are divided among those who share them) beside RSS.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streampoll.observe.processes import Process, all_processes


@dataclass(frozen=True, slots=True)
class Memory:
    """What the processes of a role take together."""

    processes: int
    rss_bytes: int
    pss_bytes: int
    pss_max_bytes: int  # of the largest process
    descriptors: int


class Roles:
    """Which processes play which role: `role -> pids of its topmost processes`."""

    def __init__(self, roots: Mapping[str, Sequence[int]]) -> None:
        self._roots = {role: tuple(pids) for role, pids in roots.items()}

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each role has spent since its processes began."""
        return {role: sum(each.cpu_s for each in found) for role, found in self._found()}

    def memory(self) -> dict[str, Memory]:
        """Return the memory of each role now; reading PSS costs the kernel a walk over the pages."""
        return {role: _memory(found) for role, found in self._found()}

    def pin(self, role: str, cores: Sequence[int]) -> None:
        """Keep the threads of a role on these cores; children forked later follow."""
        for process in dict(self._found())[role]:
            for thread in _listed(f"/proc/{process.pid}/task"):
                _pin(int(thread), cores)

    def _found(self) -> Iterator[tuple[str, list[Process]]]:
        processes = all_processes()
        children: dict[int, list[Process]] = defaultdict(list)
        for process in processes:
            children[process.parent].append(process)
        by_pid = {process.pid: process for process in processes}
        for role, pids in self._roots.items():
            yield role, [each for pid in pids if pid in by_pid for each in _tree(by_pid[pid], children)]


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what each role spent between two readings."""
    return {role: after[role] - before.get(role, 0.0) for role in after}


def _tree(root: Process, children: Mapping[int, Sequence[Process]]) -> Iterator[Process]:
    waiting = [root]
    while waiting:
        process = waiting.pop()
        yield process
        waiting += children.get(process.pid, ())


def _memory(processes: Sequence[Process]) -> Memory:
    pss = [pss_bytes(process.pid) for process in processes]
    descriptors = sum(len(_listed(f"/proc/{process.pid}/fd")) for process in processes)
    return Memory(len(pss), sum(each.rss_bytes for each in processes), sum(pss), max(pss, default=0), descriptors)


def pss_bytes(pid: int) -> int:
    """Return a process's proportional share of memory; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:  # it has ended
        return []


def _pin(thread: int, cores: Sequence[int]) -> None:
    try:
        os.sched_setaffinity(thread, cores)
    except ProcessLookupError:
        return
