"""Which cores are whose: what is measured and what it is measured with are kept apart where there are enough."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
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


AVAILABLE = tuple(sorted(os.sched_getaffinity(0)))
"""The cores of this process, before it keeps itself on some of them."""


def divide(cores: tuple[int, ...] = AVAILABLE, least_ours: int = 2) -> Cores:
    """Give a quarter of the cores, the last ones, to others; with too few for that, all share all."""
    others = max(1, len(cores) // 4)
    if len(cores) - others < least_ours:
        return Cores(cores, cores)
    return Cores(cores[:-others], cores[-others:])


@contextmanager
def kept_apart() -> Iterator[None]:
    """Keep this process off the others' cores as long as the block, and with it what is started meanwhile.

    A fleet moves to the others' cores when it has started.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, divide().ours)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def taskset(cores: tuple[int, ...]) -> tuple[str, ...]:
    """Return what put before a command keeps it on these cores."""
    return ("taskset", "-c", ",".join(map(str, cores)))
