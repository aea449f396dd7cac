"""When a job is due. Pure: ticks in, ticks out (a tick is a whole second since the epoch)."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import croniter


@dataclass(frozen=True, slots=True)
class Every:
    """Each `interval_s`; each device at its own stable phase, or all at once without `spread`."""

    interval_s: int
    spread: bool = True


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression, told by the clock of a time zone (so it follows daylight saving)."""

    expression: str
    timezone: str = "UTC"

    def next_after(self, tick: int) -> int:
        """Return the first tick after `tick` at which it fires."""
        return _next_after(self.expression, self.timezone, tick)

    def last_until(self, tick: int, count: int) -> list[int]:
        """Return the last `count` ticks up to `tick` at which it fired, the newest first."""
        times = croniter(self.expression, datetime.fromtimestamp(tick + 1, ZoneInfo(self.timezone)))
        return [int(times.get_prev(float)) for _ in range(count)]


@lru_cache(maxsize=1024)
def _next_after(expression: str, timezone: str, tick: int) -> int:
    start = datetime.fromtimestamp(tick, ZoneInfo(timezone))
    return int(croniter(expression, start).get_next(float))


Schedule = Every | Cron
