"""Filtered tables walked by what decides first: fewer requests, and the same rows as if everything had been walked."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.model import Outcome, Status
from streampoll.snmp import ber
from streampoll.snmp.collect import Collector
from streampoll.snmp.credential import Version
from streampoll.snmp.memory import Memory
from streampoll.snmp.message import PduType
from streampoll.snmp.plan import CollectPlan, Condition, Kind, Metric, Oid, TableSpec
from tests.snmp_model_support import UPTIME, ModelAgent, agent
from tests.test_snmp_tables import collect, plan, rows

TABLE = (1, 3, 6, 1, 4, 1, 99, 1)
OTHER = (1, 3, 6, 1, 4, 1, 99, 2)
Held = dict[Oid, tuple[int, ber.Wire]]


def wide(kept: tuple[Condition, ...] = (Condition("oper", equals=(1,)),)) -> CollectPlan:
    """A table of a name, a state and twelve counters with fallbacks."""
    counters = (Metric(f"c{n}", (*TABLE, n), Kind.COUNTER, fallback=(*OTHER, n)) for n in range(3, 15))
    columns = (Metric("name", (*TABLE, 1), Kind.TEXT), Metric("oper", (*TABLE, 2), Kind.INTEGER), *counters)
    return CollectPlan("wide", (), (TableSpec("t", columns, where=kept),))


def device(count: int, up: int) -> Held:
    held: Held = {UPTIME: (ber.TIME_TICKS, 700)}
    for index in range(1, count + 1):
        held[(*TABLE, 1, index)] = ber.OCTET_STRING, b"eth%d" % index
        held[(*TABLE, 2, index)] = ber.INTEGER, 1 if index <= up else 2
        held |= {(*TABLE, column, index): (ber.COUNTER64, column * index) for column in range(3, 15)}
    return held


def unfiltered(made: CollectPlan) -> CollectPlan:
    return replace(made, tables=tuple(replace(spec, where=()) for spec in made.tables))


async def test_rows_that_are_not_kept_are_not_asked_for() -> None:
    sifted, whole = ModelAgent(device(500, 10)), ModelAgent(device(500, 10))
    outcome = await collect(sifted, wide())
    everything = await collect(whole, unfiltered(wide()))
    assert (outcome.status, len(outcome.tables["t"].rows)) == (Status.OK, 10)
    assert list(outcome.tables["t"].rows) == [tuple(row) for row in everything.tables["t"].rows[:10]]
    assert outcome.requests < everything.requests / 3


async def test_counters_of_kept_rows_come_with_the_uptime_of_their_reply() -> None:
    model = ModelAgent(device(500, 10))
    outcome = await collect(model, wide())
    gets = [request for request in model.asked if request.pdu is PduType.GET]
    assert all(ber.decode_oid(request.oids[0]) == UPTIME for request in gets)
    assert [run.uptime for run in outcome.tables["t"].times] == [700] * len(gets)
    assert sum(run.rows for run in outcome.tables["t"].times) == 10
    assert outcome.tables["t"].times[0].at > 1000 + len(model.asked) - len(gets)


async def test_an_agent_that_keeps_most_rows_is_walked_as_a_whole_and_tried_again_later() -> None:
    model = ModelAgent(device(60, 60))
    collector, made = Collector(model, Memory()), wide()
    requests = [(await collector.collect(agent(), made, 1e9)).requests for _ in range(23)]
    assert requests[0] == requests[21] > requests[1]
    assert len(set(requests[1:21])) == 1


async def test_v1_is_walked_as_a_whole() -> None:
    model = ModelAgent(device(50, 2))
    outcome = await collect(model, wide(), Version.V1)
    assert len(outcome.tables["t"].rows) == 2
    assert {request.pdu for request in model.asked} == {PduType.GETNEXT}


@pytest.mark.parametrize(
    "condition",
    [Condition("oper", differs=(2,)), Condition("oper", mismatch="2"), Condition("oper", exists=False)],
)
async def test_rows_without_the_deciding_column_are_not_lost(condition: Condition) -> None:
    """A missing value fulfils these, so the other columns have to say which rows there are."""
    held = {oid: value for oid, value in device(100, 0).items() if oid[:-1] != (*TABLE, 2) or oid[-1] > 5}
    outcome = await collect(ModelAgent(held), wide((condition,)))
    assert [row[0] for row in outcome.tables["t"].rows] == ["1", "2", "3", "4", "5"]


async def test_a_filter_on_the_index_alone_walks_everything(tmp_path: Path) -> None:
    columns = "\n".join(f'c{n} = {{ oid = "1.3.6.1.4.1.99.1.{n}" }}' for n in range(1, 15))
    index = 'index = [{ name = "i", type = "integer" }]\nwhere = { i = [3, 40] }'
    outcome = await collect(
        ModelAgent(device(50, 50)), plan(tmp_path, f"[tables.t]\n{index}\n[tables.t.columns]\n{columns}")
    )
    assert [row[0] for row in rows(outcome, "t")] == [3, 40]


async def test_a_failure_while_deciding_leaves_what_is_known_partial() -> None:
    outcome = await collect(ModelAgent(device(500, 10), answers=3), wide())
    assert (outcome.status, outcome.tables["t"].complete) == (Status.PARTIAL, False)
    assert outcome.missing["t.c3"] == "not asked after timeout"


async def test_a_failure_while_asking_for_rows_leaves_those_that_came() -> None:
    whole = await collect(ModelAgent(device(500, 10)), wide())
    outcome = await collect(ModelAgent(device(500, 10), answers=whole.requests - 1), wide())
    assert (outcome.status, outcome.tables["t"].complete) == (Status.PARTIAL, False)
    assert [row[3] for row in outcome.tables["t"].rows][:8] == [3 * n for n in range(1, 9)]
    assert outcome.missing["t.c3"].startswith("timeout in ")


@st.composite
def oddities(draw: st.DrawFn) -> Held:
    """A device of forty rows with holes, 32-bit counters in some of them, and other rows up."""
    held = device(40, 0)
    for index in draw(st.sets(st.integers(1, 40), max_size=4)):
        held[(*TABLE, 2, index)] = ber.INTEGER, 1
    for column, index in draw(st.sets(st.tuples(st.integers(1, 14), st.integers(1, 40)), max_size=20)):
        held.pop((*TABLE, column, index), None)
        if column % 2:
            held[(*OTHER, column, index)] = ber.COUNTER32, 1
    return held


@given(oddities(), st.sampled_from([10_000, 30, 9, 2]), st.sampled_from([10_000, 17]))
async def test_the_rows_are_those_of_a_filter_after_the_walk(held: Held, most: int, cut: int) -> None:
    sifted = await collect(ModelAgent(held, most=most, cut=cut), wide())
    walked = await filtered_after_the_walk(ModelAgent(held, most=most, cut=cut), wide())
    assert list(sifted.tables["t"].rows) == list(walked.tables["t"].rows)
    assert sifted.tables["t"].counter32 == walked.tables["t"].counter32
    assert sifted.missing == walked.missing


async def filtered_after_the_walk(model: ModelAgent, made: CollectPlan) -> Outcome:
    """Collect a plan with the sieve taken out."""
    collector = Collector(model, Memory())
    compiled = collector._openings_of(made).plan
    compiled.tables = compiled.tables_in_order = tuple(replace(table, sieve=None) for table in compiled.tables)
    return await collector.collect(agent(), made, 1e9)


@pytest.mark.parametrize("state", [1, 2])
async def test_look_ups_go_on_from_the_rows_that_are_kept(tmp_path: Path, state: int) -> None:
    columns = "\n".join(f'c{n} = {{ oid = "1.3.6.1.4.1.99.1.{n}", type = "counter" }}' for n in range(3, 15))
    made = plan(
        tmp_path,
        f"""
        [tables.t]
        index = [{{ name = "i", type = "integer" }}]
        where = {{ oper = {state} }}
        [tables.t.columns]
        oper = {{ oid = "1.3.6.1.4.1.99.1.2", type = "integer" }}
        name = {{ oid = "1.3.6.1.4.1.99.1.1", type = "text", by = "i" }}
        {columns}
        """,
    )
    outcome = await collect(ModelAgent(device(200, 3)), made)
    first = 1 if state == 1 else 4
    assert [row[2] for row in rows(outcome, "t")][:3] == [f"eth{n}" for n in range(first, first + 3)]
