"""Profiles, built-in and the user's, into plans."""

import asyncio
from pathlib import Path

import pytest

from streampoll.config.credentials import Credentials
from streampoll.config.profile_port import PollPlan
from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.config.secret import Secret
from streampoll.config.settings import Settings
from streampoll.model import Outcome, Status, Target
from streampoll.pollers.protocols import make_router
from streampoll.snmp.credential import Community
from streampoll.snmp.plan import CollectPlan, Kind, Metric, TableSpec
from tests.snmp_support import SnmpdAgent

SOME_MACHINES = {  # what net-snmp's agent has for some devices, or on some machines
    "devices.hrDeviceErrors",
    "devices.hrDeviceStatus",
    "processors",
    "storage.hrStorageAllocationFailures",
}
NAME = 'a = { oid = "1.3.6.1.2.1.1.5.0" }'


def read(directory: Path, **files: str) -> tuple[dict[str, PollPlan], Report]:
    for name, text in files.items():
        (directory / f"{name}.toml").write_text(text)
    report = Report()
    return read_profiles(directory, "profiles", report), report


def faults(directory: Path, **files: str) -> list[str]:
    return [str(fault) for fault in read(directory, **files)[1].faults]


def test_a_profile_becomes_a_plan(tmp_path: Path) -> None:
    text = """
        [scalars]
        up = { oid = ".1.3.6.1.2.1.1.3.0", type = "ticks" }
        [tables.ports]
        key = "name"
        max_rows = 9
        [tables.ports.columns]
        name = { oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text" }
        oper = { oid = "1.3.6.1.2.1.2.2.1.8", type = "integer", enum = { 2 = "down", 1 = "up" } }
        octets = { oid = "1.3.6.1.2.1.31.1.1.1.6", type = "counter", fallback = "1.3.6.1.2.1.2.2.1.10" }
    """
    plans, report = read(tmp_path, mine=text)

    if_table, if_x_table = (1, 3, 6, 1, 2, 1, 2, 2, 1), (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
    columns = (
        Metric("name", (*if_x_table, 1), Kind.TEXT),
        Metric("oper", (*if_table, 8), Kind.INTEGER, enum=((1, "up"), (2, "down"))),
        Metric("octets", (*if_x_table, 6), Kind.COUNTER, (*if_table, 10)),
    )
    scalars = (Metric("up", (1, 3, 6, 1, 2, 1, 1, 3, 0), Kind.TICKS),)
    assert not report.faults
    assert plans["mine"] == CollectPlan("mine", scalars, (TableSpec("ports", columns, "name", 9),))


def test_a_profile_adds_to_the_tables_that_it_extends(tmp_path: Path) -> None:
    text = """
        extends = ["interfaces"]
        [tables.interfaces]
        max_rows = 5
        [tables.interfaces.columns]
        ifMtu = { oid = "1.3.6.1.2.1.2.2.1.4" }
    """
    plans, _ = read(tmp_path, mine=text)
    (before,), (after,) = plans["interfaces"].tables, plans["mine"].tables

    assert [column.name for column in after.columns] == [*(column.name for column in before.columns), "ifMtu"]
    assert (after.key, after.max_rows, before.max_rows) == ("ifName", 5, 10_000)


def test_a_file_of_a_built_in_name_replaces_it_and_says_so(tmp_path: Path) -> None:
    plans, report = read(tmp_path, system=f"[scalars]\n{NAME}")

    assert [metric.name for metric in plans["system"].scalars] == ["a"]
    assert "a" in [metric.name for metric in plans["ucd"].scalars]
    assert str(report.notices[0]) == "profiles/system.toml: replaces the built-in profile 'system'"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "profiles/p.toml: collects nothing; name at least one scalar or table"),
        ("[tables.t]\n", "profiles/p.toml:1: tables.t: has no columns"),
        (
            f"[tables.t]\nkey = 'b'\n[tables.t.columns]\n{NAME}",
            "profiles/p.toml:2: tables.t.key: 'b' is no column; known: a",
        ),
        ("[scalars]\na = { oid = '1.3.x' }", "profiles/p.toml:2: scalars.a.oid: '1.3.x' is not an OID"),
        ("[scalars]\na = { oid = '1.40.1' }", "'1.40.1' is not an OID"),
        ("[scalars]\na = { oid = '1.3.4294967296' }", "is not an OID"),
        ("[scalars]\na = { type = 'text' }", "scalars.a: 'oid' is missing"),
        (
            "[scalars]\na = { oid = '1.3.6', type = 'txt' }",
            "scalars.a.type: 'txt' is not allowed; did you mean 'text'?",
        ),
        ("[scalars]\na = { oid = '1.3.6', enum = { up = 'x' } }", "scalars.a.enum.up: 'x' for up"),
        ("[scalars]\na = '1.3.6'", "scalars.a: '1.3.6' is not a table"),
        (f"[scalars]\n{NAME}\nb = {{ oid = '1.3.6.1.2.1.1.5.0' }}", "p.toml:3: scalars.b: has the OID of 'a'"),
        ("[scalar]\n", "profiles/p.toml:1: scalar: unknown key; did you mean 'scalars'?"),
        ("extends = 'sytem'", "profiles/p.toml:1: extends: no profile 'sytem'; did you mean 'system'?"),
        ("extends = 'p'", "profiles/p.toml:1: extends: 'p' extends itself"),
    ],
)
def test_a_profile_that_is_wrong_is_refused_by_line(tmp_path: Path, text: str, fault: str) -> None:
    (line,) = faults(tmp_path, p=text)

    assert fault in line


def test_profiles_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    lines = faults(tmp_path, p="extends = ['q']", q="extends = ['p']")

    assert lines
    assert all("extends itself; break the circle" in line for line in lines)


def test_the_built_in_profiles_have_no_fault(tmp_path: Path) -> None:
    plans, report = read(tmp_path)

    assert not report.faults
    assert {"entity", "hostresources", "interfaces", "ping", "system", "ucd"} <= plans.keys()
    assert "sysUpTime" in [metric.name for metric in plans["interfaces"].scalars]


@pytest.mark.parametrize("name", ["system", "interfaces", "hostresources", "ucd"])
async def test_a_real_agent_answers_a_built_in_profile(tmp_path: Path, name: str) -> None:
    """The OIDs are those of the MIBs: net-snmp's agent knows them (but for what it has on some machines only)."""
    plans, _ = read(tmp_path)
    with SnmpdAgent(tmp_path, extra="disk /") as agent:
        outcome = await poll(plans, agent, name)

    assert outcome.status in (Status.OK, Status.PARTIAL), outcome.error
    assert set(outcome.missing) <= SOME_MACHINES
    for table in outcome.tables.values():
        assert table.complete
    if name == "interfaces":
        table = outcome.tables["interfaces"]
        assert "lo" in [row[1 + table.columns.index("ifName")] for row in table.rows]
        assert all(isinstance(row[1 + table.columns.index("ifHCInOctets")], int) for row in table.rows)


async def poll(plans: dict[str, PollPlan], agent: SnmpdAgent, profile: str) -> Outcome:
    poller = make_router(Settings(), plans, Credentials.of("snmp", {"c": Community(Secret("public"))}))
    try:
        target = Target("lab", agent.address[0], agent.port, profile, "c", {})
        return await poller.poll(target, asyncio.get_running_loop().time() + 20)
    finally:
        await poller.close()


def test_a_profile_of_a_strange_protocol_is_refused(tmp_path: Path) -> None:
    _, report = read(tmp_path, mine='protocol = "smtp"')
    assert [(fault.where, fault.what) for fault in report.faults] == [
        ("profiles/mine.toml:1: protocol", "no protocol 'smtp'")
    ]
