"""Joined and decoded tables of real agents: net-snmp's own, and recordings of devices, against net-snmp's tools."""

import asyncio
import bz2
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.embedded.fleet import FleetSettings
from streampoll.model import Outcome, Status, Table
from streampoll.snmp.client import WireEngine
from streampoll.snmp.collect import Collector
from streampoll.snmp.credential import Community, Version
from streampoll.snmp.engine import Address, Agent, Limits
from streampoll.snmp.memory import Memory
from streampoll.snmp.plan import CollectPlan
from tests.fleet_support import NetSnmp, RunningFleet, running_fleet
from tests.snmp_support import SnmpdAgent
from tests.test_snmp_tables import plan

CATALYST, ARISTA = "127.1.0.1", "127.1.0.2"
IF_NAME = '{ oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text", by = "ifIndex" }'

FDB = f"""
    [tables.fdb]
    key = "mac"
    index = [{{ name = "vlan", type = "integer" }}, {{ name = "mac", type = "mac", as = "mac" }}]
    [tables.fdb.columns]
    port = {{ oid = "1.3.6.1.2.1.17.7.1.2.2.1.2", type = "integer" }}
    ifIndex = {{ oid = "1.3.6.1.2.1.17.1.4.1.2", type = "integer", by = "port", keep = false }}
    ifName = {IF_NAME}
"""
CDP = f"""
    [tables.cdp]
    index = [{{ name = "ifIndex", type = "integer" }}, {{ name = "device", type = "integer" }}]
    [tables.cdp.columns]
    address = {{ oid = "1.3.6.1.4.1.9.9.23.1.2.1.1.4", type = "bytes", as = "ip", null = [""] }}
    id = {{ oid = "1.3.6.1.4.1.9.9.23.1.2.1.1.6", type = "text" }}
    ifName = {IF_NAME}
"""
SENSORS = """
    [tables.sensors]
    where = { status = "ok" }
    [tables.sensors.columns]
    name = { oid = "1.3.6.1.2.1.47.1.1.1.1.7", type = "text", by = "index" }
    type = { oid = "1.3.6.1.2.1.99.1.1.1.1", type = "integer", enum = { 8 = "celsius", 10 = "rpm" } }
    value = { oid = "1.3.6.1.2.1.99.1.1.1.4", type = "integer", sensor = { scale = "scale", precision = "precision" } }
    scale = { oid = "1.3.6.1.2.1.99.1.1.1.2", type = "integer", keep = false }
    precision = { oid = "1.3.6.1.2.1.99.1.1.1.3", type = "integer", keep = false }
    status = { oid = "1.3.6.1.2.1.99.1.1.1.5", type = "integer", enum = { 1 = "ok", 2 = "unavailable" } }
"""
ADDRESSES = f"""
    [tables.addresses]
    key = "address"
    index = [{{ name = "address", type = "inet", as = "ip" }}]
    [tables.addresses.columns]
    ifIndex = {{ oid = "1.3.6.1.2.1.4.34.1.3", type = "integer" }}
    ifName = {IF_NAME}
"""
VIEWS = """
    [tables.access]
    index = [{ name = "group", type = "text" }, { name = "context", type = "text" },
             { name = "model", type = "integer" },
             { name = "level", type = "integer" }]
    [tables.access.columns]
    read = { oid = "1.3.6.1.6.3.16.1.4.1.5", type = "text" }
"""
EXTEND = """
    [tables.extend]
    key = "name"
    index = [{ name = "name", type = "text" }]
    where = { status = "active" }
    [tables.extend.columns]
    command = { oid = "1.3.6.1.4.1.8072.1.3.2.2.1.2", type = "text" }
    line = { oid = "1.3.6.1.4.1.8072.1.3.2.3.1.1", type = "text", by = "index", extract = '(\\d+)', as = "number" }
    status = { oid = "1.3.6.1.4.1.8072.1.3.2.2.1.21", type = "integer", enum = { 1 = "active" }, keep = false }
"""


async def collect(address: Address, made: CollectPlan, version: Version = Version.V2C) -> Outcome:
    engine = WireEngine(SnmpSettings())
    try:
        agent = Agent(address, Community(Secret("public"), version), Limits())
        return await Collector(engine, Memory()).collect(agent, made, asyncio.get_running_loop().time() + 20)
    finally:
        await engine.close()


def records(table: Table) -> list[dict[str, object]]:
    return [dict(zip(table.columns, row[1:], strict=True)) for row in table.rows]


# ---- net-snmp's own agent


@pytest.mark.parametrize("version", [Version.V1, Version.V2C])
async def test_string_indexes_of_a_real_agent(tmp_path: Path, version: Version) -> None:
    extra = "extend room-1 /bin/echo 21 C\nextend room-22 /bin/echo none\n"
    made = plan(tmp_path, EXTEND)
    with SnmpdAgent(tmp_path / "agent", extra=extra) as agent:
        outcome = await collect(agent.address, made, version)
    assert records(outcome.tables["extend"]) == [
        {"name": "room-1", "command": "/bin/echo", "line": 21},
        {"name": "room-22", "command": "/bin/echo", "line": None},
    ]
    assert outcome.missing == {"extend.line": "no match in 1 of 2 rows"}
    assert outcome.status is Status.OK


async def test_a_condition_is_asked_of_a_real_agent(tmp_path: Path) -> None:
    """net-snmp's sysObjectID is below 1.3.6.1.4.1.8072."""
    text = EXTEND.replace("[tables.extend]", "[tables.extend]\nwhen = { sysObjectID = { under = '1.3.6.1.4.1.%s' } }")
    with SnmpdAgent(tmp_path / "agent", extra="extend one /bin/echo 1\n") as agent:
        its, others = [await collect(agent.address, plan(tmp_path, text % arc)) for arc in (8072, 807)]
    assert [row["line"] for row in records(its.tables["extend"])] == [1]
    assert (others.status, dict(others.tables)) == (Status.CONFIG, {})


# ---- recordings


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    """A Catalyst 3750 and an Arista 7150S."""
    found = importlib.util.find_spec("snmpsim_data")
    if found is None or not found.submodule_search_locations:
        pytest.skip("snmpsim-data is not installed")
    names = {"network/switch/cisco-c3750": CATALYST, "cloud/arista-dcs-7150s-52-cl": ARISTA}
    options = []
    for name, address in names.items():
        path = tmp_path_factory.mktemp("recordings") / "device.snmprec"
        source = Path(found.submodule_search_locations[0]) / "data" / f"{name}.snmprec.bz2"
        path.write_bytes(bz2.decompress(source.read_bytes()))
        options.append(f"{path}={address}")
    with running_fleet(FleetSettings(latency_ms=(0, 1), recordings=tuple(options))) as running:
        yield running


def walked(fleet: RunningFleet, address: str, oid: str) -> dict[str, str]:
    """A column as net-snmp's snmpbulkwalk reads it: index -> value without its type."""
    out = NetSnmp(fleet.port, address).run("snmpbulkwalk", "-OQ", oid).stdout
    lines = (re.match(rf"\.{re.escape(oid)}\.(\S+) = (.*)", line) for line in out.splitlines())
    return {line[1]: line[2].strip('"').strip() for line in lines if line}


async def test_a_forwarding_table_names_its_interfaces_by_two_look_ups(fleet: RunningFleet, tmp_path: Path) -> None:
    outcome = await collect((ARISTA, fleet.port), plan(tmp_path, FDB))
    ports = walked(fleet, ARISTA, "1.3.6.1.2.1.17.7.1.2.2.1.2")
    indexes = walked(fleet, ARISTA, "1.3.6.1.2.1.17.1.4.1.2")
    names = walked(fleet, ARISTA, "1.3.6.1.2.1.31.1.1.1.1")
    expected = []
    for index, port in ports.items():
        vlan, *mac = map(int, index.split("."))
        name = names.get(indexes.get(port, ""))
        expected.append({"vlan": vlan, "mac": bytes(mac).hex(":"), "port": int(port), "ifName": name})
    assert records(outcome.tables["fdb"]) == expected
    assert sum(row["ifName"] is not None for row in expected) > 10


async def test_neighbours_have_the_name_of_their_interface(fleet: RunningFleet, tmp_path: Path) -> None:
    outcome = await collect((CATALYST, fleet.port), plan(tmp_path, CDP))
    ids = walked(fleet, CATALYST, "1.3.6.1.4.1.9.9.23.1.2.1.1.6")
    names = walked(fleet, CATALYST, "1.3.6.1.2.1.31.1.1.1.1")
    found = records(outcome.tables["cdp"])
    assert [(f"{row['ifIndex']}.{row['device']}", row["id"], row["ifName"]) for row in found] == [
        (index, name, names.get(index.split(".")[0])) for index, name in ids.items()
    ]
    assert all(re.fullmatch(r"[\d.]{7,15}", str(row["address"])) for row in found if row["address"] is not None)
    assert len(found) > 5


async def test_sensors_are_scaled_and_named_by_the_entity_of_their_index(fleet: RunningFleet, tmp_path: Path) -> None:
    outcome = await collect((ARISTA, fleet.port), plan(tmp_path, SENSORS))
    columns = [walked(fleet, ARISTA, f"1.3.6.1.2.1.99.1.1.1.{number}") for number in (2, 3, 4, 5)]
    names = walked(fleet, ARISTA, "1.3.6.1.2.1.47.1.1.1.1.7")
    expected = {}
    for index, value in columns[2].items():
        scale, precision, status = (int(columns[place][index]) for place in (0, 1, 3))
        if status == 1:
            expected[index] = (names[index], pytest.approx(int(value) * 10.0 ** (3 * (scale - 9) - precision)))
    found = {str(row[0]): (row[1], row[3]) for row in outcome.tables["sensors"].rows}
    assert found == expected
    assert (outcome.status, len(found) > 20) == (Status.OK, True)


async def test_addresses_and_implied_names_in_indexes(fleet: RunningFleet, tmp_path: Path) -> None:
    outcome = await collect((ARISTA, fleet.port), plan(tmp_path, ADDRESSES + VIEWS))
    addresses = walked(fleet, ARISTA, "1.3.6.1.2.1.4.34.1.3")
    plain = [".".join(index.split(".")[2:6]) for index in addresses if index.startswith("1.4.")]
    found = [row["address"] for row in records(outcome.tables["addresses"])]
    assert [address for address in found if ":" not in str(address)] == plain
    views = walked(fleet, ARISTA, "1.3.6.1.6.3.16.1.4.1.5")
    groups = [bytes(map(int, index.split(".")[1 : 1 + int(index.split(".")[0])])).decode() for index in views]
    assert [row["group"] for row in records(outcome.tables["access"])] == groups
