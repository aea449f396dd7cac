"""Tables as a profile wants them, collected from a model agent: joined, decoded, transformed, filtered, conditional.

Profiles are written as their users write them, so that each test goes from text to outcome.
"""

from pathlib import Path

import pytest

from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.model import Outcome, Status
from streampoll.snmp import ber
from streampoll.snmp.collect import Collector
from streampoll.snmp.credential import Version
from streampoll.snmp.memory import Memory
from streampoll.snmp.message import PduType
from streampoll.snmp.plan import CollectPlan, Oid
from tests.snmp_model_support import UPTIME, ModelAgent, agent

ENTERPRISE = (1, 3, 6, 1, 4, 1, 99)
IF_NAME = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1)
IF_OPER = (1, 3, 6, 1, 2, 1, 2, 2, 1, 8)
IN_OCTETS, HC_IN_OCTETS = (1, 3, 6, 1, 2, 1, 2, 2, 1, 10), (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6)
OBJECT_ID = (1, 3, 6, 1, 2, 1, 1, 2, 0)
Held = dict[Oid, tuple[int, ber.Wire]]

PORTS = """
    [tables.ports]
    key = "ifName"
    [tables.ports.columns]
    ifName = { oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text" }
    oper = { oid = "1.3.6.1.2.1.2.2.1.8", type = "integer", enum = { 1 = "up", 2 = "down" } }
    octets = { oid = "1.3.6.1.2.1.31.1.1.1.6", type = "counter", fallback = "1.3.6.1.2.1.2.2.1.10" }
"""


def plan(directory: Path, text: str) -> CollectPlan:
    """Compile a profile's text, which must have no fault."""
    (directory / "mine.toml").write_text(text)
    report = Report()
    found = read_profiles(directory, "profiles", report).get("mine")
    assert not report.faults, "\n".join(map(str, report.faults))
    assert isinstance(found, CollectPlan)
    return found


async def collect(model: ModelAgent, made: CollectPlan, version: Version = Version.V2C) -> Outcome:
    return await Collector(model, Memory()).collect(agent(version), made, 1e9)


def text(value: str) -> tuple[int, ber.Wire]:
    return ber.OCTET_STRING, value.encode()


def number(value: int) -> tuple[int, ber.Wire]:
    return ber.INTEGER, value


def ports(count: int, up: int | None = None) -> Held:
    """An agent with interfaces eth1 …, of which the first `up` are up, and a 64-bit counter each."""
    held: Held = {UPTIME: (ber.TIME_TICKS, 500)}
    for index in range(1, count + 1):
        held[(*IF_NAME, index)] = text(f"eth{index}")
        held[(*IF_OPER, index)] = number(1 if up is None or index <= up else 2)
        held[(*HC_IN_OCTETS, index)] = ber.COUNTER64, 1000 + index
    return held


def rows(outcome: Outcome, table: str) -> list[list[object]]:
    """A table's rows without their whole index."""
    return [list(row[1:]) for row in outcome.tables[table].rows]


# ---- indexes


async def test_the_parts_of_an_index_are_columns(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        """
        [tables.peers]
        key = "peer"
        index = [
          { name = "vrf", type = "integer", enum = { 1 = "mgmt" } },
          { name = "peer", type = "inet" },
          { name = "mac", type = "mac", as = "mac" },
          { name = "slot", type = "integer", keep = false },
        ]
        [tables.peers.columns]
        state = { oid = "1.3.6.1.4.1.99.1.1", type = "integer" }
        """,
    )
    index = (1, 1, 4, 192, 0, 2, 1, 0, 27, 33, 60, 77, 94, 3)
    outcome = await collect(ModelAgent({(*ENTERPRISE, 1, 1, *index): number(6)}), made)
    table = outcome.tables["peers"]
    assert (outcome.status, table.columns, table.key) == (Status.OK, ("vrf", "peer", "mac", "state"), "peer")
    assert table.rows == [(".".join(map(str, index)), 1, b"\xc0\x00\x02\x01", "00:1b:21:3c:4d:5e", 6)]


async def test_an_index_that_does_not_fit_leaves_its_row(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        """
        [tables.t]
        index = [{ name = "name", type = "text" }]
        [tables.t.columns]
        v = { oid = "1.3.6.1.4.1.99.1.1", type = "integer" }
        """,
    )
    held = {(*ENTERPRISE, 1, 1, 2, 97, 98): number(1), (*ENTERPRISE, 1, 1, 5, 97): number(2)}
    outcome = await collect(ModelAgent(held), made)
    assert rows(outcome, "t") == [["ab", 1], [None, 2]]
    assert (outcome.status, outcome.error) == (Status.PARTIAL, "t.name: index does not fit")
    assert outcome.missing == {"t.name": "index does not fit in 1 of 2 rows"}


# ---- joins

NEIGHBOURS = """
    [tables.neighbours]
    key = "port"
    index = [{ name = "ifIndex", type = "integer" }, { name = "device", type = "integer" }]
    [tables.neighbours.columns]
    id = { oid = "1.3.6.1.4.1.99.1.1", type = "text" }
    port = { oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text", by = "ifIndex", fallback = "1.3.6.1.2.1.2.2.1.2" }
"""


def neighbours(*indexes: Oid) -> Held:
    return {(*ENTERPRISE, 1, 1, *index): text(f"n{index}") for index in indexes}


async def test_a_column_of_another_table_is_looked_up_once_for_each_key(tmp_path: Path) -> None:
    model = ModelAgent(ports(50) | neighbours((2, 1), (2, 2), (7, 1)))
    outcome = await collect(model, plan(tmp_path, NEIGHBOURS))
    assert [row[3] for row in rows(outcome, "neighbours")] == ["eth2", "eth2", "eth7"]
    asked = [request.oids for request in model.asked if request.pdu is PduType.GET]
    assert [[ber.decode_oid(oid)[-1] for oid in oids] for oids in asked] == [[2, 7]]
    assert outcome.status is Status.OK


async def test_a_key_that_is_not_there_has_its_reason(tmp_path: Path) -> None:
    outcome = await collect(ModelAgent(ports(1) | neighbours((1, 1), (9, 1))), plan(tmp_path, NEIGHBOURS))
    assert [row[3] for row in rows(outcome, "neighbours")] == ["eth1", None]
    assert outcome.missing == {"neighbours.port": "noSuchObject in 1 of 2 rows"}
    assert outcome.status is Status.OK


@pytest.mark.parametrize("version", [Version.V1, Version.V2C])
async def test_a_look_up_has_its_fallback(tmp_path: Path, version: Version) -> None:
    held = neighbours((1, 1), (2, 1)) | {(1, 3, 6, 1, 2, 1, 2, 2, 1, 2, 2): text("descr2"), (*IF_NAME, 1): text("eth1")}
    outcome = await collect(ModelAgent(held), plan(tmp_path, NEIGHBOURS), version)
    assert [row[3] for row in rows(outcome, "neighbours")] == ["eth1", "descr2"]


async def test_a_column_that_was_walked_is_not_asked_again(tmp_path: Path) -> None:
    """Also where the profile has the other table after this one."""
    model = ModelAgent(ports(5) | neighbours((2, 1), (9, 1)))
    outcome = await collect(model, plan(tmp_path, NEIGHBOURS + PORTS))
    assert [row[3] for row in rows(outcome, "neighbours")] == ["eth2", None]
    assert all(request.pdu is PduType.GETBULK for request in model.asked)
    assert list(outcome.tables) == ["neighbours", "ports"]


async def test_look_ups_are_chained(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        """
        [tables.fdb]
        index = [{ name = "mac", type = "mac" }]
        [tables.fdb.columns]
        name = { oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text", by = "ifIndex" }
        ifIndex = { oid = "1.3.6.1.4.1.99.2.1", type = "integer", by = "port", keep = false }
        port = { oid = "1.3.6.1.4.1.99.1.1", type = "integer" }
        """,
    )
    held = ports(9) | {(*ENTERPRISE, 1, 1, 0, 0, 0, 0, 0, n): number(port) for n, port in ((1, 4), (2, 4), (3, 5))}
    held |= {(*ENTERPRISE, 2, 1, 4): number(8), (*ENTERPRISE, 2, 1, 5): number(9)}
    model = ModelAgent(held)
    outcome = await collect(model, made)
    assert rows(outcome, "fdb") == [
        [b"\0\0\0\0\0\1", "eth8", 4], [b"\0\0\0\0\0\2", "eth8", 4], [b"\0\0\0\0\0\3", "eth9", 5]
    ]  # fmt: skip
    assert [request.pdu for request in model.asked].count(PduType.GET) == 2


async def test_a_look_up_follows_a_pointer_and_constants(tmp_path: Path) -> None:
    """entAliasMappingIdentifier points to an instance of ifIndex: its last arc is the key."""
    made = plan(
        tmp_path,
        """
        [tables.t]
        [tables.t.columns]
        alias = { oid = "1.3.6.1.4.1.99.1.1", type = "oid" }
        ifIndex = { from = "alias", extract = '\\.(\\d+)$', as = "number", keep = false }
        ifName = { oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text", by = "ifIndex" }
        other = { oid = "1.3.6.1.4.1.99.3", type = "integer", by = [7, "ifIndex", 0] }
        """,
    )
    held = ports(3) | {(*ENTERPRISE, 3, 7, 2, 0): number(42)}
    held[(*ENTERPRISE, 1, 1, 5)] = ber.OBJECT_IDENTIFIER, "1.3.6.1.2.1.2.2.1.1.2"
    outcome = await collect(ModelAgent(held), made)
    assert rows(outcome, "t") == [["1.3.6.1.2.1.2.2.1.1.2", "eth2", 42]]


async def test_a_sparse_table_takes_columns_of_a_full_one_by_its_whole_index(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        """
        [tables.sensors]
        [tables.sensors.columns]
        name = { oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text", by = "index" }
        value = { oid = "1.3.6.1.4.1.99.1.4", type = "integer", sensor = { scale = "scale", precision = "precision" } }
        scale = { oid = "1.3.6.1.4.1.99.1.2", type = "integer", keep = false }
        precision = { oid = "1.3.6.1.4.1.99.1.3", type = "integer", keep = false }
        """,
    )
    held = ports(200)
    for column, cells in ((2, {20: 9, 30: 8}), (3, {20: 1}), (4, {20: 215, 30: 33})):
        held |= {(*ENTERPRISE, 1, column, index): number(cell) for index, cell in cells.items()}
    model = ModelAgent(held)
    outcome = await collect(model, made)
    assert rows(outcome, "sensors") == [["eth20", 21.5], ["eth30", None]]
    assert outcome.missing == {"sensors.value": "nothing to multiply by in 1 of 2 rows"}
    assert outcome.requests == 2


async def test_after_a_failure_nothing_is_looked_up(tmp_path: Path) -> None:
    model = ModelAgent(ports(3) | neighbours((1, 1)))
    made = plan(tmp_path, NEIGHBOURS)
    whole = await collect(model, made)
    outcome = await collect(ModelAgent(model.values, answers=whole.requests - 1), made)
    assert (outcome.status, rows(outcome, "neighbours")[0][3]) == (Status.PARTIAL, None)
    assert outcome.missing["neighbours.port"] == "timeout"


# ---- transforms


async def test_columns_are_made_from_one_another(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        """
        [scalars]
        load = { oid = "1.3.6.1.4.1.99.9.0", type = "text", keep = false }
        load1 = { from = "load", extract = '^(\\S+)', as = "number" }
        loadMax = { from = "load", extract = '(\\S+)$', as = "number", null = ["-"] }
        [tables.disks]
        [tables.disks.columns]
        used = { oid = "1.3.6.1.4.1.99.1.1", type = "integer", times = "unit" }
        free = { from = "used", null = [7], scale = 2 }
        unit = { oid = "1.3.6.1.4.1.99.1.2", type = "integer" }
        """,
    )
    held: Held = {(*ENTERPRISE, 9, 0): text("0.5 1.5 3")}
    held |= {(*ENTERPRISE, 1, 1, 1): number(2**40), (*ENTERPRISE, 1, 1, 2): number(7)}
    held |= {(*ENTERPRISE, 1, 2, 1): number(4096), (*ENTERPRISE, 1, 2, 2): number(512)}
    outcome = await collect(ModelAgent(held), made)
    assert (outcome.status, outcome.values) == (Status.OK, {"load1": 0.5, "loadMax": 3})
    assert rows(outcome, "disks") == [[2**52, 2**41, 4096], [7 * 512, None, 512]]
    assert outcome.missing == {"disks.free": "null value in 1 of 2 rows"}


async def test_a_scalar_made_from_one_that_is_missing_says_so(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        """
        extends = ["system"]
        [scalars]
        raw = { oid = "1.3.6.1.4.1.99.9.0", type = "text", keep = false }
        part = { from = "raw", extract = "x" }
        """,
    )
    outcome = await collect(ModelAgent({UPTIME: (ber.TIME_TICKS, 500)}), made)
    assert (outcome.values["part"], outcome.missing["part"]) == (None, "noSuchObject")
    assert "raw" not in outcome.missing
    assert "raw" not in outcome.values


async def test_of_several_reasons_the_one_that_is_trouble_is_said(tmp_path: Path) -> None:
    made = plan(
        tmp_path, '[tables.t.columns]\nv = { oid = "1.3.6.1.4.1.99.1.1", type = "text", null = ["-"], as = "number" }'
    )
    held: Held = {(*ENTERPRISE, 1, 1, row): text(value) for row, value in enumerate(("-", "warm", "-", "3"))}
    outcome = await collect(ModelAgent(held), made)
    assert (outcome.status, outcome.missing) == (Status.PARTIAL, {"t.v": "not a number: 'warm' in 3 of 4 rows"})


# ---- filters


async def test_rows_are_kept_by_what_is_shown_of_them(tmp_path: Path) -> None:
    made = plan(
        tmp_path, PORTS + '[tables.ports.where]\noper = "up"\nifName = { match = "[12]$", not_match = "^eth1$" }'
    )
    outcome = await collect(ModelAgent(ports(12)), made)
    assert [row[0] for row in rows(outcome, "ports")] == ["eth2", "eth11", "eth12"]
    assert sum(run.rows for run in outcome.tables["ports"].times) == 3


async def test_no_row_that_is_wanted_is_said(tmp_path: Path) -> None:
    made = plan(tmp_path, "extends = ['system']\n" + PORTS + '[tables.ports.where]\noper = "down"')
    outcome = await collect(ModelAgent(ports(3)), made)
    assert (outcome.status, outcome.missing["ports"]) == (Status.OK, "no row is wanted")


async def test_a_filter_by_a_look_up(tmp_path: Path) -> None:
    made = plan(tmp_path, NEIGHBOURS + '[tables.neighbours.where]\nport = "eth7"\ndevice = [1, 3]')
    model = ModelAgent(ports(9) | neighbours((2, 1), (3, 2), (7, 1), (7, 2)))
    outcome = await collect(model, made)
    assert [row[:2] for row in rows(outcome, "neighbours")] == [[7, 1]]
    asked = [ber.decode_oid(oid)[-1] for request in model.asked if request.pdu is PduType.GET for oid in request.oids]
    assert asked == [2, 7]  # what the index alone excludes is not looked up


async def test_a_filtered_table_does_not_answer_for_its_other_rows(tmp_path: Path) -> None:
    """eth9 is down, and so not among the ports; the neighbour on it has its name all the same."""
    more = "\n".join(f'c{n} = {{ oid = "1.3.6.1.4.1.99.5.{n}", type = "integer" }}' for n in range(1, 12))
    made = plan(tmp_path, NEIGHBOURS + PORTS + more + '\n[tables.ports.where]\noper = "up"')
    held = ports(100, up=2) | neighbours((1, 1), (9, 1))
    held |= {(*ENTERPRISE, 5, column, row): number(row) for column in range(1, 12) for row in range(1, 101)}
    outcome = await collect(ModelAgent(held), made)
    assert len(outcome.tables["ports"].rows) == 2
    assert [row[3] for row in rows(outcome, "neighbours")] == ["eth1", "eth9"]


# ---- conditions

CONDITIONAL = """
    [scalars]
    slots = { oid = "1.3.6.1.4.1.99.8.0", type = "integer" }
    cisco = { oid = "1.3.6.1.4.1.99.7.0", type = "integer", when = { sysObjectID = { under = "1.3.6.1.4.1.9" } } }
    [tables.cards]
    when = { slots = { exists = true } }
    [tables.cards.columns]
    state = { oid = "1.3.6.1.4.1.99.1.1", type = "integer" }
    extra = { oid = "1.3.6.1.4.1.99.1.2", type = "integer", when = { sysObjectID = { match = '\\.10$' } } }
"""


def device(object_id: str, slots: int | None) -> ModelAgent:
    held: Held = {OBJECT_ID: (ber.OBJECT_IDENTIFIER, object_id), UPTIME: (ber.TIME_TICKS, 1)}
    held |= {(*ENTERPRISE, 7, 0): number(1), (*ENTERPRISE, 1, 1, 1): number(5), (*ENTERPRISE, 1, 2, 1): number(6)}
    return ModelAgent(held if slots is None else held | {(*ENTERPRISE, 8, 0): number(slots)})


@pytest.mark.parametrize(
    ("object_id", "slots", "values", "columns", "absent"),
    [
        ("1.3.6.1.4.1.9.1.10", 2, {"slots": 2, "cisco": 1}, ("state", "extra"), []),
        ("1.3.6.1.4.1.9.1.11", 2, {"slots": 2, "cisco": 1}, ("state",), []),
        ("1.3.6.1.4.1.91.10", 2, {"slots": 2}, ("state", "extra"), ["cisco"]),  # 91 is not below 9
        ("1.3.6.1.4.1.9.1.10", None, {"slots": None, "cisco": 1}, None, ["cards"]),
    ],
)
async def test_parts_are_asked_only_of_devices_that_they_are_for(
    tmp_path: Path, object_id: str, slots: int | None, values: dict[str, int], columns: tuple[str, ...] | None,
    absent: list[str],
) -> None:  # fmt: skip
    model = device(object_id, slots)
    outcome = await collect(model, plan(tmp_path, CONDITIONAL))
    assert (outcome.status, dict(outcome.values)) == (Status.OK, values)
    assert (outcome.tables["cards"].columns if "cards" in outcome.tables else None) == columns
    assert [name for name, reason in outcome.missing.items() if reason == "not for this device"] == absent


@pytest.mark.parametrize(("slots", "asked"), [(2, True), (3, False)])
async def test_all_of_several_conditions_must_hold(tmp_path: Path, slots: int, asked: bool) -> None:
    text = CONDITIONAL.replace(
        "when = { slots = { exists = true } }", 'when = { slots = 2, sysObjectID = { under = "1.3" } }'
    )
    outcome = await collect(device("1.3.6.1.4.1.9.1.10", slots), plan(tmp_path, text))
    assert ("cards" in outcome.tables) is asked


async def test_one_profile_for_all_is_made_of_conditional_ones(tmp_path: Path) -> None:
    for vendor, arc in (("alpha", 98), ("beta", 99)):
        (tmp_path / f"{vendor}.toml").write_text(
            f'when = {{ sysObjectID = {{ under = "1.3.6.1.4.1.{arc}" }} }}\n[tables.{vendor}.columns]\n'
            f'v = {{ oid = "1.3.6.1.4.1.{arc}.1.1", type = "integer" }}'
        )
    made = plan(tmp_path, 'extends = ["system", "alpha", "beta"]')
    outcome = await collect(device("1.3.6.1.4.1.99.3", 1), made)
    assert (list(outcome.tables), outcome.missing["alpha"]) == (["beta"], "not for this device")
    assert outcome.values["sysObjectID"] == "1.3.6.1.4.1.99.3"


async def test_a_profile_of_which_nothing_is_for_the_device_is_no_success(tmp_path: Path) -> None:
    made = plan(tmp_path, 'when = { sysObjectID = { under = "1.3.6.1.4.1.9" } }\n' + PORTS)
    outcome = await collect(device("1.3.6.1.4.1.99.3", 1), made)
    assert outcome.status is Status.CONFIG
    assert outcome.error == "nothing of profile 'mine' is for this device: its conditions do not hold"


async def test_where_conditions_could_not_be_asked_everything_is_listed_as_not_asked(tmp_path: Path) -> None:
    outcome = await collect(ModelAgent({}, answers=0), plan(tmp_path, CONDITIONAL))
    assert (outcome.status, outcome.requests) == (Status.TIMEOUT, 2)


async def test_a_condition_is_compiled_once_for_all_devices_that_answer_it_alike(tmp_path: Path) -> None:
    made, collector = plan(tmp_path, CONDITIONAL), Collector(device("1.3.6.1.4.1.9.1.10", 2), Memory())
    await collector.collect(agent(), made, 1e9)
    first = collector._openings_of(made).plan.branch({"sysObjectID": "1.3.6.1.4.1.9.1.10", "slots": 2})
    assert collector._openings_of(made).plan.branch({"sysObjectID": "1.3.6.1.4.1.9.7.10", "slots": 3}) is first


# ---- 32-bit counters


async def test_counters_of_32_bits_are_marked_by_row(tmp_path: Path) -> None:
    held = ports(3)
    del held[(*HC_IN_OCTETS, 2)]
    held[(*IN_OCTETS, 2)] = ber.COUNTER32, 77
    outcome = await collect(ModelAgent(held), plan(tmp_path, PORTS))
    assert [row[2] for row in rows(outcome, "ports")] == [1001, 77, 1003]
    assert outcome.tables["ports"].counter32 == {"octets": (1,)}


@pytest.mark.parametrize("tail", ["", '[tables.ports.where]\nifName = { match = "[23]" }'])
async def test_a_column_whose_fallback_was_walked_is_marked_as_a_whole(tmp_path: Path, tail: str) -> None:
    held = {oid: value for oid, value in ports(3).items() if oid[:-1] != HC_IN_OCTETS}
    held |= {(*IN_OCTETS, index): (ber.COUNTER32, 70 + index) for index in (1, 2, 3)}
    outcome = await collect(ModelAgent(held), plan(tmp_path, PORTS + tail))
    table = outcome.tables["ports"]
    assert table.counter32 == {"octets": range(len(table.rows))}


async def test_marks_follow_their_rows_through_a_filter(tmp_path: Path) -> None:
    held = ports(3)
    del held[(*HC_IN_OCTETS, 3)]
    held[(*IN_OCTETS, 3)] = ber.COUNTER32, 77
    made = plan(tmp_path, PORTS + '[tables.ports.where]\nifName = { is_not = "eth1" }')
    outcome = await collect(ModelAgent(held), made)
    assert outcome.tables["ports"].counter32 == {"octets": (1,)}


async def test_scalars_of_32_bits_are_marked(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        """
        [scalars]
        a = { oid = "1.3.6.1.4.1.99.1.0", type = "counter" }
        b = { oid = "1.3.6.1.4.1.99.2.0", type = "counter", fallback = "1.3.6.1.4.1.99.3.0" }
        """,
    )
    held: Held = {(*ENTERPRISE, 1, 0): (ber.COUNTER64, 5), (*ENTERPRISE, 3, 0): (ber.COUNTER32, 6)}
    outcome = await collect(ModelAgent(held), made)
    assert (outcome.values, outcome.counter32) == ({"a": 5, "b": 6}, ("b",))
