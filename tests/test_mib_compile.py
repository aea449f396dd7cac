"""Profiles with MIB names compiled to profiles with OIDs."""

import tomllib
from typing import Any

import pytest

from tests.mib_support import MIBS, compiled, resolver

PUMPS = """\
# Pumps, as we like them.
extends = ["system"]
suits = ["enterprises.99999", "1.3.6.1.4.1.5"]   # ours

[scalars]
plantTemperature = {}      # of the hall
started = { oid = "SP-PLANT-MIB::plantStarted.0" }
first = { oid = "plantPumpFlow.1.65", type = "integer" }

[tables.pumps]
key = "plantPumpName"   # people know them by name

[tables.pumps.columns]
# from two tables
flow   = { oid = "SP-PLANT-MIB::plantPumpFlow", fallback = "SP-OLD-MIB::oldHits", when = { sysObjectID = { under = "plantMIB" } } }
sealed = { oid = "plantPumpSealed", enum = { 1 = "yes" } }
age    = { oid = "1.3.6.1.4.1.1", by = "plantPumpHall" }
half   = { from = "sealed", as = "text" }
"""  # noqa: E501 - a profile's lines are as long as they are

COMPILED = """\
# Pumps, as we like them.
extends = ["system"]
suits = ["1.3.6.1.4.1.99999", "1.3.6.1.4.1.5"]   # ours

[scalars]
plantTemperature = { oid = "1.3.6.1.4.1.99999.7.1.1.0", type = "integer", display = "d-1", unit = "degrees Celsius" }      # of the hall
started = { oid = "1.3.6.1.4.1.99999.7.1.2.0", type = "datetime" }  # SP-PLANT-MIB::plantStarted.0
first = { oid = "1.3.6.1.4.1.99999.7.1.5.1.3.1.65", type = "integer", unit = "litres" }  # SP-PLANT-MIB::plantPumpFlow.1.65

[tables.pumps]
key = "plantPumpName"   # people know them by name
index = [
    { name = "plantPumpHall", type = "integer", enum = { 1 = "north", 2 = "south" } },
    { name = "plantPumpName", type = "text", implied = true },
]

[tables.pumps.columns]
# from two tables
flow   = { oid = "1.3.6.1.4.1.99999.7.1.5.1.3", type = "counter", fallback = "1.3.6.1.4.1.99998.2.1.2", when = { sysObjectID = { under = "1.3.6.1.4.1.99999.7" } }, unit = "litres" }  # SP-PLANT-MIB::plantPumpFlow
sealed = { oid = "1.3.6.1.4.1.99999.7.1.6.1.1", type = "integer", enum = { 1 = "yes" } }  # SP-PLANT-MIB::plantPumpSealed
age    = { oid = "1.3.6.1.4.1.1", by = "plantPumpHall" }
half   = { from = "sealed", as = "text" }
"""  # noqa: E501


def of(text: str) -> dict[str, Any]:
    """Return the data of a profile that compiles."""
    made, faults = compiled(text)
    assert faults == []
    return tomllib.loads(made)


def fault_of(text: str) -> str:
    """Return the one fault of a profile."""
    faults = compiled(text)[1]
    assert len(faults) == 1
    return faults[0]


def test_names_become_oids_and_the_text_stays_as_it_was_written() -> None:
    made, faults = compiled(PUMPS)
    assert faults == []
    assert made == COMPILED


def test_compiling_again_changes_nothing() -> None:
    assert compiled(COMPILED)[0] == COMPILED


def test_a_profile_of_oids_is_left_as_it_is() -> None:
    text = "[scalars]\nup = {oid='1.3.6.1.2.1.1.3.0' ,type='ticks'}#x\n[scalars.a]\noid='.1.3.6.1'\n"
    assert compiled(text) == (text, [])


def test_a_scalar_gets_its_instance_and_so_does_its_fallback() -> None:
    data = of('[scalars]\nx = { oid = "plantTemperature", fallback = "oldName" }\n')
    assert data["scalars"]["x"]["oid"].endswith(".7.1.1.0")
    assert data["scalars"]["x"]["fallback"] == "1.3.6.1.4.1.99998.1.0"


def test_what_the_profile_says_stays() -> None:
    data = of('[scalars]\nx = { oid = "plantTemperature", type = "text", unit = "C" }\n')
    assert data["scalars"]["x"] == {"oid": "1.3.6.1.4.1.99999.7.1.1.0", "type": "text", "unit": "C"}


def test_an_index_that_the_profile_has_stays() -> None:
    data = of('[tables.t]\nindex = [{ name = "n", type = "bytes" }]\n[tables.t.columns]\nplantPumpFlow = {}\n')
    assert data["tables"]["t"]["index"] == [{"name": "n", "type": "bytes"}]


def test_branches_in_conditions_are_resolved_wherever_they_stand() -> None:
    data = of(
        '[tables.t]\nwhen = { sysObjectID = { under = ["plantMIB", "1.3.6"] } }\n'
        'where = { plantPeerLoad = { under = "enterprises.9" } }\n[tables.t.columns]\nplantPeerLoad = {}\n'
    )["tables"]["t"]
    assert data["when"] == {"sysObjectID": {"under": ["1.3.6.1.4.1.99999.7", "1.3.6"]}}
    assert data["where"] == {"plantPeerLoad": {"under": "1.3.6.1.4.1.9"}}


def test_a_metric_may_be_a_table_with_a_header() -> None:
    data = of('[tables.t.columns.flow]\noid = "plantPumpFlow"   # litres\n')
    assert data["tables"]["t"]["columns"]["flow"]["type"] == "counter"
    assert [part["name"] for part in data["tables"]["t"]["index"]] == ["plantPumpHall", "plantPumpName"]


def test_a_part_of_the_index_does_not_take_the_name_of_a_column() -> None:
    data = of("[tables.t.columns]\nifIndex = {}\nifDescr = {}\n")
    assert data["tables"]["t"]["index"] == [{"name": "ifIndexIndex", "type": "integer"}]


def test_columns_of_rows_with_nothing_in_common_are_refused() -> None:
    fault = fault_of("[tables.t.columns]\nplantPumpFlow = {}\nifDescr = {}\n")
    assert fault.startswith("p.toml:3: tables.t.columns.ifDescr: ifDescr is indexed by ifIndex, and plantPumpFlow by")
    assert fault.endswith('as by = "ifIndex"')


def test_such_a_column_is_no_fault_once_it_is_looked_up() -> None:
    of('[tables.t.columns]\nplantPumpFlow = {}\nifDescr = { by = "plantPumpHall" }\n')


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[scalars]\nplantPumpFlow = {}\n",
            "p.toml:2: scalars.plantPumpFlow: plantPumpFlow is a column of plantPumpTable",
        ),
        (
            "[scalars]\nx = { oid = 'plantPumpTable' }\n",
            "p.toml:2: scalars.x: SP-PLANT-MIB::plantPumpTable has no value",
        ),
        (
            "[tables.t.columns]\nplantStarted = {}\n",
            "p.toml:2: tables.t.columns.plantStarted: SP-PLANT-MIB::plantStarted is no col",
        ),
        (
            "[tables.t.columns]\nx = { oid = 'plantPumpFlow.1' }\n",
            "p.toml:2: tables.t.columns.x: SP-PLANT-MIB::plantPumpFlow is no",
        ),
        ("[scalars]\n\nx = { oid = 'A-MIB::x' }\n", "p.toml:3: scalars.x.oid: no MIB module 'A-MIB' in "),
        ("[scalars]\nplantTemprature = {}\n", "p.toml:2: scalars.plantTemprature: no MIB module in "),
        ("suits = 'plantMB'\n", "p.toml:1: suits: no MIB module in "),
    ],
)
def test_what_can_not_be_compiled_is_refused_at_its_line(text: str, fault: str) -> None:
    assert fault_of(text).startswith(fault)


def test_every_name_that_is_wrong_is_told_at_once() -> None:
    assert len(compiled("[scalars]\nplantA = {}\nplantB = {}\n[tables.t.columns]\nplantC = {}\n")[1]) == 3


@pytest.mark.parametrize(
    "text", ["scalars = 3\n", "[scalars]\nx = 3\n", "[tables]\nt = []\n", "[tables.t]\ncolumns = 1\n"]
)
def test_what_is_no_profile_is_left_to_the_loader(text: str) -> None:
    assert compiled(text) == (text, [])


def test_one_resolver_serves_many_profiles() -> None:
    using = resolver(MIBS)
    assert compiled(PUMPS, using) == compiled(PUMPS, using)
