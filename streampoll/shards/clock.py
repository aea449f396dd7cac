"""The one clock: Redis TIME, as this process last read it, carried on by a clock that never steps.

Slots, expiry and the times in results are told by it, so hosts need not agree among themselves, and a step of a host's
clock changes nothing. Durations are measured with the monotonic clock, never with this one.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

log = logging.getLogger(__name__)

WARN_S = 1.0
QUICK_S = 0.1

TEST_OFFSET_FILE = "STREAMPOLL_TEST_CLOCK_OFFSET_FILE"


def host_clock(environ: Mapping[str, str] = os.environ) -> Callable[[], float]:
    """Return this host's wall clock; the fault harness steps it by the seconds in a file, never the system's own."""
    file = environ.get(TEST_OFFSET_FILE)
    if not file:
        return time.time
    offset = Path(file)
    return lambda: time.time() + float(offset.read_text() or 0)


def steady() -> float:
    """Return seconds that no step of a clock touches and that run on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Wall-clock seconds of Redis, carried on between two readings by a clock that never steps.

    This host's wall clock is only the first guess, and what is warned of.
    """

    def __init__(self, wall: Callable[[], float] | None = None, ticks: Callable[[], float] = steady) -> None:
        self._wall = wall or host_clock()
        self.ticks = ticks  # what readings are timed with, seconds
        self._base_s = self._wall() - ticks()
        self._read = False
        self._warned = False

    def now(self) -> float:
        """Return the time now, seconds since the epoch."""
        return self.ticks() + self._base_s

    def observe(self, redis_ms: int, sent: float, received: float) -> None:
        """Take a reading of TIME that was asked for at `sent` and came at `received` (by `ticks`).

        It says that the difference lies between two bounds, as far apart as the answer took. A quick one is taken in
        the middle; a slow one (a network that stood still) only corrects what it proves wrong.
        """
        redis_s = redis_ms / 1000
        if not self._read or received - sent <= QUICK_S:
            self._read = True
            self._base_s = redis_s - (sent + received) / 2
        else:
            self._base_s = min(max(self._base_s, redis_s - received), redis_s - sent)
        self._compare()

    def _compare(self) -> None:
        """Warn, once, of a host whose own clock is far off."""
        off_s = self._wall() - self.now()
        if (abs(off_s) > WARN_S) != self._warned:
            self._warned = not self._warned
            if self._warned:
                log.warning("this host's clock is %+.1f s off Redis; polls follow Redis", off_s)
            else:
                log.info("this host's clock agrees with Redis again")
