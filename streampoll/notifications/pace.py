"""How fast a channel is used: so many messages in a time, the rest later, none dropped. Pure.

The generic cell rate algorithm: one number is kept a channel, when its next message would be due if messages were
spread evenly. As it is kept in Redis, in the channel's own shard, it holds for all processes together.
"""

import re
from dataclasses import dataclass

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_RATE = re.compile(r"(\d{1,9})\s*/\s*(\d{0,9})\s*([smhd])")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `messages` in `span_s` seconds, all at once if they come so."""

    messages: int
    span_s: float

    @property
    def gap_s(self) -> float:
        """The mean time between two."""
        return self.span_s / self.messages


def parse_rate(text: str) -> Rate:
    """Return the rate of "10/m", "100/h", "5/10s".

    Raises:
        ValueError: it is none.
    """
    found = _RATE.fullmatch(text.strip().lower())
    if not found or not int(found[1]) or found[2] == "0":
        raise ValueError(f"{text!r} is not a rate")
    return Rate(int(found[1]), int(found[2] or 1) * _UNITS[found[3]])


def take(rate: Rate, next_s: float, now: float) -> tuple[float, float]:
    """Take the next place; return (seconds to wait for it, the number to keep)."""
    due = max(next_s, now)
    return max(0.0, due - now - rate.span_s + rate.gap_s), due + rate.gap_s
