"""Collecting on a model agent: everything a device may do, and what the outcome says of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streampoll.model import Outcome, Status, TableTime
from streampoll.snmp import ber
from streampoll.snmp.collect import Collector
from streampoll.snmp.compiled import table_of
from streampoll.snmp.credential import Version
from streampoll.snmp.memory import PROBE_AFTER, UNLIMITED, BackOff, Memory, RequestSizes
from streampoll.snmp.message import ErrorStatus, PduType
from streampoll.snmp.plan import CollectPlan, Kind, Metric, Oid, TableSpec
from tests.snmp_model_support import UPTIME, ModelAgent, agent

SYSTEM = (1, 3, 6, 1, 2, 1, 1)
TABLE = (1, 3, 6, 1, 4, 1, 99, 1)
OTHER = (1, 3, 6, 1, 4, 1, 99, 2)
BOTH = pytest.mark.parametrize("version", [Version.V1, Version.V2C])
Held = dict[Oid, tuple[int, ber.Wire]]


def scalars(*names: str) -> CollectPlan:
    """A plan of integers: "3" is SYSTEM.3.0."""
    return CollectPlan("plain", tuple(Metric(name, (*SYSTEM, int(name), 0), Kind.INTEGER) for name in names))


def table(columns: int = 2, **spec: int) -> CollectPlan:
    metrics = tuple(Metric(f"c{n}", (*TABLE, n), Kind.COUNTER) for n in range(1, columns + 1))
    return CollectPlan("walked", (), (TableSpec("t", metrics, **spec),))  # type: ignore[arg-type]


def held(*oids: Oid) -> Held:
    """What an agent holds: a number for each OID, and sysUpTime."""
    return {UPTIME: (ber.TIME_TICKS, 500)} | {oid: (ber.COUNTER64, number) for number, oid in enumerate(oids, 100)}


def full_table(rows: int, columns: int = 2) -> Held:
    return held(*((*TABLE, column, row) for column in range(1, columns + 1) for row in range(1, rows + 1)))


async def collect(
    model: ModelAgent, plan: CollectPlan, version: Version = Version.V2C, memory: Memory | None = None, **limits: float
) -> Outcome:
    return await Collector(model, memory or Memory()).collect(agent(version, **limits), plan, 1e9)


# ---- scalars


@BOTH
async def test_scalars_are_packed_into_few_requests(version: Version) -> None:
    names = [str(n) for n in range(3, 103)]
    model = ModelAgent(held(*((*SYSTEM, int(name), 0) for name in names)))
    outcome = await collect(model, scalars(*names), version)
    assert (outcome.status, len(outcome.values), outcome.requests, outcome.varbinds) == (Status.OK, 100, 3, 100)


async def test_replies_are_kept_under_the_reply_size() -> None:
    plan = CollectPlan("texts", tuple(Metric(f"m{n}", (*SYSTEM, n, 0), Kind.TEXT) for n in range(3, 33)))
    model = ModelAgent({(*SYSTEM, n, 0): (ber.OCTET_STRING, b"x" * 32) for n in range(3, 33)})
    await collect(model, plan, max_reply_bytes=484)
    assert [len(request.oids) for request in model.asked] == [9, 9, 9, 3]


@BOTH
async def test_a_scalar_that_does_not_exist_is_none_with_a_reason(version: Version) -> None:
    outcome = await collect(ModelAgent(held((*SYSTEM, 7, 0))), scalars("7", "8"), version)
    reason = "noSuchName" if version is Version.V1 else "noSuchObject"
    assert (outcome.status, outcome.values, outcome.missing) == (Status.OK, {"7": 100, "8": None}, {"8": reason})


async def test_v1_asks_the_rest_again_without_what_has_no_name() -> None:
    model = ModelAgent(held((*SYSTEM, 7, 0), (*SYSTEM, 9, 0)))
    outcome = await collect(model, scalars("7", "8", "9", "10"), Version.V1)
    assert outcome.values == {"7": 100, "8": None, "9": 101, "10": None}
    assert [len(request.oids) for request in model.asked] == [4, 3, 2]


@BOTH
async def test_the_fallback_is_asked_where_the_first_does_not_exist(version: Version) -> None:
    metric = Metric("in", (*SYSTEM, 60, 0), Kind.COUNTER, fallback=(*SYSTEM, 7, 0))
    outcome = await collect(ModelAgent(held((*SYSTEM, 7, 0))), CollectPlan("p", (metric,)), version)
    assert (outcome.status, outcome.values, outcome.missing) == (Status.OK, {"in": 100}, {})


@BOTH
@pytest.mark.parametrize("missing", [[], [Metric("none", (*SYSTEM, 62, 0), Kind.COUNTER)]])
async def test_values_are_in_the_order_of_the_profile(version: Version, missing: list[Metric]) -> None:
    first = Metric("in", (*SYSTEM, 60, 0), Kind.COUNTER, fallback=(*SYSTEM, 7, 0))
    plan = CollectPlan("p", (first, *missing, Metric("out", (*SYSTEM, 8, 0), Kind.COUNTER)))
    outcome = await collect(ModelAgent(held((*SYSTEM, 7, 0), (*SYSTEM, 8, 0))), plan, version)
    assert [*outcome.values] == [metric.name for metric in plan.scalars]


async def test_a_poisoned_varbind_costs_only_itself() -> None:
    model = ModelAgent(held((*SYSTEM, 7, 0), (*SYSTEM, 8, 0)), poisoned={(*SYSTEM, 8, 0): ErrorStatus.genErr})
    outcome = await collect(model, scalars("7", "8"))
    assert (outcome.status, outcome.values) == (Status.PARTIAL, {"7": 100, "8": None})
    assert (outcome.missing, outcome.error) == ({"8": "genErr"}, "8: genErr")


async def test_a_poisoned_varbind_is_found_also_where_the_agent_does_not_name_it() -> None:
    oids = [(*SYSTEM, n, 0) for n in range(11, 19)]
    model = ModelAgent(held(*oids), poisoned={oids[5]: ErrorStatus.genErr}, vague=True)
    outcome = await collect(model, scalars(*(str(oid[-2]) for oid in oids)))
    assert (outcome.status, list(outcome.missing)) == (Status.PARTIAL, ["16"])


async def test_an_error_status_for_everything_is_refused_and_no_empty_success() -> None:
    poisoned = dict.fromkeys([(*SYSTEM, 7, 0), (*SYSTEM, 8, 0)], ErrorStatus.authorizationError)
    outcome = await collect(ModelAgent(held(*poisoned), poisoned=poisoned), scalars("7", "8"))
    assert (outcome.status, outcome.error) == (Status.REFUSED, "7: authorizationError")


async def test_a_reply_to_another_question_is_no_answer() -> None:
    model = ModelAgent(held((*SYSTEM, 7, 0), (*SYSTEM, 8, 0)), swapped=True)
    outcome = await collect(model, scalars("7", "8"))
    assert (outcome.status, outcome.values) == (Status.REFUSED, {"7": None, "8": None})
    assert set(outcome.missing.values()) == {"another OID in answer"}


async def test_a_value_of_another_type_is_none_with_a_reason() -> None:
    model = ModelAgent({(*SYSTEM, 7, 0): (ber.OCTET_STRING, b"12"), (*SYSTEM, 8, 0): (ber.INTEGER, 3)})
    outcome = await collect(model, scalars("7", "8"))
    assert outcome.values == {"7": None, "8": 3}
    assert outcome.missing["7"].startswith("wrongType: OCTET STRING")


@pytest.mark.parametrize(
    ("kind", "tag", "wire", "value"),
    [
        (Kind.TEXT, ber.OCTET_STRING, b"eth0", "eth0"),
        (Kind.TEXT, ber.OCTET_STRING, b"\xff\xfe", b"\xff\xfe"),
        (Kind.TEXT, ber.INTEGER, 3, None),
        (Kind.BYTES, ber.OCTET_STRING, b"abc", b"abc"),
        (Kind.BYTES, ber.INTEGER, 3, None),
        (Kind.COUNTER, ber.COUNTER64, 2**64 - 1, 2**64 - 1),
        (Kind.COUNTER, ber.INTEGER, -3, None),
        (Kind.INTEGER, ber.INTEGER, -3, -3),
        (Kind.TICKS, ber.TIME_TICKS, 0, 0),
        (Kind.OID, ber.OBJECT_IDENTIFIER, "1.3.6", "1.3.6"),
        (Kind.OID, ber.OCTET_STRING, b"1.3.6", None),
        (Kind.IP, ber.IP_ADDRESS, b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x01"),
        (Kind.IP, ber.OCTET_STRING, b"\x00" * 16, b"\x00" * 16),
        (Kind.IP, ber.OCTET_STRING, b"\x00" * 5, None),
        (Kind.AUTO, ber.OPAQUE, 1.5, 1.5),
        (Kind.AUTO, ber.NULL, ber.Absent.NULL, None),
    ],
)
async def test_values_are_converted_by_kind(kind: Kind, tag: int, wire: ber.Wire, value: object) -> None:
    plan = CollectPlan("p", (Metric("m", (*SYSTEM, 7, 0), kind), Metric("n", (*SYSTEM, 8, 0))))
    model = ModelAgent({(*SYSTEM, 7, 0): (tag, wire), (*SYSTEM, 8, 0): (ber.INTEGER, 1)})
    outcome = await collect(model, plan)
    assert outcome.values["m"] == value
    assert ("m" in outcome.missing) == (value is None)


async def test_the_time_is_that_of_the_reply() -> None:
    outcome = await collect(ModelAgent(held((*SYSTEM, 7, 0))), scalars("7"))
    assert (outcome.at, outcome.first_reply) == (1001.0, 1001.0)


# ---- requests that are too large


async def test_too_big_is_halved_until_it_fits_and_remembered() -> None:
    names = [str(n) for n in range(11, 43)]
    model, memory = ModelAgent(held(*((*SYSTEM, int(n), 0) for n in names)), most=8), Memory()
    first = await collect(model, scalars(*names), memory=memory)
    again = await collect(model, scalars(*names), memory=memory)
    assert (first.status, again.status) == (Status.OK, Status.OK)
    assert len(again.values) == 32
    assert (first.requests, again.requests) == (6, 4)


async def test_one_varbind_that_is_too_big_is_refused() -> None:
    outcome = await collect(ModelAgent(held((*SYSTEM, 7, 0)), most=0), scalars("7"))
    assert (outcome.status, outcome.error) == (Status.REFUSED, "7: tooBig")


async def test_silence_after_a_large_request_halves_it() -> None:
    names = [str(n) for n in range(11, 61)]
    model, memory = ModelAgent(held(*((*SYSTEM, int(n), 0) for n in names)), deaf_over=10), Memory()
    outcome = await collect(model, scalars(*names), memory=memory, max_varbinds=40)
    assert outcome.status is Status.TIMEOUT  # it never answered: that is no matter of size
    small_first = CollectPlan("p", scalars("11").scalars, table(4).tables)
    model.values = model.values | full_table(20, 4)
    model.__post_init__()
    outcome = await collect(model, small_first, memory=memory)
    assert (outcome.status, len(outcome.tables["t"].rows)) == (Status.OK, 20)
    assert memory.sizes.limit(("192.0.2.1", 161)) < 20


async def test_a_table_whose_replies_are_too_big_is_walked_in_smaller_ones() -> None:
    model = ModelAgent(full_table(30, 4), most=9)
    outcome = await collect(model, table(4))
    assert (outcome.status, len(outcome.tables["t"].rows)) == (Status.OK, 30)


async def test_an_agent_that_can_answer_one_varbind_at_a_time_is_still_walked() -> None:
    outcome = await collect(ModelAgent(full_table(5, 3), most=1), table(3))
    assert (outcome.status, len(outcome.tables["t"].rows)) == (Status.OK, 5)


async def test_clean_polls_let_the_requests_grow_again() -> None:
    model, memory = ModelAgent(held((*SYSTEM, 7, 0))), Memory()
    memory.sizes.shrink(("192.0.2.1", 161), 40)
    for _ in range(10):
        await collect(model, scalars("7"), memory=memory)
    assert memory.sizes.limit(("192.0.2.1", 161)) == 22


def test_a_limit_grows_back_slowly() -> None:
    sizes, one = RequestSizes(), ("192.0.2.1", 161)
    assert sizes.shrink(one, 40) == 20
    for _ in range(10):
        sizes.clean(one)
    assert sizes.limit(one) == 22
    for _ in range(2000):
        sizes.clean(one)
    assert sizes.limit(one) == UNLIMITED


# ---- tables


@BOTH
async def test_a_table_is_walked_in_its_order(version: Version) -> None:
    outcome = await collect(ModelAgent(full_table(300)), table(), version)
    walked = outcome.tables["t"]
    assert (outcome.status, walked.complete, walked.columns) == (Status.OK, True, ("c1", "c2"))
    assert [row[0] for row in walked.rows] == [str(n) for n in range(1, 301)]  # 127 and 128 differ in length
    assert [list(row[1:]) for row in walked.rows] == [[99 + n, 399 + n] for n in range(1, 301)]


async def test_v2c_walks_with_getbulk_and_v1_with_getnext() -> None:
    bulk, step = ModelAgent(full_table(20)), ModelAgent(full_table(20))
    await collect(bulk, table(), Version.V2C)
    await collect(step, table(), Version.V1)
    assert {request.pdu for request in bulk.asked} == {PduType.GETBULK}
    assert {request.pdu for request in step.asked} == {PduType.GETNEXT}
    assert len(bulk.asked) < len(step.asked)


@BOTH
async def test_rows_carry_the_time_and_uptime_of_their_reply(version: Version) -> None:
    model = ModelAgent(full_table(30))
    walked = (await collect(model, table(), version, max_repetitions=10)).tables["t"]
    rows = 10 if version is Version.V2C else 1
    assert walked.times[:2] == (TableTime(rows, 1001.0, 500), TableTime(rows, 1002.0, 500))
    assert sum(run.rows for run in walked.times) == len(walked.rows) == 30


@BOTH
async def test_a_device_without_sys_uptime_is_walked_all_the_same(version: Version) -> None:
    values = {oid: value for oid, value in full_table(5).items() if oid != UPTIME}
    walked = (await collect(ModelAgent(values), table(), version)).tables["t"]
    assert (len(walked.rows), {run.uptime for run in walked.times}) == (5, {None})


@pytest.mark.parametrize("cut", [4, 5, 6, 8, 11])
async def test_a_reply_cut_short_goes_on_from_the_last_complete_row(cut: int) -> None:
    outcome = await collect(ModelAgent(full_table(40, 3), cut=cut), table(3))
    walked = outcome.tables["t"]
    assert (outcome.status, len(walked.rows)) == (Status.OK, 40)
    assert all(None not in row for row in walked.rows)


@pytest.mark.parametrize("cut", [1, 2, 3])
async def test_a_reply_cut_within_its_first_row_asks_for_fewer_columns(cut: int) -> None:
    outcome = await collect(ModelAgent(full_table(4, 6), cut=cut), table(6))
    assert (outcome.status, len(outcome.tables["t"].rows)) == (Status.OK, 4)


async def test_a_hole_is_none_with_a_reason_and_shifts_nothing() -> None:
    values = full_table(5)
    del values[(*TABLE, 2, 3)]
    outcome = await collect(ModelAgent(values), table())
    assert [row[2] for row in outcome.tables["t"].rows] == [105, 106, None, 108, 109]
    assert (outcome.status, outcome.missing) == (Status.OK, {"t.c2": "noSuchInstance in 1 of 5 rows"})


def _fallback_plan() -> CollectPlan:
    columns = (Metric("name", (*TABLE, 1)), Metric("in", (*TABLE, 2), Kind.COUNTER, fallback=(*OTHER, 2)))
    return CollectPlan("fallback", (), (TableSpec("t", columns),))


@BOTH
async def test_a_column_that_does_not_exist_is_walked_as_its_fallback(version: Version) -> None:
    values = held(*((*TABLE, 1, row) for row in range(1, 30)), *((*OTHER, 2, row) for row in range(1, 30)))
    outcome = await collect(ModelAgent(values), _fallback_plan(), version)
    assert (outcome.status, outcome.missing) == (Status.OK, {})
    assert [row[2] for row in outcome.tables["t"].rows] == list(range(129, 158))


async def test_v1_finds_the_fallback_of_a_column_beyond_the_end_of_the_mib() -> None:
    column = Metric("in", (*OTHER, 9), Kind.COUNTER, fallback=(*TABLE, 2))
    plan = CollectPlan("p", (), (TableSpec("t", (Metric("name", (*TABLE, 1)), column)),))
    outcome = await collect(ModelAgent(full_table(3)), plan, Version.V1)
    assert [row[2] for row in outcome.tables["t"].rows] == [103, 104, 105]


@BOTH
async def test_an_agent_that_fails_on_sys_uptime_is_asked_without(version: Version) -> None:
    model = ModelAgent(full_table(20), poisoned={UPTIME: ErrorStatus.genErr})
    outcome = await collect(model, table(), version, max_repetitions=10)
    assert (outcome.status, len(outcome.tables["t"].rows)) == (Status.OK, 20)
    assert len(model.asked) == (23 if version is Version.V1 else 4)  # one refusal more than without


async def test_a_poisoned_column_costs_only_itself() -> None:
    model = ModelAgent(full_table(5), poisoned={(*TABLE, 2, 1): ErrorStatus.genErr})
    outcome = await collect(model, table())
    assert [list(row) for row in outcome.tables["t"].rows] == [[str(n), 99 + n, None] for n in range(1, 6)]
    assert (outcome.status, outcome.missing) == (Status.PARTIAL, {"t.c2": "genErr"})


@BOTH
async def test_rows_that_lack_a_column_get_its_fallback(version: Version) -> None:
    values = held(*((*TABLE, 1, row) for row in (1, 2, 3)), (*TABLE, 2, 2), (*OTHER, 2, 1), (*OTHER, 2, 2))
    outcome = await collect(ModelAgent(values), _fallback_plan(), version)
    assert [row[2] for row in outcome.tables["t"].rows] == [104, 103, None]


async def test_oids_that_do_not_increase_are_an_error_and_no_loop() -> None:
    model = ModelAgent(full_table(50), stuck=True)
    outcome = await collect(model, table())
    assert outcome.status is Status.REFUSED
    assert ("do not increase" in outcome.error, len(model.asked)) == (True, 1)


async def test_a_table_is_cut_at_its_cap_and_marked() -> None:
    outcome = await collect(ModelAgent(full_table(100)), table(max_rows=30))
    walked = outcome.tables["t"]
    assert (outcome.status, len(walked.rows), walked.complete) == (Status.PARTIAL, 30, False)
    assert "cut at 30 rows" in outcome.error
    assert sum(run.rows for run in walked.times) == 30


async def test_a_table_as_long_as_its_cap_is_complete() -> None:
    outcome = await collect(ModelAgent(full_table(30)), table(max_rows=30))
    assert (outcome.status, len(outcome.tables["t"].rows)) == (Status.OK, 30)


@BOTH
async def test_a_walk_broken_off_keeps_its_rows_and_is_partial(version: Version) -> None:
    outcome = await collect(ModelAgent(full_table(100), answers=2), table(), version)
    walked = outcome.tables["t"]
    assert (outcome.status, walked.complete, len(walked.rows) > 0) == (Status.PARTIAL, False, True)
    assert "no answer" in outcome.error


@pytest.mark.parametrize("plain", [True, False])
async def test_columns_that_came_as_counter32_are_told_by_name(plain: bool) -> None:
    values = full_table(60, 3)
    narrow = {oid: (ber.COUNTER32, value) for oid, (_, value) in values.items() if oid[:-1] == (*TABLE, 2)}
    outcome = await collect(ModelAgent(values | narrow, plain=plain), table(3))
    walked = outcome.tables["t"]
    assert (walked.counter32, len(walked.times) > 1) == ({"c2": range(60)}, True)


@pytest.mark.parametrize("plain", [True, False])
async def test_a_hole_far_behind_is_found_after_rows_without_one(plain: bool) -> None:
    values = full_table(60) | {(*TABLE, 1, row): (ber.COUNTER32, row) for row in range(1, 21)}
    del values[(*TABLE, 2, 50)]
    outcome = await collect(ModelAgent(values, plain=plain), table())
    walked = outcome.tables["t"]
    assert [row[1:] for row in list(walked.rows)[48:51]] == [(148, 208), (149, None), (150, 210)]
    assert (outcome.missing, walked.counter32) == ({"t.c2": "noSuchInstance in 1 of 60 rows"}, {"c1": range(60)})


def test_a_table_that_asks_for_no_column_is_no_table_of_integers() -> None:
    assert not table_of(TableSpec("t", ())).integers


@settings(max_examples=300)
@given(
    cells=st.dictionaries(
        st.integers(1, 300) | st.integers(16_375, 16_400),  # where the order of bytes is not the order of arcs
        st.sets(st.integers(1, 4), min_size=1),
        min_size=1,
        max_size=25,
    ),
    cut=st.integers(1, 30),
    most=st.sampled_from([1, 2, 3, 5, 10_000]),
    repetitions=st.integers(1, 12),
    version=st.sampled_from([Version.V1, Version.V2C]),
    plain=st.booleans(),
)
async def test_any_table_is_collected_as_it_is(
    cells: dict[int, set[int]], cut: int, most: int, repetitions: int, version: Version, plain: bool
) -> None:
    values = held(*((*TABLE, column, row) for row, columns in cells.items() for column in columns))
    model = ModelAgent(values, cut=cut, most=most, plain=plain)
    outcome = await collect(model, table(4), version, max_repetitions=repetitions)
    wire = {oid: value for oid, (_, value) in values.items()}
    expected = [[str(row), *(wire.get((*TABLE, column, row)) for column in range(1, 5))] for row in sorted(cells)]
    assert outcome.tables["t"].rows == expected
    assert (outcome.status, outcome.tables["t"].complete) == (Status.OK, True)


# ---- what becomes of the whole


async def test_a_device_that_keeps_silent_is_not_asked_the_rest() -> None:
    model = ModelAgent(full_table(5), answers=0)
    outcome = await collect(model, CollectPlan("p", scalars("7", "8").scalars, table().tables))
    assert (outcome.status, len(model.asked), outcome.requests) == (Status.TIMEOUT, 1, 2)
    assert (outcome.values, outcome.tables) == ({}, {})


async def test_a_device_that_falls_silent_gives_what_it_gave() -> None:
    model = ModelAgent(full_table(5) | held((*SYSTEM, 7, 0)), answers=1)
    outcome = await collect(model, CollectPlan("p", scalars("7").scalars, table().tables))
    assert (outcome.status, outcome.values) == (Status.PARTIAL, {"7": 100})
    assert outcome.tables["t"].complete is False


async def test_a_profile_with_nothing_in_it_is_a_failure() -> None:
    outcome = await collect(ModelAgent({}), CollectPlan("empty"))
    assert (outcome.status, "empty" in outcome.error) == (Status.CONFIG, True)


@BOTH
async def test_a_profile_of_which_nothing_exists_is_a_failure(version: Version) -> None:
    outcome = await collect(ModelAgent(held()), CollectPlan("p", scalars("7").scalars, table().tables), version)
    assert (outcome.status, outcome.error) == (Status.CONFIG, "nothing of profile 'p' exists on this device")


async def test_after_repeated_silence_one_cheap_probe_is_all_until_it_answers() -> None:
    model, memory = ModelAgent(held((*SYSTEM, 7, 0), (*SYSTEM, 8, 0)), answers=0), Memory()
    for _ in range(PROBE_AFTER):
        await collect(model, scalars("7", "8"), memory=memory)
    probed = await collect(model, scalars("7", "8"), memory=memory)
    assert (probed.status, "probe" in probed.error) == (Status.TIMEOUT, True)
    assert (len(model.asked[-1].oids), model.agents[-1].limits.retries) == (1, 0)
    model.answers = 10_000
    outcome = await collect(model, scalars("7", "8"), memory=memory)
    assert (outcome.status, outcome.requests, memory.back_off.failures(("192.0.2.1", 161))) == (Status.OK, 2, 0)


def test_back_off_counts_each_agent_for_itself() -> None:
    back_off = BackOff()
    back_off.silent(("192.0.2.1", 161))
    back_off.silent(("192.0.2.1", 161))
    assert [back_off.failures((f"192.0.2.{n}", 161)) for n in (1, 2)] == [2, 0]
