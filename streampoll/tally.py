"""What a process counts of itself: whole numbers that only grow, under names that say what and of which kind.

A poll adds to a few of them, so they are made to be cheap: a list's element a status, one search of a short tuple a
histogram. Once a second they are laid out flat, as `name|label|label` -> number, and Redis is told what was added.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final, Protocol, runtime_checkable

Counted = dict[str, int]
"""Name and labels, joined by "|", -> how many since the process started."""

POLL_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LATE_S: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)
CALL_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
ROWS: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)

MICRO: Final = 1_000_000  # sums are kept in millionths: whole numbers add up exactly, in any order


@runtime_checkable
class Counting(Protocol):
    """A part of a process that counts: a handler, a consumer."""

    def counted(self) -> Counted:
        """Return its counts since the process started."""


class Histogram:
    """Counts of values by fixed buckets, each with its upper bound in it (as Prometheus' `le`), and their sum."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0

    def note(self, value: float, times: int = 1) -> None:
        """Count a value; one below zero (a clock that went back) is zero."""
        if value < 0.0:
            value = 0.0
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += int(value * MICRO) * times

    def lay_out(self, name: str, *labels: str) -> Counted:
        """Return the buckets (by number) and the sum as counts."""
        base = field(name, *labels)
        flat = {f"{base}|{number}": count for number, count in enumerate(self._counts) if count}
        return {**flat, f"{base}|sum": self._sum} if flat else flat


def field(name: str, *labels: str) -> str:
    """Return the key of a count."""
    return "|".join((name, *(label.replace("|", "/") for label in labels)))


def by_label(name: str, counts: Mapping[str, int], *labels: str) -> Counted:
    """Lay out counts of which each has a label of its own, behind those that they share."""
    return {field(name, *labels, label): count for label, count in counts.items() if count}


def together(parts: Iterable[Mapping[str, int]]) -> Counted:
    """Add counts up."""
    total: Counted = {}
    for part in parts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total
