"""Plans on their way into force: wanted, committed in PostgreSQL, seen by Redis; and PostgreSQL away in between."""

import pytest

from streampoll.coordinator.line import Line
from streampoll.coordinator.plan import Plan, PlanTerms, build_plan, empty_plan
from streampoll.coordinator.planning import AHEAD_S, Place, Planning
from streampoll.coordinator.schedule import Every
from streampoll.errors import PostgresUnavailable
from streampoll.model import Device
from streampoll.shards.port import Progress, mark_of
from tests.coordinator_support import Plans

PLACE = ("j", 0)
NOW = 1000


def plan_of(count: int) -> Plan:
    devices = [Device(f"sw{n}", f"10.0.0.{n}") for n in range(count)]
    return build_plan(PlanTerms("j", 0, Every(1, spread=False)), devices, "")


def term(planning: Planning, *, mark: int = 0, plan: int = 0) -> dict[Place, Line]:
    """Begin a term in which Redis remembers this dispatch."""
    return planning.resume([{"j": Progress(mark, plan)} if mark else {}], NOW)


async def test_a_first_plan_is_in_force_once_committed_from_the_lines_next_tick_on() -> None:
    store, plan = Plans(), plan_of(3)
    planning = Planning(store)
    planning.want([plan])
    lines = term(planning)
    assert lines[PLACE].plan is None
    assert planning.behind

    await planning.commit(lines, NOW + 5)

    assert lines[PLACE].plan is plan
    assert store.rows == {PLACE: (plan.id, NOW)}
    assert not planning.behind


async def test_a_plan_that_redis_saw_is_in_force_without_postgres() -> None:
    store, plan = Plans(), plan_of(3)
    store.away = True
    planning = Planning(store)
    planning.want([plan])

    lines = term(planning, mark=mark_of(NOW - 5, 0), plan=plan.id)

    assert lines[PLACE].plan is plan
    assert not planning.behind


async def test_while_postgres_is_away_the_plan_before_stays() -> None:
    store, old, new = Plans(), plan_of(3), plan_of(4)
    planning = Planning(store)
    planning.want([old])
    lines = term(planning, mark=mark_of(NOW - 1, 0), plan=old.id)
    planning.want([new])
    planning.refresh(lines, NOW)
    store.away = True

    with pytest.raises(PostgresUnavailable):
        await planning.commit(lines, NOW)

    assert lines[PLACE].latest is old
    assert planning.behind


async def test_a_change_takes_effect_a_little_after_its_commit() -> None:
    store, old, new = Plans(), plan_of(3), plan_of(4)
    planning = Planning(store)
    planning.want([old])
    lines = term(planning, mark=mark_of(NOW - 1, 0), plan=old.id)
    planning.want([new])
    planning.refresh(lines, NOW)

    await planning.commit(lines, NOW)

    assert store.rows == {PLACE: (new.id, NOW + AHEAD_S)}
    assert lines[PLACE].plan is old
    assert lines[PLACE].latest is new


async def test_a_commit_that_came_too_late_is_made_again_for_a_later_tick() -> None:
    store, old, new = Plans(), plan_of(3), plan_of(4)
    planning = Planning(store)
    planning.want([old])
    lines = {PLACE: Line("j", 0, NOW + 60, mark_of(NOW + 60, 0))}  # it went on while PostgreSQL took its time
    lines[PLACE].plan = old
    planning.want([new])
    planning.refresh(lines, NOW)

    await planning.commit(lines, NOW)
    assert planning.behind
    assert lines[PLACE].latest is old
    await planning.commit(lines, NOW + 61)

    assert not planning.behind
    assert store.rows == {PLACE: (new.id, NOW + 61 + AHEAD_S)}


async def test_a_job_that_is_gone_gets_an_empty_plan_and_stays_silent() -> None:
    store, old = Plans(), plan_of(3)
    planning = Planning(store)
    planning.want([old])
    lines = term(planning, mark=mark_of(NOW - 1, 0), plan=old.id)
    planning.want([])
    planning.refresh(lines, NOW)

    await planning.commit(lines, NOW)

    assert lines[PLACE].latest is not None
    assert lines[PLACE].latest.id == empty_plan(*PLACE).id
    assert lines[PLACE].latest.devices == 0


async def test_a_new_leader_adopts_what_the_old_one_had_committed_and_not_yet_dispatched() -> None:
    store, plan = Plans(), plan_of(3)
    store.rows[PLACE] = (plan.id, NOW - 1)
    planning = Planning(store)
    planning.want([plan])
    lines = term(planning, mark=mark_of(NOW - 2, 0), plan=7)  # Redis saw another plan last

    await planning.commit(lines, NOW)

    assert lines[PLACE].plan is plan
    assert store.rows == {PLACE: (plan.id, NOW - 1)}  # not moved


async def test_a_plan_that_was_committed_for_ticks_already_dispatched_by_another_begins_behind_them() -> None:
    """A sleeping leader committed it; its successor, while PostgreSQL was away, had gone on with the old one."""
    store, plan = Plans(), plan_of(3)
    store.rows[PLACE] = (plan.id, NOW - 1)
    planning = Planning(store)
    planning.want([plan])
    lines = term(planning, mark=mark_of(NOW, 0), plan=7)

    await planning.commit(lines, NOW)

    assert lines[PLACE].plan is plan
    assert store.rows == {PLACE: (plan.id, NOW + 1)}


async def test_the_same_configuration_again_changes_nothing() -> None:
    store, plan = Plans(), plan_of(3)
    planning = Planning(store)
    planning.want([plan])
    lines = term(planning, mark=mark_of(NOW - 1, 0), plan=plan.id)
    planning.want([plan_of(3)])

    planning.refresh(lines, NOW)

    assert not planning.behind
