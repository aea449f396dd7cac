"""The beat: what a child tells its parent through one page of shared memory.

The child's event loop writes it whenever a read or a renewal returns *or fails*. A side thread would beat on while the
loop is stuck; a beat only on success would get every worker killed while Redis is away. The parent reads it without
a lock: each figure is one aligned word of eight bytes with one writer, so it is old or new, never torn.
"""

import mmap
import time
from collections.abc import Callable
from enum import IntEnum

_BEAT, _STATE, _DONE, _IN_FLIGHT = range(4)  # word numbers; the first is a double, the others are integers


class State(IntEnum):
    """What a child is about."""

    STARTING = 0  # forked; has not completed or failed a read yet
    RUNNING = 1  # reading and serving
    DRAINING = 2  # told to end: finishes what is in flight, reads nothing


class Beat:
    """One child's record, made by the parent before the fork and inherited by the child."""

    __slots__ = ("_clock", "_floats", "_ints", "_page")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._page = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
        self._floats = memoryview(self._page).cast("d")
        self._ints = memoryview(self._page).cast("q")

    def touch(self) -> None:
        """Say that the loop is alive. Costs a tenth of a microsecond; the first call ends `STARTING`."""
        self._floats[_BEAT] = self._clock()
        if not self._ints[_STATE]:
            self._ints[_STATE] = State.RUNNING

    def publish(self, done: int, in_flight: int) -> None:
        """Write the entries done since the fork and those in flight now."""
        self._ints[_DONE] = done
        self._ints[_IN_FLIGHT] = in_flight

    def drain(self) -> None:
        """Say that the child reads nothing more."""
        self._ints[_STATE] = State.DRAINING

    @property
    def at(self) -> float:
        """When the loop last beat, monotonic seconds; 0.0: not once."""
        return self._floats[_BEAT]

    @property
    def state(self) -> State:
        """What the child is about."""
        return State(self._ints[_STATE])

    @property
    def done(self) -> int:
        """Entries done since the fork."""
        return self._ints[_DONE]

    @property
    def in_flight(self) -> int:
        """Entries being served."""
        return self._ints[_IN_FLIGHT]

    def close(self) -> None:
        """Give the page back; the other process's mapping stays."""
        self._floats.release()
        self._ints.release()
        self._page.close()
