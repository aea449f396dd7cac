"""Replies that wait for their moment: buckets of two milliseconds, so that one timer serves them all. Pure."""

from collections.abc import Sequence
from typing import Generic, TypeVar

TICK_S = 0.002

Waiting = TypeVar("Waiting")


class Wheel(Generic[Waiting]):
    """A queue by due time; adding and taking cost the same however many wait."""

    def __init__(self) -> None:
        self._buckets: dict[int, list[Waiting]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, due_s: float, waiting: Waiting) -> None:
        """Put something in that is due at a (monotonic) time; it is never taken before it."""
        tick = int(due_s / TICK_S) + 1
        bucket = self._buckets.get(tick)
        if bucket is None:
            self._buckets[tick] = [waiting]
        else:
            bucket.append(waiting)
        self._size += 1

    def take_due(self, now_s: float) -> Sequence[Waiting]:
        """Take out everything that is due, the earliest first."""
        due: list[Waiting] = []
        for tick in sorted(tick for tick in self._buckets if tick * TICK_S <= now_s):
            due += self._buckets.pop(tick)
        self._size -= len(due)
        return due

    def next_due_s(self) -> float | None:
        """Return when the next bucket is due; None while nothing waits."""
        return min(self._buckets) * TICK_S if self._buckets else None
