"""Retry-After (RFC 9110, 10.2.3): seconds, or a date."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime


def wait_asked(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a server asks to wait, 0 at the least; None if it does not say.

    A date is measured from the server's own Date, since its clock may be off; from `now` (wall clock) without one.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    until = _seconds(text)
    if until is None:
        return None
    return max(0.0, until - (_seconds(headers.get("date", "")) or now))


def _seconds(text: str) -> float | None:
    try:
        moment: datetime = parsedate_to_datetime(text)
        return moment.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
