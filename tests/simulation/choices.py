"""Every decision of a run comes from here, so a run is its decisions: repeat them and it happens again.

Decisions stand in streams by purpose (order, faults, …), so that leaving out a fault does not shift what is decided of
the order. 0 is always the calm choice (the first thread, no fault); a stream that is at its end says 0. So a shorter
list, and one with more zeros, is a calmer run, and that is what `shrink` looks for.
"""

from collections.abc import Callable, Mapping
from random import Random

Decisions = dict[str, list[int]]


class Choices:
    """Decides: at random and remembered, or as told before."""

    def __init__(self, seed: int | None = None, told: Mapping[str, list[int]] | None = None) -> None:
        self._random = Random(seed)
        self._told = told
        self._next: dict[str, int] = {}
        self.made: Decisions = {}

    def below(self, stream: str, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        if self._told is None:
            chosen = self._random.randrange(count)
        else:
            at = self._next.get(stream, 0)
            self._next[stream] = at + 1
            told = self._told.get(stream, ())
            chosen = told[at] % count if at < len(told) else 0
        self.made.setdefault(stream, []).append(chosen)
        return chosen


def shrink(decisions: Decisions, fails: Callable[[Decisions], bool], tries: int = 400) -> Decisions:
    """Return calmer decisions for which `fails` is still true, after at most so many tries."""
    best = {stream: _trimmed(told) for stream, told in decisions.items()}
    for stream in sorted(best, key=lambda name: len(best[name])):
        for smaller in (_without, _with_zeros):
            size = max(len(best[stream]) // 2, 1)
            while size and tries > 0:
                at = 0
                while at < len(best[stream]) and tries > 0:
                    candidate = {**best, stream: _trimmed(smaller(best[stream], at, size))}
                    if candidate == best:
                        at += size
                        continue
                    tries -= 1
                    if fails(candidate):
                        best = candidate
                    else:
                        at += size
                size //= 2
    return best


def _without(told: list[int], at: int, size: int) -> list[int]:
    return told[:at] + told[at + size :]


def _with_zeros(told: list[int], at: int, size: int) -> list[int]:
    return told[:at] + [0] * len(told[at : at + size]) + told[at + size :]


def _trimmed(told: list[int]) -> list[int]:
    """Leave out zeros at the end: they are what an ended stream says."""
    told = list(told)
    while told and not told[-1]:
        told.pop()
    return told
