"""Which plan is in force, and from which tick on."""

from collections.abc import Mapping, Sequence

from streampoll.coordinator.line import Line, Pace
from streampoll.coordinator.plan import Plan, PlanTerms, build_plan
from streampoll.coordinator.planning import Place, Planning, PlanRow
from streampoll.coordinator.schedule import Every
from streampoll.model import Device
from streampoll.shards.port import Progress, mark_of

PLAN = build_plan(PlanTerms("j", 0, Every(1)), [Device("sw", "sw")], "p")


class FakeStore:
    """Holds the plans in force, as PostgreSQL would."""

    def __init__(self) -> None:
        self.plans: dict[Place, tuple[int, int]] = {}
        self.firsts: dict[Place, int] = {}

    async def current(self) -> Mapping[Place, tuple[int, int]]:
        return self.plans

    async def began(self, places: Sequence[Place]) -> Mapping[Place, int]:
        return {place: self.firsts[place] for place in places if place in self.firsts}

    async def commit(self, rows: Sequence[PlanRow]) -> None:
        for row in rows:
            self.plans[row.job, row.shard] = row.plan_id, row.valid_from
            self.firsts.setdefault((row.job, row.shard), row.valid_from)


async def new_term(store: FakeStore, tick: int, plan: Plan = PLAN) -> Line:
    """A leader that begins at a tick, and finds no mark in Redis."""
    planning = Planning(store)
    planning.want([plan])
    lines = planning.resume([{}], tick)
    await planning.commit(lines, tick)
    return lines["j", 0]


async def test_a_plan_whose_first_tick_nobody_came_to_is_dispatched_from_there():
    """A leader died between the commit of the first plan and its first dispatch: those ticks were promised."""
    store = FakeStore()
    await new_term(store, 100)

    line = await new_term(store, 130)

    sends = line.wanted(130, Pace(grace_s=10, batch_size=10))
    assert [(send.tick, send.tick_to, send.skipped) for send in sends] == [(100, 119, 20), (120, 0, 0)]


async def test_another_plan_takes_the_place_of_one_whose_first_tick_nobody_came_to():
    store = FakeStore()
    await new_term(store, 100)
    other = build_plan(PlanTerms("j", 0, Every(1)), [Device("other", "other")], "p")

    line = await new_term(store, 130, other)

    assert (line.tick, line.plan, store.plans["j", 0]) == (100, other, (other.id, 100))


async def test_a_plan_that_was_changed_before_its_first_tick_is_dispatched_from_its_beginning() -> None:
    """Two leaders died before they dispatched anything, the second after it had committed a change."""
    store = FakeStore()
    await new_term(store, 100)
    other = build_plan(PlanTerms("j", 0, Every(1)), [Device("other", "other")], "p")
    store.plans["j", 0] = (other.id, 130)

    line = await new_term(store, 128, other)

    assert (line.tick, store.plans["j", 0]) == (100, (other.id, 100))


async def test_a_plan_does_not_take_effect_at_a_tick_that_another_has_begun() -> None:
    """A successor whose configuration is newer: the last tick was dispatched, at least in part, by the former plan."""
    store = FakeStore()
    store.plans["j", 0] = (7, 90)
    planning = Planning(store)
    planning.want([PLAN])
    lines = planning.resume([{"j": Progress(mark_of(100, 0), 7)}], 103)

    await planning.commit(lines, 103)

    assert store.plans["j", 0] == (PLAN.id, 101)
    assert [send.tick for send in lines["j", 0].wanted(101, Pace(10, 10))] == [101]


async def test_who_leads_no_more_commits_no_plan() -> None:
    store = FakeStore()
    planning = Planning(store, leads=lambda: False)
    planning.want([PLAN])

    await planning.commit(planning.resume([{}], 100), 100)

    assert (store.plans, planning.behind) == ({}, True)
