"""Sums over rounds: a figure is the median of its rounds, a ratio is of medians of one run."""

import statistics
from collections.abc import Iterable, Mapping, Sequence


def median(values: Iterable[float], digits: int = 1) -> float:
    """Return the median, rounded; 0.0 of nothing."""
    known = list(values)
    return round(statistics.median(known), digits) if known else 0.0


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value that `share` of the values do not exceed; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratio(ours: float, theirs: float, digits: int = 2) -> float | None:
    """Return ours / theirs; None where theirs is 0."""
    return round(ours / theirs, digits) if theirs else None


def each_us(cpu_s: Mapping[str, float], count: int) -> dict[str, float]:
    """Return CPU seconds by role as microseconds for each of `count`."""
    return {role: round(1e6 * spent / count, 1) for role, spent in cpu_s.items()} if count else {}


def mb(count_bytes: float) -> float:
    """Return bytes as MiB."""
    return round(count_bytes / (1 << 20), 1)
