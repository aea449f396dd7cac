"""MIB names to OIDs, types and indexes, from texts that look like vendors' own."""

from pathlib import Path

import pytest

from streampoll.config.mib import shipped
from streampoll.config.mib.describe import index_words, metric_words
from streampoll.config.mib.library import Library
from streampoll.config.mib.resolver import Found
from streampoll.config.mib.shelf import SYSTEM, Shelf, shelf_directories
from streampoll.config.mib.words import Node, Unresolved
from tests.mib_support import MIBS, resolver

PLANT = (1, 3, 6, 1, 4, 1, 99999, 7)


def find(name: str) -> Found:
    return resolver().find(name)


def refusal(name: str) -> tuple[str, str]:
    with pytest.raises(Unresolved) as caught:
        find(name)
    return caught.value.what, caught.value.instead


# -- what a name is


@pytest.mark.parametrize(
    ("name", "oid"),
    [
        ("SP-PLANT-MIB::plantTemperature", (*PLANT, 1, 1)),
        ("SP-PLANT-MIB::plantTemperature.0", (*PLANT, 1, 1, 0)),
        ("plantPumpFlow.1.65", (*PLANT, 1, 5, 1, 3, 1, 65)),
        ("SP-PLANT-MIB::plantAlarm", (*PLANT, 0, 1)),
        ("SP-OLD-MIB::oldHits", (1, 3, 6, 1, 4, 1, 99998, 2, 1, 2)),
        ("SP-LOST-MIB::foundValue", (1, 3, 6, 1, 4, 1, 99999, 9)),
        ("enterprises.9.1", (1, 3, 6, 1, 4, 1, 9, 1)),
        ("IF-MIB::ifInOctets", (1, 3, 6, 1, 2, 1, 2, 2, 1, 10)),
        ("ifHCInOctets", (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6)),
        ("SNMPv2-MIB::sysUpTime.0", (1, 3, 6, 1, 2, 1, 1, 3, 0)),
    ],
)
def test_a_name_is_an_oid(name: str, oid: tuple[int, ...]) -> None:
    assert find(name).oid == oid


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("plantMIB", Node.OTHER),
        ("plantTemperature", Node.SCALAR),
        ("plantPumpTable", Node.TABLE),
        ("plantPumpEntry", Node.ROW),
        ("plantPumpXEntry", Node.ROW),
        ("plantPumpFlow", Node.COLUMN),
        ("oldLoad", Node.COLUMN),
    ],
)
def test_a_name_has_its_place_in_the_tree(name: str, node: Node) -> None:
    assert find(name).object.node is node


# -- what is written of it


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plantTemperature", {"type": "integer", "display": "d-1", "unit": "degrees Celsius"}),
        ("plantStarted", {"type": "datetime"}),
        ("plantFlags", {"type": "bits", "enum": {"0": "lit", "1": "locked", "7": "onFire"}}),
        ("SP-PLANT-MIB::plantVersion", {"type": "bytes", "display": "1d.1d"}),
        ("plantPumpFlow", {"type": "counter", "unit": "litres"}),
        ("plantPumpPhase", {"type": "integer", "enum": {"-1": "broken", "0": "idle", "1": "running"}}),
        ("plantPumpMode", {"type": "integer", "enum": {"0": "idle"}}),
        ("plantPumpSealed", {"type": "integer", "enum": {"1": "true", "2": "false"}}),
        ("plantPeerLoad", {"type": "integer", "unit": "%"}),
        ("oldName", {"type": "text"}),
        ("oldAddress", {"type": "ip"}),
        ("oldHits", {"type": "counter"}),
        ("oldUp", {"type": "ticks"}),
        ("foundValue", {"type": "auto"}),
        ("ifPhysAddress", {"type": "mac"}),
        ("ifHighSpeed", {"type": "integer", "unit": "Mbit/s"}),
        ("sysDescr", {"type": "text"}),
        ("sysUpTime", {"type": "ticks"}),
    ],
)
def test_the_mib_says_type_enum_display_and_unit(name: str, words: dict[str, object]) -> None:
    assert metric_words(find(name).object) == words


PUMP = [
    {"name": "plantPumpHall", "type": "integer", "enum": {"1": "north", "2": "south"}},
    {"name": "plantPumpName", "type": "text", "implied": True},
]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plantPumpFlow", PUMP),
        ("plantPumpSealed", PUMP),
        (
            "plantPeerLoad",
            [
                {"name": "plantPeerAddr", "type": "inet"},
                {"name": "plantPeerMac", "type": "mac"},
                {"name": "plantPeerKey", "type": "bytes", "size": 8},
                {"name": "plantPeerOld", "type": "ip"},
                {"name": "plantPeerOid", "type": "oid"},
            ],
        ),
        ("oldHits", [{"name": "row", "type": "integer"}, {"name": "oldAddress", "type": "ip"}]),
        ("ifAlias", [{"name": "ifIndex", "type": "integer"}]),
        ("sysORDescr", [{"name": "sysORIndex", "type": "integer"}]),
        (
            "ifRcvAddressStatus",
            [
                {"name": "ifIndex", "type": "integer"},
                {"name": "ifRcvAddressAddress", "type": "bytes", "display": "1x:"},
            ],
        ),
    ],
)
def test_the_mib_says_what_the_index_is_made_of(name: str, words: list[dict[str, object]]) -> None:
    assert index_words(find(name).object.index) == words


def test_an_augmenting_row_names_the_row_it_augments() -> None:
    assert find("plantPumpSealed").object.augments == "SP-PLANT-MIB::plantPumpEntry"


# -- what can't be


def test_a_mistyped_name_gets_the_nearest_ones() -> None:
    what, instead = refusal("SP-PLANT-MIB::plantPumpFow")
    assert what == f"'plantPumpFow' is not in SP-PLANT-MIB ({MIBS}/SP-PLANT-MIB.txt)"
    assert "did you mean plantPumpFlow" in instead


def test_a_mistyped_name_without_its_module_gets_the_nearest_ones_too() -> None:
    assert "did you mean sysUpTime" in refusal("sysUpTme")[1]
    assert "plantTemperature" in refusal("plantTemprature")[1]


def test_a_module_that_is_nowhere_says_what_to_pass() -> None:
    what, instead = refusal("CISCO-PROCESS-MIB::cpmCPUTotal5min")
    assert what.startswith("no MIB module 'CISCO-PROCESS-MIB' in ")
    assert instead == "pass the directory that has it: --mibs DIR"


def test_a_mistyped_module_gets_the_nearest_one() -> None:
    assert "did you mean SP-PLANT-MIB" in refusal("SP-PLNT-MIB::plantVersion")[1]


def test_a_name_of_two_meanings_must_say_its_module() -> None:
    what, instead = refusal("plantVersion")
    assert what == "'plantVersion' may be SP-PLANT-MIB::plantVersion and SP-OLD-MIB::plantVersion"
    assert instead == "say which, as 'SP-PLANT-MIB::plantVersion'"


def test_an_oid_that_starts_nowhere_names_the_module_that_is_missing() -> None:
    what, instead = refusal("SP-LOST-MIB::lostValue")
    assert what == "'lostRoot', which SP-LOST-MIB imports from SP-NOWHERE-MIB, is nowhere"
    assert instead == "pass the directory that has SP-NOWHERE-MIB: --mibs DIR"


def test_an_oid_that_leads_in_a_circle_is_refused() -> None:
    assert "leads in a circle" in refusal("SP-LOST-MIB::ringA")[0]


def test_a_file_that_is_no_smi_is_refused_with_its_line() -> None:
    assert f"{MIBS}/vendor/broken.txt:3 is not SMI" in refusal("SP-BROKEN-MIB::brokenValue")[0]


@pytest.mark.parametrize("text", ["x y", "A::", "::b", "", "IF-MIB::ifDescr.one", "a" * 300 + "!"])
def test_what_is_no_name_is_refused(text: str) -> None:
    assert refusal(text)[0].endswith("is no name")


# -- where modules are found


def test_the_directory_given_first_wins(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("SP-OLD-MIB DEFINITIONS ::= BEGIN\noldName OBJECT IDENTIFIER ::= { iso 5 }\nEND\n")
    assert resolver(tmp_path, MIBS).find("SP-OLD-MIB::oldName").oid == (1, 5)


def test_a_file_that_is_not_utf8_and_one_that_is_no_mib_do_no_harm(tmp_path: Path) -> None:
    text = "SP-LATIN-MIB DEFINITIONS ::= BEGIN -- caf\xe9\nlatin OBJECT IDENTIFIER ::= { iso 6 }\nEND\n"
    (tmp_path / "latin.mib").write_bytes(text.encode("latin-1"))
    (tmp_path / "picture").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    assert resolver(tmp_path).find("latin").oid == (1, 6)


def test_directories_are_the_users_then_net_snmps_then_the_systems() -> None:
    found = shelf_directories([Path("mine")], {"MIBDIRS": "+/a:/b"})
    assert [str(each) for each in found[:-1]] == ["mine", "/a", "/b", *SYSTEM]


@pytest.mark.parametrize("module", sorted(shipped.modules()))
def test_every_module_that_pysnmp_carries_can_be_read(module: str) -> None:
    raw = shipped.read(module)
    assert raw is not None
    assert shipped.names()[module] <= {name.replace("-", "_") for name in raw.nodes} | set(raw.nodes)


def test_types_of_other_modules_are_known_in_what_pysnmp_carries() -> None:
    words = index_words(find("SNMP-VIEW-BASED-ACM-MIB::vacmAccessReadViewName").object.index)
    assert [part["type"] for part in words] == ["text", "text", "integer", "integer"]


NET_SNMP = Path("/usr/share/snmp/mibs")


@pytest.mark.skipif(not NET_SNMP.is_dir(), reason="net-snmp's MIBs are not installed")
def test_every_object_of_net_snmps_own_mibs_is_resolved() -> None:
    library, using = Library(Shelf([NET_SNMP])), resolver(NET_SNMP)
    modules = [module for name in library.shelf.modules() if (module := library.module(name))]
    found = {
        f"{module.name}::{name}": using.find(f"{module.name}::{name}") for module in modules for name in module.nodes
    }
    assert len(found) > 300
    assert {each.oid[:6] for each in found.values()} == {(1, 3, 6, 1, 4, 1)}
    assert all(each.object.syntax for each in found.values() if each.object.node is Node.COLUMN)
    result, status = found["NET-SNMP-EXTEND-MIB::nsExtendResult"], found["NET-SNMP-AGENT-MIB::nsCacheStatus"]
    assert result.oid == (1, 3, 6, 1, 4, 1, 8072, 1, 3, 2, 3, 1, 4)
    assert index_words(status.object.index) == [{"name": "nsCachedOID", "type": "oid", "implied": True}]
