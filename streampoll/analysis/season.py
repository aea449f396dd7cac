"""What is usual at this hour of the week: mean and deviation, kept incrementally, old weeks forgotten.

For each hour of the week there are a weight, a mean and a sum of squares (Welford, with exponential forgetting: a week
counts for FORGET of the one after it): 13 bytes an hour that was seen, 2 KiB for what is polled around the clock. So
only what some rule asks the deviation of is kept.
"""

import struct
from collections.abc import Mapping
from typing import Final

HOUR_S: Final = 3600
HOURS: Final = 168
LEAST: Final = 30.0  # samples of an hour before it says what is usual
FORGET: Final = 0.8
_LEAST_SHARE: Final = 0.01  # of the mean: what never varies has some deviation all the same
_HOUR: Final = struct.Struct("<Bfff")  # hour, weight, mean, sum of squares

Hours = dict[int, tuple[float, float, float]]


def hour_of(at: float) -> int:
    """Return the hour of the week (0 is Thursday 00:00 UTC, as the epoch began)."""
    return int(at // HOUR_S) % HOURS


def deviation(hours: Mapping[int, tuple[float, float, float]], at: float, value: float) -> float | None:
    """Return how many standard deviations a value is off the mean of its hour; None before enough was seen."""
    weight, mean, squares = hours.get(hour_of(at), (0.0, 0.0, 0.0))
    if weight < LEAST:
        return None
    spread = max((max(squares, 0.0) / weight) ** 0.5, abs(mean) * _LEAST_SHARE, 1e-9)
    return float((value - mean) / spread)


def learn(hours: Hours, at: float, value: float, week_passed: bool) -> None:
    """Take a value into its hour; `week_passed` at the first of an hour: what older weeks count for shrinks."""
    weight, mean, squares = hours.get(hour_of(at), (0.0, 0.0, 0.0))
    if week_passed:
        weight, squares = weight * FORGET, squares * FORGET
    weight += 1.0
    step = value - mean
    mean += step / weight
    hours[hour_of(at)] = weight, mean, squares + step * (value - mean)


def pack(hours: Mapping[int, tuple[float, float, float]]) -> bytes:
    """Return hours as bytes, 13 an hour that was seen."""
    return b"".join(_HOUR.pack(hour, *hours[hour]) for hour in sorted(hours))


def unpack(packed: bytes) -> Hours:
    """Read back what `pack` made; what is no whole hour is left out."""
    whole = len(packed) // _HOUR.size * _HOUR.size
    return {hour: (weight, mean, squares) for hour, weight, mean, squares in _HOUR.iter_unpack(packed[:whole])}
