"""A line: the dispatch of one job in one shard, tick after tick. Pure: told the time, it says what to send.

It goes on from the mark that Redis holds. What was missed within the grace is sent late and paced, what is older is
skipped as a range, and both stand in the ledger; so a new leader, a paused one and a slow one are the same case.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streampoll.coordinator.plan import FOREVER, Plan
from streampoll.shards.port import Answer, Dispatch, Dispatched, tick_of

LATE = "late"
CATCH_UP = 2  # ticks with something due sent in one look, when behind: twice real time
_PARTS = 1 << 16
_AHEAD = 2  # ticks: what dispatch takes before they are due


@dataclass(frozen=True, slots=True)
class Pace:
    """How a leader dispatches."""

    grace_s: int  # a tick missed by at most this is sent late
    batch_size: int
    cause: str = ""  # why everything must be skipped now (memory); "": nothing must


@dataclass(frozen=True, slots=True)
class Setback:
    """Redis held an older mark than it had confirmed: it lost data."""

    job: str
    shard: int
    expected: int  # mark
    found: int  # mark; 0: none


class WentBack(Exception):  # noqa: N818 - an event in a term, not an error
    """Redis lost data: the term begins anew, from what Redis holds now."""


class Line:
    """Where the dispatch of a (job, shard) has come to."""

    def __init__(self, job: str, shard: int, tick: int, mark: int = 0) -> None:
        """`tick` is the first to look at, if Redis holds no `mark`."""
        self.job = job
        self.shard = shard
        self.plan: Plan | None = None  # None: no plan is known to be committed yet
        self._upcoming: tuple[Plan, int] | None = None
        self._tick, self._part, self._mark = tick, 0, 0
        self._goal = (tick, 0)
        self.fresh = True  # nothing is known to have been dispatched
        if mark:
            self._adopt(mark)

    @property
    def tick(self) -> int:
        """The next tick to look at."""
        return self._tick

    @property
    def mark(self) -> int:
        """The last mark that Redis confirmed; 0: none."""
        return self._mark

    def go_on_behind(self, tick: int) -> None:
        """Go on behind a tick that was dispatched, where Redis holds no mark that says so."""
        if not self._mark:
            self._tick, self._part = tick + 1, 0
            self.fresh = False

    def leave_begun_tick(self) -> None:
        """Go on from the next whole tick: some of this one was dispatched by another plan than will be in force."""
        if self._part:
            self._tick, self._part = self._tick + 1, 0

    def bring_back(self, now: int) -> int:
        """If the line is ahead of the clock, which went back, go on from the next tick; return by how many it was.

        The mark stays as Redis holds it: to name it is what allows the next part to set an earlier one.
        """
        ahead = self._tick - (not self._part) - now
        if ahead <= _AHEAD:
            return 0
        self._tick, self._part = now + 1, 0
        return ahead

    @property
    def latest(self) -> Plan | None:
        """The plan that is, or is about to be, in force."""
        return self._upcoming[0] if self._upcoming else self.plan

    def _adopt(self, mark: int) -> None:
        """Go on behind a mark that Redis holds."""
        self._mark = mark
        if mark:
            self.fresh = False
            self._tick, self._part = tick_of(mark), mark % _PARTS + 1

    def change(self, plan: Plan, valid_from: int) -> bool:
        """Have a committed plan take effect at a tick; False if that tick was looked at already."""
        if valid_from < self._tick + (self._part > 0):
            return False
        self._upcoming = (plan, valid_from)
        return True

    def wanted(self, now: int, pace: Pace) -> list[Dispatch]:
        """Return the parts to send now, in order; tell `heard` what became of them."""
        sends: list[Dispatch] = []
        if self.plan is None:
            return sends
        tick, part = self._tick, self._part
        ticks_left = CATCH_UP
        while tick <= now and ticks_left:
            mark = sends[-1].mark if sends else self._mark
            parts, tick = self._step(self.plan, (tick, part, mark), now, pace)
            part = 0
            ticks_left -= bool(parts)
            sends += parts
        self._goal = (tick, part)
        if not sends:
            self._tick, self._part = self._goal
        return sends

    def _step(self, plan: Plan, at: tuple[int, int, int], now: int, pace: Pace) -> tuple[list[Dispatch], int]:
        """Return what to send at a position (tick, part, mark), and the next tick to look at."""
        tick, part, mark = at
        plan, last = self._plan_at(plan, tick)
        oldest = now - pace.grace_s
        if tick >= oldest:
            return self._send(plan, at, pace.batch_size, pace.cause), tick + 1
        if part:  # the rest of a tick that was begun
            return self._send(plan, at, pace.batch_size, LATE), tick + 1
        last = min(last, oldest - 1)
        return self._skip(plan, mark, tick, last), last + 1

    def _plan_at(self, plan: Plan, tick: int) -> tuple[Plan, int]:
        """Return the plan of a tick, and the last tick it is good for; a plan that took effect replaces its former."""
        if self._upcoming is not None:
            upcoming, valid_from = self._upcoming
            if tick < valid_from:
                return plan, valid_from - 1
            self.plan, self._upcoming = upcoming, None
            return upcoming, FOREVER
        return plan, FOREVER

    def _send(self, plan: Plan, at: tuple[int, int, int], batch_size: int, cause: str) -> list[Dispatch]:
        """Return the parts of one tick from a part on."""
        tick, first, mark = at
        sends: list[Dispatch] = []
        for number, part in enumerate(plan.parts(tick, batch_size)[first:], first):
            sends.append(
                Dispatch(
                    self.shard, self.job, tick, number, mark, plan.id, plan.devices, part.hash_sum, part.polls,
                    cause=cause,
                )
            )  # fmt: skip
            mark = sends[-1].mark
        return sends

    def _skip(self, plan: Plan, mark: int, first: int, last: int) -> list[Dispatch]:
        """Return the one entry that books a range of ticks as skipped."""
        count = plan.count_between(first, last)
        if not count:
            return []
        return [
            Dispatch(
                self.shard, self.job, first, 0, mark, plan.id, plan.devices, 0, (), tick_to=last, skipped=count,
                cause=LATE,
            )
        ]  # fmt: skip

    def heard(self, sends: Sequence[Dispatch], answers: Sequence[Dispatched]) -> Setback | None:
        """Take the answers to what `wanted` returned; anything but success ends the look, to go on from Redis' mark."""
        for send, answer in zip(sends, answers, strict=True):
            if answer.answer in (Answer.OK, Answer.SKIPPED):
                self._adopt(send.mark)
                continue
            if answer.answer in (Answer.DONE, Answer.GAP):
                return self._go_on_from(answer.stored)
            return None  # early, fenced: look again later
        if sends:
            self._tick, self._part = self._goal
        return None

    def _go_on_from(self, stored: int) -> Setback | None:
        """Redis is elsewhere: behind (it lost data) or further on (another leader was there)."""
        if stored < self._mark:
            return self.setback(stored)
        self._adopt(stored)
        return None

    def setback(self, found: int) -> Setback:
        """Return what it is that Redis holds but this mark."""
        return Setback(self.job, self.shard, self._mark, found)
