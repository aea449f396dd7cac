"""Scalars and a table's first rows in one request: the same as asked apart, or asked apart."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.model import Asked, Outcome, Status, TableTime
from streampoll.snmp import ber, opening
from streampoll.snmp.client import WireEngine
from streampoll.snmp.collect import Collector
from streampoll.snmp.conversation import Conversation
from streampoll.snmp.credential import AuthProtocol, Community, Credential, PrivProtocol, UsmUser, Version
from streampoll.snmp.engine import Agent, Failure, Limits, Reply
from streampoll.snmp.memory import Memory
from streampoll.snmp.message import ErrorStatus, PduType, Request, read_varbinds
from streampoll.snmp.opening import BothForm, asks_at_once
from streampoll.snmp.plain_cells import INTEGERS
from streampoll.snmp.plain_rows import RowsForm
from streampoll.snmp.plain_values import ValuesForm
from streampoll.snmp.plan import CollectPlan, Condition, Kind, Metric, Oid, TableSpec
from streampoll.snmp.reports import Report
from tests.snmp_model_support import ModelAgent, agent, forms_at_once
from tests.snmp_support import COMMUNITY, V3_KEY, SnmpdAgent
from tests.test_snmp_collect import OTHER, SYSTEM, TABLE, Held, full_table, held, scalars, table
from tests.test_snmp_plain_rows import IN, OUT, reply, row, varbind

USUAL = agent()
INSTANCE = (*TABLE, 2, 3)  # of a column, as a scalar
PLAN = CollectPlan(
    "both",
    (*scalars("7", "9").scalars, Metric("cell", INSTANCE, Kind.COUNTER)),
    table().tables,
)
SCALARS = (*SYSTEM, 7, 0), (*SYSTEM, 9, 0)
AGAIN = 20  # polls, after which an agent is asked for both again


@pytest.fixture(autouse=True, scope="module")
def compiled_at_once() -> Iterator[None]:
    with forms_at_once(1_000):
        yield


def device(rows: int = 5) -> Held:
    return held(*SCALARS) | full_table(rows)


class Polled:
    """A model agent that is polled again and again; its forms are compiled when it is first polled."""

    def __init__(
        self, model: ModelAgent, plan: CollectPlan = PLAN, *, apart: bool = False, agent: Agent = USUAL
    ) -> None:
        self.model = model
        self.memory = Memory()
        self.agent, self._plan = agent, plan
        self._collector = Collector(model, self.memory)
        if apart:
            self.memory.apart.skips = lambda agent: True  # type: ignore[method-assign]

    async def poll(self, deadline: float = 1e9) -> Outcome:
        self.model.asked.clear()
        self.agent.asked = Asked()
        return await self._collector.collect(self.agent, self._plan, deadline)

    @property
    def asked(self) -> list[PduType]:
        return [request.pdu for request in self.model.asked]

    @property
    def asks_for_both(self) -> bool:
        return any(isinstance(request.form, BothForm) for request in self.model.asked)


async def apart(model: ModelAgent, plan: CollectPlan = PLAN) -> Outcome:
    """Poll an agent like this one by a GET and a walk."""
    polled = Polled(replace(model, asked=[], agents=[]), plan, apart=True)
    outcome = await polled.poll()
    assert not polled.asks_for_both
    return outcome


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
    whole = await apart(polled.model)
    assert content(outcome) == content(whole)
    assert outcome.requests == whole.requests - 1
    table = outcome.tables["t"]
    assert sum(time.rows for time in table.times) == len(table.rows) == 40
    assert {time.uptime for time in table.times} == {500}


CONDITION = (Condition("7", equals=(100,)),)


@pytest.mark.parametrize(
    ("plan", "credentials", "limits"),
    [
        pytest.param(PLAN, agent(Version.V1).credential, {}, id="v1"),
        pytest.param(PLAN, USUAL.credential, {"max_varbinds": 5}, id="few varbinds"),
        pytest.param(PLAN, USUAL.credential, {"max_reply_bytes": 160}, id="small replies"),
        pytest.param(CollectPlan("p", (), PLAN.tables), USUAL.credential, {}, id="no scalars"),
        pytest.param(CollectPlan("p", PLAN.scalars), USUAL.credential, {}, id="no table"),
        pytest.param(
            CollectPlan("p", PLAN.scalars, (replace(PLAN.tables[0], when=CONDITION),)),
            USUAL.credential,
            {},
            id="scalars decide",
        ),
        pytest.param(
            CollectPlan("p", PLAN.scalars, (replace(PLAN.tables[0], where=(Condition("c1", exists=True),)),)),
            USUAL.credential,
            {},
            id="rows are filtered",
        ),
    ],
)
async def test_what_is_asked_apart(plan: CollectPlan, credentials: Credential, limits: dict[str, float]) -> None:
    await compiled()
    polled = Polled(ModelAgent(device()), plan, agent=Agent(USUAL.address, credentials, Limits(**limits)))  # type: ignore[arg-type]
    for _ in range(3):
        outcome = await polled.poll()
        assert (outcome.status, polled.asks_for_both) == (Status.OK, False)
    assert limits or credentials is not USUAL.credential or not asks_at_once(plan)


async def test_a_user_of_snmpv3_is_asked_for_both() -> None:
    await compiled()
    polled = Polled(ModelAgent(device()), agent=Agent(USUAL.address, UsmUser("plain"), Limits()))
    await polled.poll()
    assert polled.asks_for_both
    assert asks_at_once(PLAN)


async def test_an_agent_that_gets_smaller_requests_is_asked_apart() -> None:
    await compiled()
    polled = Polled(ModelAgent(device()))
    polled.memory.sizes.recall(USUAL.address, 50)
    await polled.poll()
    assert not polled.asks_for_both


async def test_rows_are_those_of_the_first_table_alone() -> None:
    second = TableSpec("u", (Metric("c3", (*TABLE, 3), Kind.COUNTER),))
    plan = CollectPlan("p", PLAN.scalars, (*PLAN.tables, second))
    polled = Polled(ModelAgent(device() | {(*TABLE, 3, n): (ber.COUNTER64, 900 + n) for n in (1, 2)}), plan)
    await compiled(plan)
    outcome = await polled.poll()
    assert polled.asks_for_both
    assert outcome.tables["u"].rows == [["1", 901], ["2", 902]]
    assert content(outcome) == content(await apart(polled.model, plan))


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


TABLE_OF_40 = device(40)
ODD = [
    pytest.param(ModelAgent(full_table(5) | held(SCALARS[0])), id="a scalar missing"),
    pytest.param(ModelAgent(device() | {SCALARS[0]: (ber.INTEGER, -3)}), id="a negative scalar"),
    pytest.param(ModelAgent(held(*SCALARS)), id="no table"),
    pytest.param(ModelAgent(device(), poisoned={SCALARS[1]: ErrorStatus.genErr}), id="a scalar refused"),
    pytest.param(ModelAgent(device() | held((*TABLE, 2, 2, 9))), id="something before an instance"),
    pytest.param(ModelAgent({oid: v for oid, v in device().items() if oid != (*TABLE, 2, 2)}), id="a hole"),
    pytest.param(ModelAgent(device() | held((*TABLE, 2, 6))), id="a hole at the end"),
    pytest.param(ModelAgent(device() | held((*TABLE, 1, 200), (*TABLE, 2, 200))), id="indexes of two lengths"),
    pytest.param(ModelAgent(device(60), cut=17), id="cut replies"),
    pytest.param(ModelAgent(device(60), most=12), id="too big"),
    pytest.param(ModelAgent(device(60), stuck=True), id="OIDs that do not increase"),
    pytest.param(ModelAgent(TABLE_OF_40, repeats=1), id="one non-repeater"),
    pytest.param(ModelAgent(TABLE_OF_40, repeats=2), id="two non-repeaters"),
    pytest.param(ModelAgent(TABLE_OF_40 | held((*TABLE, 9, 0)), repeats=3), id="three non-repeaters"),
    pytest.param(ModelAgent(device(60), deaf_over=12), id="deaf to large requests"),
]


@pytest.mark.parametrize("model", ODD)
async def test_another_agent_is_polled_as_ever_and_asked_apart_for_a_while(model: ModelAgent) -> None:
    await compiled()
    polled = Polled(model)
    usual = content(await apart(model))
    assert content(await polled.poll()) == usual
    assert polled.asks_for_both
    for _ in range(AGAIN):
        assert content(await polled.poll()) == usual
        assert not polled.asks_for_both
    assert content(await polled.poll()) == usual
    assert polled.asks_for_both != bool(polled.memory.sizes.agents)


async def test_scalars_behind_the_table_are_not_taken_for_its_end() -> None:
    behind = [(*OTHER, n, 0) for n in (7, 8, 9)]
    plan = CollectPlan("p", tuple(Metric(f"s{oid[-2]}", oid, Kind.COUNTER) for oid in behind), PLAN.tables)
    model = ModelAgent(full_table(40) | held(*behind), repeats=1)
    await compiled(plan)
    polled = Polled(model, plan)
    outcome = await polled.poll()
    assert polled.asks_for_both
    assert len(outcome.tables["t"].rows) == 40


@pytest.mark.parametrize(("scalars_behind", "repetitions", "cut"), [(11, 5, 22), (12, 2, 17), (12, 3, 19)])
@pytest.mark.parametrize("repeats", [1, 2, 3])
async def test_nor_are_they_where_the_reply_is_cut_at_what_was_asked(
    scalars_behind: int, repetitions: int, cut: int, repeats: int
) -> None:
    behind = [(*OTHER, n, 0) for n in range(7, 7 + scalars_behind)]
    plan = CollectPlan("p", tuple(Metric(f"s{oid[-2]}", oid, Kind.COUNTER) for oid in behind), PLAN.tables)
    await compiled(plan)
    model = ModelAgent(full_table(40) | held(*behind), repeats=repeats, cut=cut)
    polled = Polled(model, plan, agent=agent(max_repetitions=repetitions))
    outcome = await polled.poll()
    assert polled.asks_for_both
    assert len(outcome.tables["t"].rows) == 40


async def test_it_is_asked_for_both_again_after_a_while() -> None:
    await compiled()
    polled = Polled(ModelAgent(full_table(5) | held(SCALARS[0])))
    await polled.poll()
    polled.model.values = device()
    polled.model.oids = sorted(polled.model.values)
    for _ in range(AGAIN):
        assert (await polled.poll()).status is Status.OK
        assert not polled.asks_for_both
    await polled.poll()
    assert polled.asked == [PduType.GETBULK]


async def test_a_silent_agent_is_asked_once_for_both_and_then_as_ever() -> None:
    await compiled()
    polled = Polled(ModelAgent(device(), answers=0))
    outcome = await polled.poll()
    assert content(outcome) == content(await apart(polled.model))
    assert (outcome.status, outcome.error, outcome.first_reply) == (Status.TIMEOUT, "no answer to 2 requests", 0.0)
    assert [(len(request.oids), request.once) for request in polled.model.asked] == [(6, True), (3, False)]
    assert outcome.requests == 3
    await polled.poll()
    assert polled.asked == [PduType.GET]
    assert polled.memory.back_off.failures(USUAL.address) == 2
    polled.model.answers = 1_000
    assert (await polled.poll()).status is Status.OK
    for _ in range(AGAIN):
        assert not polled.asks_for_both
        assert (await polled.poll()).status is Status.OK
    await polled.poll()
    assert polled.asks_for_both


@pytest.mark.parametrize(
    ("failure", "tries_a_get"),
    [
        (Failure(Status.TIMEOUT, "no answer to 1 requests", 1), True),
        (Failure(Status.DECODE, "the reply can't be read: x", 1), True),
        (Failure(Status.TIMEOUT, "not sent before the deadline", 0), False),
        (Failure(Status.UNREACHABLE, "port unreachable (ICMP)", 1), False),
        (Failure(Status.AUTH, "the reply's signature is wrong", 1), True),
        (Report(Status.AUTH, "unknown user", 1), False),
    ],
)
async def test_a_failure_that_a_get_would_meet_too_is_the_polls(failure: Failure, tries_a_get: bool) -> None:
    class Failing(ModelAgent):
        async def request(self, agent: Agent, request: Request, deadline: float) -> Reply | Failure:
            reply = await super().request(agent, request, deadline)
            return failure if request.once else reply

    await compiled()
    polled = Polled(Failing(device()))
    outcome = await polled.poll()
    assert polled.asks_for_both
    if tries_a_get:
        assert content(outcome) == content(await apart(ModelAgent(device())))
    else:
        assert (outcome.status, outcome.error, len(polled.asked)) == (failure.status, failure.reason, 1)
    await polled.poll()
    assert polled.asks_for_both is isinstance(failure, Report)  # it did not look down, nor did it answer


async def test_there_is_no_get_after_the_polls_end(monkeypatch: pytest.MonkeyPatch) -> None:
    await compiled()
    polled = Polled(ModelAgent(device(), answers=0))
    monkeypatch.setattr(Conversation, "has_time", lambda _, seconds: seconds > 0.0)  # at first, and then no more
    outcome = await polled.poll()
    assert (outcome.error, polled.asked) == ("no answer to 1 requests", [PduType.GETBULK])


@pytest.mark.parametrize(("within_s", "both"), [(3.9, False), (4.5, True)])
async def test_a_poll_without_time_for_a_get_after_it_begins_with_the_get(within_s: float, both: bool) -> None:
    await compiled()
    polled = Polled(ModelAgent(device()), agent=agent(timeout_s=2.0))
    await polled.poll(asyncio.get_running_loop().time() + within_s)
    assert polled.asks_for_both is both


async def test_an_agent_that_has_to_be_asked_who_it_is_is_asked_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    await compiled()
    polled = Polled(ModelAgent(device()))
    monkeypatch.setattr(polled.model, "knows", lambda _: False)
    await polled.poll()
    assert not polled.asks_for_both


async def test_an_agent_whose_get_fails_too_is_asked_apart_for_a_while() -> None:
    class Garbling(ModelAgent):
        async def request(self, agent: Agent, request: Request, deadline: float) -> Reply | Failure:
            await super().request(agent, request, deadline)
            return Failure(Status.DECODE, "the reply can't be read: x", 1)

    await compiled()
    polled = Polled(Garbling(device()))
    await polled.poll()
    assert polled.asked == [PduType.GETBULK, PduType.GET]
    await polled.poll()
    assert polled.asked == [PduType.GET]


async def test_a_plan_that_loses_more_than_it_saves_opens_with_a_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_CLOSED", 30)
    await compiled()
    model, without, numbers = ModelAgent(device()), full_table(5) | held(SCALARS[0]), count(1)
    collector = Collector(model, Memory())

    async def polls(values: Held, times: int) -> list[bool]:
        model.values, model.oids = values, sorted(values)
        opened = []
        for _ in range(times):
            model.asked.clear()
            each = Agent((f"192.0.2.{next(numbers)}", 161), USUAL.credential, Limits())
            await collector.collect(each, PLAN, 1e9)
            opened.append(any(isinstance(request.form, BothForm) for request in model.asked))
        return opened

    assert all(await polls(without, 49))
    assert all(await polls(device(), 49))
    model.answers = 0
    assert all(await polls(device(), 60))  # silence is no matter of the plan
    model.answers = 10_000
    model.deaf_over = 5
    assert await polls(device(), 85) == [True] * 50 + [False] * 30 + [True] * 5
    model.deaf_over = 10_000
    assert all(await polls(device(), 5))
    assert await polls(without, 85) == [True] * 50 + [False] * 30 + [True] * 5


# ---- the form


@pytest.mark.parametrize(
    ("oid", "before"),
    [
        ((1, 3, 7, 0), (1, 3, 7)),
        ((1, 3, 7, 5), (1, 3, 7, 4)),
        ((1, 3, 7, 128), (1, 3, 7, 127)),
        ((1, 3, 7, 16384), (1, 3, 7, 16383)),
        ((1, 3, 128, 0), (1, 3, 128)),
        ((1, 3, 7, 4294967295), (1, 3, 7, 4294967294)),
    ],
)
def test_the_oid_behind_which_an_instance_is_the_next(oid: Oid, before: Oid) -> None:
    assert opening._before(ber.encode_oid(oid)) == ber.encode_oid(before)


FORM = BothForm(
    ValuesForm([b"\x2b\x06\x01\x07", b"\x2b\x06\x01\x09"], [INTEGERS] * 2), RowsForm((IN, OUT), (INTEGERS,) * 2, 1), 2
)
SEVEN, NINE = (varbind(b"\x2b\x06\x01" + last, 17) for last in (b"\x07", b"\x09"))
UPTIME = varbind(b"\x2b\x06\x01\x02\x01\x01\x03\x00", 4711)


def test_both_are_read() -> None:
    data = reply(SEVEN, NINE, UPTIME, row(b"\x01"), row(b"\x02"), uptime=False)
    found = FORM.read(data, 0)
    assert found is not None
    assert (found.values.values, found.rows.columns, found.count) == ([17, 17], [[7, 7], [8, 8]], 7)
    assert found.varbinds() == read_varbinds(data, 0)


END = [ber.encode_tlv(ber.SEQUENCE, ber.encode_tlv(ber.OBJECT_IDENTIFIER, last) + b"\x82\x00") for last in (IN, OUT)]


@pytest.mark.parametrize(
    ("behind", "is_taken"),
    [
        pytest.param([], True, id="nothing"),
        pytest.param([varbind(IN[:-1] + b"\x0b\x01", 1), varbind(OUT[:-1] + b"\x02\x01", 1)], True, id="what follows"),
        pytest.param([varbind(IN[:-1] + b"\x0b\x01", 1), END[1]], True, id="what follows, and the end of all"),
        pytest.param(END, False, id="the end of all, under the first column's OID"),
        pytest.param([varbind(b"\x2b\x05", 1), varbind(b"\x2b\x05", 1)], False, id="what is before the columns"),
        pytest.param([varbind(b"\x2b\x07", 1)] * 2 * 2, False, id="more than was asked"),
        pytest.param([varbind(b"\x2b\x07", 1)], False, id="half a row"),
        pytest.param([varbind(OUT + b"\x01", 1), varbind(b"\x2b\x07", 1)], True, id="the column behind this"),
        pytest.param([varbind(OUT + b"\x02", 1), varbind(b"\x2b\x07", 1)], False, id="a row more of another column"),
    ],
)
def test_what_is_behind_the_rows_shows_whether_the_table_ends(behind: list[bytes], is_taken: bool) -> None:
    found = FORM.read(reply(SEVEN, NINE, UPTIME, row(b"\x01"), *behind, uptime=False), 0)
    assert (found is not None) is is_taken


@pytest.mark.parametrize(("scalar", "is_taken"), [(b"\x2b\x01", True), (b"\x2b\x08", False)], ids=["before", "behind"])
def test_all_does_not_end_before_a_scalar(scalar: bytes, is_taken: bool) -> None:
    form = replace(FORM, values=ValuesForm([scalar], [INTEGERS]))
    found = form.read(
        reply(varbind(scalar, 1), UPTIME, row(b"\x01"), varbind(IN[:-1] + b"\x0b\x01", 1), END[1], uptime=False), 0
    )
    assert (found is not None) is is_taken


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


@given(
    CELLS,
    st.sets(st.sampled_from(SCALARS)),
    st.sampled_from([10_000, 17, 9]),
    st.sampled_from([10_000, 12]),
    st.integers(0, 3),
)
async def test_the_outcome_is_that_of_asking_apart(
    cells: set[tuple[int, int]], some: set[Oid], cut: int, most: int, repeats: int
) -> None:
    values = held(*some, *((*TABLE, *cell) for cell in cells))
    model = ModelAgent(values, cut=cut, most=most, repeats=repeats)
    polled = Polled(model)
    usual = content(await apart(model))
    for _ in range(2):
        assert content(await polled.poll()) == usual


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
