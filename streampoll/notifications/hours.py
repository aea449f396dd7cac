"""Hours of the week, as `[hours.NAME]` has them: when a route counts, and when it keeps quiet. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOOK_AHEAD_DAYS: Final = 8


@dataclass(frozen=True, slots=True)
class Hours:
    """From one time of day to another, on some days; one that ends before it begins ends on the day after."""

    name: str
    days: frozenset[int]  # those that it begins on, 0 is Monday
    begin: time
    end: time  # equal to `begin`: a whole day
    zone: ZoneInfo

    def holds(self, at: float) -> bool:
        """Tell whether a moment (seconds since the epoch) is within."""
        return any(begin <= at < end for begin, end in self._spans(at))

    def ends(self, at: float) -> float:
        """Return the first moment from `at` on that is not within; `at` itself where it isn't, or where all are."""
        ends = at
        for begin, end in self._spans(at):
            if begin <= ends < end:
                ends = end
        return at if ends - at > (_LOOK_AHEAD_DAYS - 2) * 86_400 else ends

    def _spans(self, at: float) -> Iterator[tuple[float, float]]:
        """Yield the spans around a moment, the first begun the day before, by beginning."""
        today = datetime.fromtimestamp(at, self.zone).date()
        for offset in range(-1, _LOOK_AHEAD_DAYS):
            day = today + timedelta(days=offset)
            if day.weekday() in self.days:
                last = day if self.begin < self.end else day + timedelta(days=1)
                yield self._moment(day, self.begin), self._moment(last, self.end)

    def _moment(self, day: date, clock: time) -> float:
        return datetime.combine(day, clock, self.zone).timestamp()
