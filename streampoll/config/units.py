"""Durations and sizes as people write them."""

import math
import re
from datetime import datetime

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BYTES = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
}  # fmt: skip
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?i?b?)", re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Return the seconds of "90s", "5m", "1h30m", "250ms" or a bare number of seconds ("90").

    Raises:
        ValueError: it is none of these.
    """
    compact = text.strip().lower().replace(" ", "")
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        seconds = float(compact)
    elif _DURATION.fullmatch(compact):
        seconds = float(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(compact)))
    else:
        raise ValueError(f"{text!r} is not a duration")
    if math.isinf(seconds):
        raise ValueError(f"a duration of {len(text)} digits is none")
    return seconds


def parse_size(text: str) -> int:
    """Return the bytes of "8MiB", "64 kB", "1g" (binary, as redis.conf's are not: k, m, g alone are 1024-based).

    Raises:
        ValueError: it is not a size, or not a whole number of bytes.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a size")
    unit = found[2].lower()
    scale = _BYTES.get(unit) or _BYTES.get(f"{unit.removesuffix('i')}ib")
    size = float(found[1]) * (scale or 0)
    if scale is None or not size.is_integer():  # infinity is none either
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return int(size)


def parse_since(text: str, now: float) -> float:
    """Return the start of a span as seconds since the epoch: "10m", "2h" before `now`, or an ISO date and time.

    A time without an offset is local time, as the clock on the wall. What lies before the epoch is the epoch.

    Raises:
        ValueError: it is neither.
    """
    if re.fullmatch(r"\d{9,12}(\.\d{1,9})?", text, re.ASCII):
        return float(text)  # seconds since the epoch, as our own JSON prints them
    try:
        return max(0.0, now - parse_duration(text))
    except ValueError:
        pass
    try:
        return max(0.0, datetime.fromisoformat(text).astimezone().timestamp())
    except OverflowError as error:  # a local time before the year 1 or after 9999
        raise ValueError(str(error)) from None
