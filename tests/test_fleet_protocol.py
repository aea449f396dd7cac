"""The fleet, asked by net-snmp and by pysnmp."""

from collections.abc import Iterator

import pytest

from streampoll.embedded.fleet import FleetSettings
from tests.fleet_support import NetSnmp, RunningFleet, names, running_fleet

SYSTEM = "1.3.6.1.2.1.1"
IFX = "1.3.6.1.2.1.31.1.1.1"


@pytest.fixture(scope="module")
def fleet() -> Iterator[RunningFleet]:
    with running_fleet(FleetSettings(latency_ms=(0, 2), interfaces=(12, 12))) as running:
        yield running


def test_every_address_is_a_device_of_its_own(fleet: RunningFleet) -> None:
    addresses = ["127.1.0.1", "127.1.0.2", "127.77.88.99", "127.0.0.1"]

    said = [NetSnmp(fleet.port, address).lines("snmpget", f"{SYSTEM}.5.0")[0] for address in addresses]

    assert [line.partition(" = ")[2] for line in said] == [
        'STRING: "sim-001-000-001"',
        'STRING: "sim-001-000-002"',
        'STRING: "sim-077-088-099"',
        'STRING: "sim-000-000-001"',
    ]


def test_getnext_and_getbulk_walk_the_same_variables(fleet: RunningFleet) -> None:
    tools = NetSnmp(fleet.port)

    one_by_one = tools.lines("snmpwalk", ".1")
    in_bulk = tools.lines("snmpbulkwalk", ".1")

    assert len(one_by_one) > 400
    assert names(in_bulk) == names(one_by_one)


@pytest.mark.parametrize("repetitions", [1, 7, 50])
def test_a_bulk_walk_is_whole_whatever_its_repetitions(fleet: RunningFleet, repetitions: int) -> None:
    lines = NetSnmp(fleet.port).lines("snmpbulkwalk", f"-Cr{repetitions}", IFX)

    assert len(lines) == 19 * 12
    assert len(set(names(lines))) == len(lines)


def test_v1_sees_all_but_64_bit_counters(fleet: RunningFleet) -> None:
    v1 = NetSnmp(fleet.port, version="1").lines("snmpwalk", ".1")
    v2c = NetSnmp(fleet.port).lines("snmpwalk", ".1")

    assert names(v1) == names([line for line in v2c if "Counter64" not in line])
    assert len(v1) < len(v2c)


def test_v1_names_the_missing_variable(fleet: RunningFleet) -> None:
    asked = NetSnmp(fleet.port, version="1").run("snmpget", "-Cf", f"{SYSTEM}.5.0", f"{SYSTEM}.55.0")

    assert asked.returncode == 2
    assert "noSuchName" in asked.stderr
    assert f"Failed object: .{SYSTEM}.55.0" in asked.stderr


def test_v2c_tells_a_missing_object_from_a_missing_instance(fleet: RunningFleet) -> None:
    lines = NetSnmp(fleet.port).lines("snmpget", f"{SYSTEM}.5.0", f"{SYSTEM}.55.0", f"{IFX}.6.99")

    assert "No Such Object" in lines[1]
    assert "No Such Instance" in lines[2]


def test_the_end_of_the_mib_is_said(fleet: RunningFleet) -> None:
    for tool in ("snmpgetnext", "snmpbulkget"):
        assert "No more variables" in NetSnmp(fleet.port).run(tool, "2.1").stdout


def test_getbulk_asks_non_repeaters_once(fleet: RunningFleet) -> None:
    lines = NetSnmp(fleet.port).lines("snmpbulkget", "-Cn1", "-Cr3", SYSTEM + ".3", IFX + ".1", IFX + ".15")

    columns = [f".{IFX}.{column}.{row}" for row in (1, 2, 3) for column in (1, 15)]
    assert names(lines) == [f".{SYSTEM}.3.0", *columns]


def test_another_community_gets_silence(fleet: RunningFleet) -> None:
    asked = NetSnmp(fleet.port, community="wrong").run("snmpget", f"{SYSTEM}.5.0")

    assert "Timeout" in asked.stderr


@pytest.mark.parametrize(("version", "refusal"), [("1", "noSuchName"), ("2c", "noAccess")])
def test_nothing_can_be_set(fleet: RunningFleet, version: str, refusal: str) -> None:
    asked = NetSnmp(fleet.port, version=version).run("snmpset", f"{SYSTEM}.5.0", "s", "mine")

    assert refusal in asked.stderr


def test_a_get_above_the_largest_reply_is_too_big(fleet: RunningFleet) -> None:
    asked = NetSnmp(fleet.port).run("snmpget", *[f"{SYSTEM}.1.0"] * 20)

    assert "tooBig" in asked.stderr


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pysnmp 7.1 uses old names of pysmi
async def test_pysnmp_reads_the_same_types(fleet: RunningFleet) -> None:
    from pysnmp.hlapi.v3arch import asyncio as pysnmp

    engine = pysnmp.SnmpEngine()
    target = await pysnmp.UdpTransportTarget.create(("127.1.0.1", fleet.port))
    oids = [f"{SYSTEM}.{n}.0" for n in (2, 3, 5, 7)] + [f"{IFX}.6.2", f"{IFX}.15.2", "1.3.6.1.2.1.2.2.1.10.2"]

    error, status, _, bindings = await pysnmp.get_cmd(
        engine, pysnmp.CommunityData("public"), target, pysnmp.ContextData(),
        *(pysnmp.ObjectType(pysnmp.ObjectIdentity(oid)) for oid in oids), lookupMib=False,
    )  # fmt: skip
    engine.close_dispatcher()

    assert (error, int(status)) == (None, 0)
    kinds = ["ObjectIdentifier", "TimeTicks", "OctetString", "Integer", "Counter64", "Gauge32", "Counter32"]
    assert [type(value).__name__ for _, value in bindings] == kinds
