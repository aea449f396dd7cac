"""A discrete-event simulation's engine: a made-up clock, and processes that share a machine's cores. Pure.

A process does one job at a time, in the order they came, as an event loop does. Which processes run is decided as
Linux does: the one that has had the least of late, for a slice at a time. The same calls give the same run.
"""

import heapq
from collections import deque
from collections.abc import Callable

Then = Callable[[], None]

SLICE_S = 0.003  # about what the kernel gives a process while others wait (sched_base_slice)


class Clock:
    """The time, in seconds, and what is to happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self._next = 0
        self._events: list[tuple[float, int, Then]] = []

    def at(self, time_s: float, then: Then) -> None:
        """Have something happen at a time; of the same time, in the order of the calls."""
        self._next += 1
        heapq.heappush(self._events, (max(time_s, self.now), self._next, then))

    def after(self, delay_s: float, then: Then) -> None:
        """Have something happen after a while."""
        self.at(self.now + delay_s, then)

    def run(self, until_s: float) -> None:
        """Go on to a time."""
        while self._events and self._events[0][0] <= until_s:
            self.now, _, then = heapq.heappop(self._events)
            then()
        self.now = until_s


class Process:
    """One that needs a core to do anything."""

    __slots__ = ("_cores", "_jobs", "alive", "busy_s", "credit_s", "waiting")

    def __init__(self, cores: "Cores") -> None:
        self._cores = cores
        self._jobs: deque[tuple[float, Then]] = deque()
        self.busy_s = 0.0  # CPU time that it has used
        self.credit_s = 0.0  # the same, as the scheduler counts: one that slept has no more to come than the others
        self.waiting = False  # has a core, or waits for one
        self.alive = True

    def do(self, cpu_s: float, then: Then) -> None:
        """Use so much CPU time, after what it was given before; then something happens."""
        if self.alive:
            self._jobs.append((cpu_s, then))
            if not self.waiting:
                self._cores.wake(self)

    def kill(self) -> None:
        """End it with all that it was to do."""
        self.alive = False
        self._jobs.clear()

    def slice(self, most_s: float) -> float:
        """Return how long it runs now."""
        return min(self._jobs[0][0], most_s) if self._jobs else 0.0

    def used(self, ran_s: float) -> bool:
        """Note that it ran; True if it has more to do."""
        self.busy_s += ran_s
        self.credit_s += ran_s
        if self._jobs:
            left_s, then = self._jobs.popleft()
            if left_s - ran_s > 1e-12:
                self._jobs.appendleft((left_s - ran_s, then))
            else:
                then()
        return bool(self._jobs)


class Cores:
    """The cores of a machine."""

    def __init__(self, clock: Clock, count: int, slice_s: float = SLICE_S) -> None:
        self._clock = clock
        self._free = count
        self._slice_s = slice_s
        self._floor_s = 0.0  # the credit of whoever ran last: one that wakes begins there
        self._order = 0
        self._ready: list[tuple[float, int, Process]] = []

    def process(self) -> Process:
        """Return a new process."""
        return Process(self)

    def wake(self, process: Process) -> None:
        """Take a process that has come to have something to do."""
        process.waiting = True
        process.credit_s = max(process.credit_s, self._floor_s)
        self._queue(process)
        self._fill()

    def _queue(self, process: Process) -> None:
        self._order += 1
        heapq.heappush(self._ready, (process.credit_s, self._order, process))

    def _fill(self) -> None:
        while self._free and self._ready:
            credit_s, _, process = heapq.heappop(self._ready)
            self._floor_s = max(self._floor_s, credit_s)
            self._free -= 1
            ran_s = process.slice(self._slice_s)
            self._clock.after(ran_s, lambda process=process, ran_s=ran_s: self._ran(process, ran_s))  # type: ignore[misc]

    def _ran(self, process: Process, ran_s: float) -> None:
        self._free += 1
        if process.used(ran_s):
            self._queue(process)
        else:
            process.waiting = False
        self._fill()
