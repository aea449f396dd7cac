"""A process's slots, shared by its queue classes according to their weights. Pure bookkeeping.

A class may use every slot that nobody else wants; as soon as another class has work waiting, that one's share is kept
free for it. So a busy class never starves the others, and an idle one costs nothing.
"""

from collections.abc import Callable, Mapping

from streampoll.model import QueueClass


class Slots:
    """`total` slots, of which each class is due its weight's share."""

    def __init__(self, total: int, weights: Mapping[QueueClass, int]) -> None:
        whole = sum(weights.values())
        self._total = total
        self._share = {queue: max(1, total * weight // whole) for queue, weight in weights.items()}
        self._used = dict.fromkeys(weights, 0)
        self._wanting: dict[QueueClass, Callable[[], None]] = {}
        self._taken = 0

    def free(self, queue: QueueClass) -> int:
        """Return how many slots a class may take now."""
        left = self._total - self._taken
        for other in self._wanting:
            if other is not queue:
                left -= max(0, self._share[other] - self._used[other])
        return max(0, left)

    def want(self, queue: QueueClass, start: Callable[[], None] | None) -> None:
        """Say that a class has work waiting, and what to call when a slot is given back; None: that it has none."""
        if start is not None:
            self._wanting[queue] = start
        else:
            self._wanting.pop(queue, None)

    def take(self, queue: QueueClass, count: int) -> None:
        """Take slots that `free` has offered."""
        self._used[queue] += count
        self._taken += count

    def give(self, queue: QueueClass, count: int) -> None:
        """Give slots back; the other classes that wait are told."""
        self._used[queue] -= count
        self._taken -= count
        for other, start in tuple(self._wanting.items()):
            if other is not queue:
                start()
