"""The one clock: Redis TIME, seen from this process as an offset to its own wall clock.

Slots, expiry and the times in results are told by it, so hosts need not agree among themselves. Durations are measured
with the monotonic clock, never with this one.
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


class Clock:
    """Wall-clock seconds of Redis; follows what `observe` is told."""

    def __init__(self, wall: Callable[[], float] | None = None) -> None:
        self.wall = wall or host_clock()  # this host's, seconds since the epoch
        self._read = False
        self._warned = False
        self.offset_s = 0.0

    def now(self) -> float:
        """Return the time now, seconds since the epoch."""
        return self.wall() + self.offset_s

    def observe(self, redis_ms: int, sent: float, received: float) -> None:
        """Take a reading of TIME that was asked for at `sent` and came at `received` (this host's wall clock).

        It says that the offset lies between two bounds, as far apart as the answer took. A quick one is taken in the
        middle; a slow one (a network that stood still) only corrects what it proves wrong.
        """
        redis_s, took_s = redis_ms / 1000, received - sent
        if not self._read or 0 <= took_s <= QUICK_S:
            self._read = True
            self.offset_s = redis_s - (sent + received) / 2
        elif took_s > QUICK_S:
            self.offset_s = min(max(self.offset_s, redis_s - received), redis_s - sent)
        if (abs(self.offset_s) > WARN_S) != self._warned:
            self._warned = not self._warned
            if self._warned:
                log.warning("this host's clock is %+.1f s off Redis; polls follow Redis", -self.offset_s)
            else:
                log.info("this host's clock agrees with Redis again")
