"""Replies that wait for their moment: buckets of two milliseconds, so that one timer serves them all. Pure."""

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Generic, TypeVar

TICK_S = 0.002

Waiting = TypeVar("Waiting")


class Wheel(Generic[Waiting]):
    """A queue by due time. The heap orders buckets, not what is in them: adding to one that exists is an append."""

    def __init__(self) -> None:
        self._buckets: dict[int, list[Waiting]] = {}
        self._ticks: list[int] = []  # a heap of the buckets' times

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def add(self, due_s: float, waiting: Waiting) -> None:
        """Put something in that is due at a (monotonic) time; it is never taken before it."""
        tick = int(due_s / TICK_S) + 1
        bucket = self._buckets.get(tick)
        if bucket is None:
            self._buckets[tick] = [waiting]
            heappush(self._ticks, tick)
        else:
            bucket.append(waiting)

    def take_due(self, now_s: float) -> Sequence[Waiting]:
        """Take out everything that is due, the earliest first."""
        due: list[Waiting] = []
        while self._ticks and self._ticks[0] * TICK_S <= now_s:
            due += self._buckets.pop(heappop(self._ticks))
        return due

    def next_due_s(self) -> float | None:
        """Return when the next bucket is due; None while nothing waits."""
        return self._ticks[0] * TICK_S if self._ticks else None
