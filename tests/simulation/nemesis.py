"""What goes wrong, and when: after so many operations of whatever processes, something, for so long.

It strikes whoever does that operation, just before it is carried out or just after: the points at which a process can
leave the world in different states. Between two operations a process changes nothing that others see.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.simulation.choices import Choices
from tests.simulation.loop import Process, SimLoop, current_process

LONG_S = (0.5, 2.0, 3.0, 6.0, 9.0, 15.0)
CLOCK_STEPS_S = (-1, 1, -5, 5, -30, 30)

CRASH, FREEZE, LOST_REPLY, REFUSED, REDIS_AWAY, TABLES_AWAY, UNKNOWN_COMMIT, OLDER_DATA, NO_DATA, CLOCK, PROMOTED = (
    "crash", "freeze", "lost reply", "refused", "redis away", "tables away", "unknown commit", "older data", "no data",
    "clock step", "promoted",
)  # fmt: skip
HARMLESS = (CRASH, FREEZE, LOST_REPLY, REFUSED, REDIS_AWAY, TABLES_AWAY, UNKNOWN_COMMIT)


@dataclass(frozen=True, slots=True)
class Torments:
    """What may go wrong in a run."""

    kinds: tuple[str, ...] = HARMLESS
    most: int = 5  # faults in a run
    gap: int = 120  # at most this many operations from one to the next
    whom: tuple[str, ...] = ("coordinator", "worker")
    where: str = ""  # only at operations with this in their name


class Nemesis:
    """Counts operations, and strikes."""

    def __init__(self, loop: SimLoop, choices: Choices, torments: Torments) -> None:
        self._loop = loop
        self._choices = choices
        self._torments = torments
        self._left = torments.most
        self._countdown = self._gap()
        self.ended = False
        self.last = 0.0  # when it struck last, or what it began ended: seconds of the loop
        self.worlds: Mapping[str, Callable[[int], str]] = {}  # fault of a server -> does it, says what
        self.tell: Callable[[str, str], None] = lambda who, what: None
        self.on_crash: Callable[[Process, bool], None] = lambda process, on_purpose: None
        self.on_freeze: Callable[[Process], None] = lambda process: None

    def _gap(self) -> int:
        return self._choices.below("faults", self._torments.gap)

    def lasts(self, seconds: float) -> None:
        """Note how long what was done lasts."""
        self.last = max(self.last, self._loop.time() + seconds)

    async def before(self, what: str) -> bool:
        """An operation is about to be carried out; True if it is refused."""
        return await self._strike(f"before {what}") in (REFUSED, LOST_REPLY)

    async def after(self, what: str) -> bool:
        """An operation was carried out; True if the answer gets lost."""
        self.tell(current_process().name, what)
        return await self._strike(f"after {what}") in (LOST_REPLY, REFUSED)

    async def _strike(self, where: str) -> str:
        """Do what is due now, if it is; return the kind of it."""
        if self._torments.where not in where:
            return ""
        if self.ended or not self._left or current_process().kind not in self._torments.whom:
            return ""
        if self._countdown:
            self._countdown -= 1
            return ""
        kinds = self._torments.kinds
        kind = kinds[self._choices.below("faults", len(kinds))]
        choice = self._choices.below("faults", 60)
        self._left -= 1
        self._countdown = self._gap()
        await self._do(kind, choice, where)
        return kind

    async def _do(self, kind: str, choice: int, where: str) -> None:
        process = current_process()
        seconds = LONG_S[choice % len(LONG_S)]
        self.lasts(0.0)
        if kind == CRASH:
            await self.crash(process, where)
        elif kind == FREEZE:
            self.tell("!", f"{process.name} is frozen for {seconds:g} s {where}")
            self.lasts(seconds)
            self.on_freeze(process)
            self._loop.freeze(process, seconds)
            await asyncio.sleep(0)
        elif kind in (LOST_REPLY, REFUSED):
            self.tell("!", f"{process.name} gets no answer {where}")
        else:
            self.tell("!", self.worlds[kind](choice))

    async def crash(self, process: Process, where: str, on_purpose: bool = True) -> None:
        """End the process whose code is running; does not return."""
        self.tell("!", f"{process.name} dies {where}")
        self.lasts(0.0)
        self._loop.kill(process)
        self.on_crash(process, on_purpose)
        await asyncio.get_running_loop().create_future()
