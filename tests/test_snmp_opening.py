"""Scalars and a table's first rows in one request: the same as asked apart, or asked apart."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.model import Outcome, Status, TableTime
from streampoll.snmp import ber
from streampoll.snmp.client import WireEngine
from streampoll.snmp.collect import Collector
from streampoll.snmp.credential import AuthProtocol, Community, Credential, PrivProtocol, UsmUser, Version
from streampoll.snmp.engine import Agent, Limits
from streampoll.snmp.memory import PROBE_AFTER, Memory
from streampoll.snmp.message import ErrorStatus, PduType, read_varbinds
from streampoll.snmp.opening import BothForm
from streampoll.snmp.plain_cells import INTEGERS
from streampoll.snmp.plain_rows import RowsForm
from streampoll.snmp.plain_values import ValuesForm
from streampoll.snmp.plan import CollectPlan, Condition, Kind, Metric, Oid, TableSpec
from tests.snmp_model_support import ModelAgent, agent, forms_at_once
from tests.snmp_support import COMMUNITY, V3_KEY, SnmpdAgent
from tests.test_snmp_collect import SYSTEM, TABLE, Held, full_table, held, scalars, table
from tests.test_snmp_plain_rows import IN, OUT, reply, row, varbind

INSTANCE = (*TABLE, 2, 3)  # of a column, as a scalar
PLAN = CollectPlan(
    "both",
    (*scalars("7", "9").scalars, Metric("cell", INSTANCE, Kind.COUNTER)),
    table().tables,
)
SCALARS = (*SYSTEM, 7, 0), (*SYSTEM, 9, 0)
AGAIN = 100  # polls, after which an agent is asked for both again


@pytest.fixture(autouse=True, scope="module")
def compiled_at_once() -> Iterator[None]:
    with forms_at_once(1_000):
        yield


def device(rows: int = 5) -> Held:
    return held(*SCALARS) | full_table(rows)


class Polled:
    """A model agent that is polled again and again; its forms are compiled when it is first polled."""

    def __init__(self, model: ModelAgent, plan: CollectPlan = PLAN, version: Version = Version.V2C, **limits: float):
        self.model = model
        self.memory = Memory()
        self._plan, self._agent = plan, agent(version, **limits)
        self._collector = Collector(model, self.memory)

    async def poll(self) -> Outcome:
        self.model.asked.clear()
        return await self._collector.collect(self._agent, self._plan, 1e9)

    @property
    def asked(self) -> list[PduType]:
        return [request.pdu for request in self.model.asked]

    @property
    def asks_for_both(self) -> bool:
        return any(isinstance(request.form, BothForm) for request in self.model.asked)


async def compiled(plan: CollectPlan = PLAN) -> None:
    await Polled(ModelAgent(device()), plan).poll()


def content(outcome: Outcome) -> tuple[object, ...]:
    """What a poll found, without when and how."""
    tables = {name: (each.columns, [*each.rows], each.complete) for name, each in outcome.tables.items()}
    rows32 = {
        name: {column: [*rows] for column, rows in each.counter32.items()} for name, each in outcome.tables.items()
    }
    return outcome.status, outcome.error, outcome.values, tables, outcome.missing, outcome.counter32, rows32


# ---- what is asked


async def test_a_poll_of_scalars_and_a_table_is_one_request_once_its_forms_are_compiled() -> None:
    polled = Polled(ModelAgent(device()))
    with forms_at_once(1_000):
        first = await polled.poll()
        assert polled.asked == [PduType.GET, PduType.GETBULK]
        second = await polled.poll()
    assert polled.asked == [PduType.GETBULK]
    assert content(first) == content(second)
    assert (second.status, second.requests, second.values["cell"]) == (Status.OK, 1, device()[INSTANCE][1])
    [request] = polled.model.asked
    asked = [ber.decode_oid(oid) for oid in request.oids]
    uptime = (*SYSTEM, 3)
    assert asked == [(*SYSTEM, 7), (*SYSTEM, 9), (*TABLE, 2, 2), uptime, (*TABLE, 1), (*TABLE, 2)]
    assert request.non_repeaters == 4


async def test_the_rows_that_did_not_fit_are_walked_from_where_it_ended() -> None:
    await compiled()
    polled = Polled(ModelAgent(device(40)))
    outcome = await polled.poll()
    assert polled.asks_for_both
    polled.model.plain = False
    await polled.poll()
    apart = await polled.poll()
    assert not polled.asks_for_both
    assert content(outcome) == content(apart)
    assert outcome.requests == apart.requests - 1
    table = outcome.tables["t"]
    assert sum(time.rows for time in table.times) == len(table.rows) == 40
    assert {time.uptime for time in table.times} == {500}


@pytest.mark.parametrize(
    ("plan", "version", "limits"),
    [
        pytest.param(PLAN, Version.V1, {}, id="v1"),
        pytest.param(PLAN, Version.V2C, {"max_varbinds": 5}, id="few varbinds"),
        pytest.param(PLAN, Version.V2C, {"max_reply_bytes": 160}, id="small replies"),
        pytest.param(CollectPlan("p", (), PLAN.tables), Version.V2C, {}, id="no scalars"),
        pytest.param(CollectPlan("p", PLAN.scalars), Version.V2C, {}, id="no table"),
        pytest.param(
            CollectPlan(
                "p", PLAN.scalars, (TableSpec("t", PLAN.tables[0].columns, when=(Condition("7", equals=(100,)),)),)
            ),
            Version.V2C,
            {},
            id="scalars decide",
        ),
    ],
)
async def test_what_is_asked_apart(plan: CollectPlan, version: Version, limits: dict[str, float]) -> None:
    await compiled()
    polled = Polled(ModelAgent(device()), plan, version, **limits)
    for _ in range(3):
        outcome = await polled.poll()
        assert (outcome.status, polled.asks_for_both) == (Status.OK, False)


async def test_an_agent_that_gets_smaller_requests_is_asked_apart() -> None:
    await compiled()
    polled = Polled(ModelAgent(device()))
    polled.memory.sizes.recall(agent().address, 50)
    await polled.poll()
    assert not polled.asks_for_both


async def test_rows_are_those_of_the_first_table_alone() -> None:
    second = TableSpec("u", (Metric("c3", (*TABLE, 3), Kind.COUNTER),))
    plan = CollectPlan("p", PLAN.scalars, (*PLAN.tables, second))
    polled = Polled(ModelAgent(device() | {(*TABLE, 3, n): (ber.COUNTER64, 900 + n) for n in (1, 2)}), plan)
    with forms_at_once(1_000):
        apart = await polled.poll()
        outcome = await polled.poll()
    assert polled.asks_for_both
    assert outcome.tables["u"].rows == [["1", 901], ["2", 902]]
    assert content(outcome) == content(apart)


async def test_what_came_as_a_counter32_is_noted_and_when_it_came() -> None:
    await compiled()
    narrow = dict.fromkeys((SCALARS[1], *((*TABLE, 2, n) for n in range(1, 6))), (ber.COUNTER32, 7))
    polled = Polled(ModelAgent(device() | narrow))
    outcome = await polled.poll()
    assert polled.asks_for_both
    assert (outcome.counter32, outcome.at) == (("9", "cell"), 1001.0)
    assert outcome.tables["t"].counter32 == {"c2": range(5)}
    assert outcome.tables["t"].times == (TableTime(5, 1001.0, 500),)


# ---- agents that are not as usual


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(ModelAgent(full_table(5) | held(SCALARS[0])), id="a scalar missing"),
        pytest.param(ModelAgent(device() | {SCALARS[0]: (ber.INTEGER, -3)}), id="a negative scalar"),
        pytest.param(ModelAgent(held(*SCALARS)), id="no table"),
        pytest.param(ModelAgent(device(), poisoned={SCALARS[1]: ErrorStatus.genErr}), id="a scalar refused"),
        pytest.param(ModelAgent(device() | held((*TABLE, 2, 2, 9))), id="something before an instance"),
        pytest.param(ModelAgent({oid: v for oid, v in device().items() if oid != (*TABLE, 2, 2)}), id="a hole"),
        pytest.param(ModelAgent(device(60), cut=17), id="cut replies"),
        pytest.param(ModelAgent(device(60), most=12), id="too big"),
        pytest.param(ModelAgent(device(60), deaf_over=12), id="deaf to large requests"),
    ],
)
async def test_another_agent_is_polled_as_ever_and_asked_apart_for_a_while(model: ModelAgent) -> None:
    apart = Polled(replace(model, plain=False, asked=[], agents=[]))
    await compiled()
    polled = Polled(model)
    first = await polled.poll()
    assert polled.asks_for_both
    assert content(first) == content(await apart.poll())
    for _ in range(AGAIN):
        again = await polled.poll()
        assert not polled.asks_for_both
    assert content(again) == content(await apart.poll())


async def test_rows_that_do_not_increase_are_asked_again() -> None:
    await compiled()
    polled = Polled(ModelAgent(device(60), stuck=True))
    outcome = await polled.poll()
    assert polled.asks_for_both
    apart = await Polled(ModelAgent(device(60), stuck=True, plain=False)).poll()
    assert (outcome.status, outcome.error) == (Status.PARTIAL, "table t: OIDs that do not increase")
    assert content(outcome) == content(apart)


async def test_it_is_asked_for_both_again_after_a_while() -> None:
    await compiled()
    polled = Polled(ModelAgent(full_table(5) | held(SCALARS[0])))
    await polled.poll()
    polled.model.values = device()
    polled.model.oids = sorted(polled.model.values)
    polls = 1
    while not polled.asks_for_both or polls == 1:
        await polled.poll()
        polls += 1
    assert polls == AGAIN + 2


async def test_a_silent_agent_is_asked_for_one_value_more_and_then_as_ever() -> None:
    await compiled()
    polled = Polled(ModelAgent(device(), answers=0))
    outcome = await polled.poll()
    assert (outcome.status, outcome.error, outcome.values) == (Status.TIMEOUT, "no answer to 2 requests", {})
    assert [len(request.oids) for request in polled.model.asked] == [6, 1]
    assert [each.limits.retries for each in polled.model.agents[-2:]] == [1, 0]
    await polled.poll()
    assert polled.asked == [PduType.GET]
    assert polled.memory.back_off.failures(agent().address) == PROBE_AFTER - 1


# ---- the form


FORM = BothForm(
    ValuesForm([b"\x2b\x06\x01\x07", b"\x2b\x06\x01\x09"], [INTEGERS] * 2), RowsForm((IN, OUT), (INTEGERS,) * 2, 1)
)
SEVEN, NINE = (varbind(b"\x2b\x06\x01" + last, 17) for last in (b"\x07", b"\x09"))
UPTIME = varbind(b"\x2b\x06\x01\x02\x01\x01\x03\x00", 4711)


def test_both_are_read() -> None:
    data = reply(SEVEN, NINE, UPTIME, row(b"\x01"), row(b"\x02"), uptime=False)
    found = FORM.read(data, 0)
    assert found is not None
    assert (found.values.values, found.rows.columns, found.count) == ([17, 17], [[7, 7], [8, 8]], 7)
    assert found.varbinds() == read_varbinds(data, 0)


@given(
    st.lists(st.sampled_from([SEVEN, NINE, UPTIME, row(b"\x01"), row(b"\x02")]), max_size=7),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=2),
    st.integers(0, 20),
)
def test_what_is_read_agrees_with_the_complete_decoder(
    varbinds: list[bytes], changes: list[tuple[int, int]], less: int
) -> None:
    data = bytearray(reply(SEVEN, NINE, UPTIME, row(b"\x01"), *varbinds, uptime=False))
    for place, byte in changes:
        data[place % len(data)] = byte
    cut = bytes(data[: len(data) - less])
    found = FORM.read(cut, 0)
    if found is not None:
        everything = read_varbinds(cut, 0)
        assert [each[2] for each in everything[:2]] == found.values.values
        assert [each[1] for each in everything[:2]] == [*found.values.tags]
        width, rows = 2, found.rows
        cells = everything[3 : len(everything) - len(rows.rest)]
        assert everything[2:3] == rows.before
        assert [[each[2] for each in cells[at::width]] for at in range(width)] == rows.columns
        assert found.count == len(everything)


# ---- whatever an agent holds


CELLS = st.sets(st.tuples(st.integers(1, 2), st.integers(1, 12)), max_size=24)


@given(CELLS, st.sets(st.sampled_from(SCALARS)), st.sampled_from([10_000, 17, 9]), st.sampled_from([10_000, 12]))
async def test_the_outcome_is_that_of_asking_apart(
    cells: set[tuple[int, int]], some: set[Oid], cut: int, most: int
) -> None:
    values = held(*some, *((*TABLE, *cell) for cell in cells))
    apart = await Polled(ModelAgent(values, cut=cut, most=most, plain=False)).poll()
    polled = Polled(ModelAgent(values, cut=cut, most=most))
    for _ in range(2):
        assert content(await polled.poll()) == content(apart)


@pytest.mark.parametrize(
    "credential",
    [
        Community(Secret(COMMUNITY), Version.V2C),
        UsmUser("plain"),
        UsmUser("md5des", AuthProtocol.MD5, Secret(V3_KEY), PrivProtocol.DES, Secret(V3_KEY)),
        UsmUser("sha256aes", AuthProtocol.SHA256, Secret(V3_KEY), PrivProtocol.AES128, Secret(V3_KEY)),
    ],
    ids=["v2c", "v3", "v3 with DES", "v3 with AES"],
)
async def test_a_real_agent(credential: Credential, tmp_path: Path) -> None:
    system = {"descr": 1, "contact": 4, "name": 5, "location": 6}
    texts = tuple(Metric(name, (*SYSTEM, n, 0), Kind.TEXT) for name, n in system.items())
    services = Metric("services", (*SYSTEM, 7, 0), Kind.INTEGER)
    columns = tuple(Metric(f"c{n}", (1, 3, 6, 1, 2, 1, 2, 2, 1, n), Kind.INTEGER) for n in (1, 3, 4))
    made = CollectPlan("p", (*texts, services), (TableSpec("interfaces", columns),))
    engine = WireEngine(SnmpSettings())
    with SnmpdAgent(tmp_path) as snmpd, forms_at_once(1_000):
        collector = Collector(engine, Memory())
        asks = [Agent(snmpd.address, credential, Limits()) for _ in range(2)]
        try:
            apart, both = [await collector.collect(each, made, asyncio.get_running_loop().time() + 20) for each in asks]
        finally:
            await engine.close()
    assert (both.status, both.values["name"], both.values["services"]) == (Status.OK, "agent-under-test", 72)
    assert both.requests < apart.requests  # of the first poll of an agent in SNMPv3, one finds its engine
    assert both.requests == 1
    assert content(both) == content(apart)
