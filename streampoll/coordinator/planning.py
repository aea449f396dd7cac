"""Which plan is in force: what the configuration wants, what PostgreSQL has committed, what Redis saw last.

A plan takes effect at its first tick after PostgreSQL has committed it; until then the one before is dispatched, so
polling never waits for PostgreSQL and every tick can be audited without Redis. A plan's id is its content: where Redis
remembers having dispatched just this one, it is known to be committed, and a new leader goes on without PostgreSQL.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from streampoll.coordinator.line import Line
from streampoll.coordinator.plan import Plan, empty_plan
from streampoll.logs import about
from streampoll.shards.port import Progress, tick_of

log = logging.getLogger(__name__)

AHEAD_S = 3  # a plan takes effect this many seconds after its commit is begun

Place = tuple[str, int]
"""(job, shard)."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan as PostgreSQL keeps it."""

    plan_id: int  # unsigned 64-bit
    job: str
    shard: int
    valid_from: int  # tick
    body: Mapping[str, Any]  # Plan.summary()
    replaces: tuple[int, int] | None = None  # (id, first tick) it must find in force, (0, 0): none; None: whatever is


class PlanStore(Protocol):
    """Where plans are committed."""

    async def current(self) -> Mapping[Place, tuple[int, int]]:
        """Return the plan in force of each (job, shard): (id, tick it is valid from)."""

    async def began(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Return the first tick of any plan of a (job, shard), for those that have one."""

    async def commit(self, rows: Sequence[PlanRow]) -> None:
        """Make plans the ones in force from their tick on, ending those before; idempotent, one transaction.

        A plan that is in force already under the same id only has its first tick moved.

        Raises:
            UnavailableError: not now; so also where a plan does not find in force what it replaces.
        """


class Planning:
    """Brings lines and wanted plans together."""

    def __init__(self, store: PlanStore, leads: Callable[[], bool] = lambda: True) -> None:
        """`leads` says whether this process leads: a plan is committed only by who led after reading what it replaces.

        So a leader that was asleep does no harm at any point: it finds another's plans in the place of those it read.
        """
        self._store = store
        self._leads = leads
        self._wanted: dict[Place, Plan] = {}
        self._uncommitted: dict[Place, Plan] = {}

    def want(self, plans: Iterable[Plan]) -> None:
        """Take the plans that the configuration asks for now."""
        self._wanted = {(plan.terms.job, plan.terms.shard): plan for plan in plans}

    @property
    def behind(self) -> bool:
        """True while plans wait for PostgreSQL."""
        return bool(self._uncommitted)

    def resume(self, progress: Sequence[Mapping[str, Progress]], tick: int) -> dict[Place, Line]:
        """Make the lines of a new term: each goes on from what Redis holds; wanted plans Redis knows are in force."""
        lines = {
            (job, shard): Line(job, shard, tick, done.mark)
            for shard, jobs in enumerate(progress)
            for job, done in jobs.items()
        }
        for place in self._wanted:
            lines.setdefault(place, Line(*place, tick))
        for (job, shard), line in lines.items():
            plan = self._wanted.get((job, shard)) or empty_plan(job, shard)
            done = progress[shard].get(job)
            if done and done.plan == plan.id:
                line.plan = plan
        self._find_uncommitted(lines)
        return lines

    def refresh(self, lines: dict[Place, Line], tick: int) -> None:
        """Take up plans that were wanted anew in mid-term."""
        for place in self._wanted:
            lines.setdefault(place, Line(*place, tick))
        self._find_uncommitted(lines)

    def _find_uncommitted(self, lines: Mapping[Place, Line]) -> None:
        wanted = {place: self._wanted.get(place) or empty_plan(*place) for place in lines}
        self._uncommitted = {place: plan for place, plan in wanted.items() if not _in_force(lines[place], plan)}

    async def commit(self, lines: Mapping[Place, Line], now: int) -> None:
        """Commit what is not yet, and tell the lines from when on it holds.

        A line with no plan in memory (a new term whose configuration is not the last one's, a new job) takes its plan
        from its own next tick: nobody has dispatched anything from there on. A line with a plan changes a little later.

        Raises:
            UnavailableError: PostgreSQL is away; the lines keep the plan they have.
        """
        current = await self._store.current()
        await self._go_back(lines)
        fresh: list[PlanRow] = []
        for place, plan in list(self._uncommitted.items()):
            line, committed = lines[place], current.get(place, (0, 0))
            if line.plan is not None:
                fresh.append(_row(plan, now + AHEAD_S, committed))
            elif _holds_already(line, plan, committed) or not (committed[0] or plan.devices):
                self._adopt(line, plan)
            else:
                line.leave_begun_tick()
                fresh.append(_row(plan, line.tick, committed))
        if not fresh or not self._leads():
            return
        await self._store.commit(fresh)
        for row in fresh:
            self._take_up(lines[row.job, row.shard], row.valid_from)

    async def _go_back(self, lines: Mapping[Place, Line]) -> None:
        """Let lines of which nothing was ever dispatched begin where a plan did: who committed it came no further."""
        fresh = [place for place in self._uncommitted if lines[place].fresh and lines[place].plan is None]
        if fresh:
            for place, first in (await self._store.began(fresh)).items():
                lines[place].go_on_behind(first - 1)

    def _take_up(self, line: Line, valid_from: int) -> None:
        """Put a committed plan in force; committed too late for its tick, it is committed again for a later one."""
        plan = self._uncommitted[line.job, line.shard]
        if line.plan is None:
            self._adopt(line, plan)
        elif line.change(plan, valid_from):
            self._uncommitted.pop((line.job, line.shard))
        else:
            log.info("job %s: the plan of shard %d was committed late; moving its first tick", line.job, line.shard,
                     extra=about(line.job, shard=line.shard))  # fmt: skip

    def _adopt(self, line: Line, plan: Plan) -> None:
        line.plan = plan
        self._uncommitted.pop((line.job, line.shard))


def _holds_already(line: Line, plan: Plan, committed: tuple[int, int]) -> bool:
    """True if the plan that is committed is this one, and governs what the line does next.

    Redis knows another plan of this line, else it would have its plan. If it was dispatched by that one after the tick
    from which this one was committed, then this one was too late: by a leader that was asleep, while its successor
    could not reach PostgreSQL. Its first tick is to be moved.
    """
    plan_id, valid_from = committed
    return plan_id == plan.id and tick_of(line.mark) < valid_from <= line.tick


def _in_force(line: Line, plan: Plan) -> bool:
    return line.latest is not None and line.latest.id == plan.id


def _row(plan: Plan, valid_from: int, replaces: tuple[int, int]) -> PlanRow:
    return PlanRow(plan.id, plan.terms.job, plan.terms.shard, valid_from, plan.summary(), replaces)
