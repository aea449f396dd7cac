"""How long it was between two polls of a device, and whether it began anew in between. Pure.

The device's own clock, sysUpTime in the same reply as the counters, is the best measure of the time between two of its
values: no delay of the network is in it. It is believed where it agrees with the wall clock of the replies' arrival.
sysUpTime wraps after 497 days; a wrap is a fall that the wall clock explains.
"""

from typing import Final

TICKS: Final = 1 << 32  # of sysUpTime, in hundredths of a second
_TOLERANCE_S: Final = 5.0  # replies may be late, by time-out and retry
_TOLERANCE: Final = 0.001  # clocks may go wrong

REBOOTED: Final = -1.0


def tolerance_s(wall_s: float) -> float:
    """Return by how much the device's clock and ours may differ over a time."""
    return _TOLERANCE_S + _TOLERANCE * abs(wall_s)


def span_of(wall_s: float, before: int | None, after: int | None) -> float | None:
    """Return the seconds between two values; `REBOOTED`; or None if that can't be told.

    `wall_s` is between their arrivals, `before` and `after` are sysUpTime in their replies.
    """
    if before is None or after is None:
        return wall_s if wall_s > 0 else None
    bound_s = tolerance_s(wall_s)
    grown_s = ((after - before) % TICKS) / 100
    if abs(grown_s - wall_s) <= bound_s:
        return grown_s if grown_s > 0 else None
    if after < before or (grown_s < wall_s and after / 100 <= wall_s + bound_s):  # it can have begun in between
        return REBOOTED
    return wall_s if wall_s > 0 else None
