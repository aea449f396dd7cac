"""Which cores are whose: what is measured and what it is measured with are kept apart where there are enough."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of this process, divided."""

    ours: tuple[int, ...]  # of what is measured
    others: tuple[int, ...]  # of agents, load generators and this process

    @property
    def apart(self) -> bool:
        """True if they share none."""
        return not set(self.ours) & set(self.others)


def available() -> tuple[int, ...]:
    """Return the cores that this process may use."""
    return tuple(sorted(os.sched_getaffinity(0)))


def divide(least_ours: int = 1) -> Cores:
    """Give a quarter of the cores, the last ones, to others; with too few for that, all share all."""
    cores = available()
    others = max(1, len(cores) // 4)
    if len(cores) - others < least_ours:
        return Cores(cores, cores)
    return Cores(cores[:-others], cores[-others:])


def taskset(cores: tuple[int, ...]) -> tuple[str, ...]:
    """Return what put before a command keeps it on these cores."""
    return ("taskset", "-c", ",".join(map(str, cores)))
