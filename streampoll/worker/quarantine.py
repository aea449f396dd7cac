"""Quarantine: what may have killed its processes is run so that the culprit is found, and nobody else is blamed.

An entry that is delivered a third time is a suspect. A device that kills a process twice, with 2,000 polls in hand,
leaves 2,000 of them, and all but one are innocent. So it goes in two steps:

1. Suspects run few at a time, beside all other work, and each is noted in Redis before it starts. One at a time would
   have the innocent wait until they expire; all at once would tell nothing.
2. Those few that were noted when their process died (one of them did it, or something else that ran there) run again
   *alone*, one after the other, noted as such: nothing else is under way in the process, of no class. Only who dies
   then is buried. An entry of several rows is not: one of them did it, so each goes on as an entry of its own, and
   comes here by itself if it must.

While one is to run alone, the process starts nothing and reads nothing; what is under way has a bounded time to end,
else the suspect runs in company once more. So the wait is a bounded one, and happens after a crash only.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from enum import Enum, auto

from streampoll.shards.entries import Delivered
from streampoll.shards.rows import apart
from streampoll.worker.port import Emit, Finish

QUARANTINE_FROM = 3  # deliveries
AT_A_TIME = 16  # suspects in a process: about as long to clear 2,000 so as to run 16 alone, most polls being short
_APART_S = 1.0  # for so long rows wait among the delayed: what is added at once is joined

UnderWay = Callable[[], Iterable["asyncio.Task[None]"]]
"""Answers the attempts of a class that are under way."""


def divided(delivered: Delivered) -> Finish | None:
    """Return how the rows of an entry that died alone go on, each by itself; None if it has but one."""
    rows = apart(delivered.entry) if delivered.entry else ()
    return Finish([Emit(delivered.queue, row, _APART_S) for row in rows]) if rows else None


class Care(Enum):
    """How an attempt is run."""

    NONE = auto()
    NOTED = auto()  # in quarantine, beside others
    ALONE = auto()  # in quarantine, with nothing beside it


class Solitude:
    """What is under way in a process, over all its queue classes, and the right to be the only one."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._members: list[tuple[UnderWay, Callable[[], None]]] = []

    @property
    def wanted(self) -> bool:
        """True while nothing may be started but by who asked to be alone."""
        return self._one.locked()

    def join(self, under_way: UnderWay, start: Callable[[], None]) -> None:
        """Have a class's attempts waited for, and its `start` called when work may go on."""
        self._members.append((under_way, start))

    @asynccontextmanager
    async def alone(self, within_s: float) -> AsyncIterator[bool]:
        """Keep others from starting, and tell whether all that was under way came to its end in time."""
        async with self._one:
            attempts = set().union(*(under_way() for under_way, _ in self._members))
            late = (await asyncio.wait(attempts, timeout=within_s))[1] if attempts else ()
            yield not late
        for _, start in self._members:
            start()


class Suspects:
    """The suspects of one queue class in one process; `launch` starts the attempt of one."""

    def __init__(
        self, solitude: Solitude, launch: Callable[[Delivered, Care], "asyncio.Task[None]"], within_s: float
    ) -> None:
        self._solitude = solitude
        self._launch = launch
        self._within_s = within_s  # how long others may take to end, where one must be alone
        self._first: deque[Delivered] = deque()
        self._noted: deque[Delivered] = deque()  # these must be alone
        self._some_noted = asyncio.Event()
        self._running = 0  # of those that need not be alone

    def __len__(self) -> int:
        """How many wait."""
        return len(self._first) + len(self._noted)

    @property
    def ready(self) -> bool:
        """True if one could start at once, had it a slot."""
        return bool(self._first) and self._running < AT_A_TIME

    def add(self, delivered: Delivered, noted: bool) -> None:
        """Take a suspect on; `noted`: its process died while it ran in quarantine."""
        if noted:
            self._noted.append(delivered)
            self._some_noted.set()
        else:
            self._first.append(delivered)

    def drop(self, delivered: Delivered) -> bool:
        """Forget a suspect that waits; False if it does not."""
        for waiting in (self._first, self._noted):
            if delivered in waiting:
                waiting.remove(delivered)
                return True
        return False

    def take(self) -> list[Delivered]:
        """Give up all that wait."""
        taken = [*self._first, *self._noted]
        self._first.clear()
        self._noted.clear()
        return taken

    def start_one(self) -> None:
        """Start one of those that need not be alone."""
        self._running += 1
        self._launch(self._first.popleft(), Care.NOTED)

    def ended(self, care: Care) -> None:
        """Note that an attempt is over."""
        self._running -= care is Care.NOTED

    async def run(self) -> None:
        """Run those that must be alone, for ever; all that wait share one time of quiet."""
        while True:
            await self._some_noted.wait()
            async with self._solitude.alone(self._within_s) as quiet:
                while self._noted:
                    delivered = self._noted.popleft()
                    if quiet:
                        await asyncio.wait({self._launch(delivered, Care.ALONE)})
                    else:
                        self._first.append(delivered)
                self._some_noted.clear()
