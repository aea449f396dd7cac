"""Differences of counters, a column at a time: what is nearly always so is done by C, what is not row by row. Pure.

64 bits  a counter that falls was reset: no rate, never a wrap (net-snmp #1080)
32 bits  one that falls has wrapped only if the rate that follows is one the row can have, else it was reset; and
         where it could have wrapped twice unseen there is no rate either
"""

from collections.abc import Iterable, Sequence
from operator import mul, sub
from typing import Any

WRAP = 1 << 32
Rate = float | None


def wide(after: Sequence[Any], before: Sequence[Any], per_s: Sequence[Rate]) -> list[Rate]:
    """Return the rates of a column of 64 bits; `per_s` is one over each row's span, None for a row without one."""
    try:
        differences = list(map(sub, after, before))
        if differences and min(differences) >= 0:
            return list(map(mul, differences, per_s))  # a None raises, and is rare
    except TypeError:
        pass
    return [_rate(*each) for each in zip(after, before, per_s, strict=True)]


def _rate(after: Any, before: Any, per_s: Rate) -> Rate:
    if per_s is None or type(after) is not int or type(before) is not int or after < before:
        return None
    return (after - before) * per_s


def narrow(after: Sequence[Any], before: Sequence[Any], per_s: Sequence[Rate], most: Sequence[Rate]) -> list[Rate]:
    """Return the rates of a column of 32 bits; `most` is the highest rate that a row can have, None if not known."""
    try:
        differences = list(map(sub, after, before))
        if differences and min(differences) >= 0 and max(after) < WRAP and not _may_wrap(per_s, most):
            return list(map(mul, differences, per_s))  # none has wrapped, or could have
    except TypeError:  # there is a None
        pass
    return [narrow_rate(*each) for each in zip(after, before, per_s, most, strict=True)]


def _may_wrap(per_s: Sequence[Rate], most: Sequence[Rate]) -> bool:
    """Tell whether the fastest row could wrap in the longest span: then each is looked at."""
    known = [rate for rate in most if rate is not None]
    return bool(known) and max(known) >= WRAP * min(per_s)  # type: ignore[operator, type-var]  # a None raises


def narrow_rate(after: Any, before: Any, per_s: Rate, most: Rate) -> Rate:
    """Return the rate of a counter of 32 bits."""
    if per_s is None or type(after) is not int or type(before) is not int or max(after, before) >= WRAP:
        return None
    if most is not None and most >= WRAP * per_s:
        return None  # it could have wrapped, and come by again
    if after >= before:
        return (after - before) * per_s
    rate = (after - before + WRAP) * per_s
    return rate if most is not None and rate <= most else None


def percent(rates: Iterable[Rate], speeds: Iterable[Rate]) -> list[Rate]:
    """Return by how many percent octets a second fill speeds in bit/s."""
    return [
        None if rate is None or not speed else 800.0 * rate / speed for rate, speed in zip(rates, speeds, strict=True)
    ]
