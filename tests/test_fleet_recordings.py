"""Recordings of real devices, served as they were recorded."""

import bz2
import importlib.util
import re
from pathlib import Path

import pytest

from streampoll.embedded.fleet import FleetSettings
from streampoll.embedded.fleet.population import make_population
from streampoll.embedded.fleet.recording import load_recording
from streampoll.embedded.fleet.values import Moving, uptime
from streampoll.errors import ConfigError
from tests.fleet_support import NetSnmp, running_fleet

SNMPREC = """\
# a comment
1.3.6.1.2.1.1.1.0|4|Router | with a bar
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9.1.925
1.3.6.1.2.1.1.3.0|67:numeric|rate=100
1.3.6.1.2.1.1.7.0|2|-5
1.3.6.1.2.1.2.2.1.6.1|4x|00ff10
1.3.6.1.2.1.2.2.1.10.1|65|4294967295
1.3.6.1.2.1.4.20.1.1.1|64|192.0.2.1
1.3.6.1.2.1.4.20.1.1.2|64x|c0000202
1.3.6.1.4.1.1.1.0|2:numeric|min=1,max=2,wrap=1,initial=2
1.3.6.1.4.1.1.2.0|4:writecache|value=ESX Server
1.3.6.1.4.1.1.3.0|70|18446744073709551615
1.3.6.1.4.1.1.4.0|5|
"""

SNMPWALK = """\
.1.3.6.1.2.1.1.1.0 = STRING: "Linux \\"box\\"
on two lines"
.1.3.6.1.2.1.1.2.0 = OID: .1.3.6.1.4.1.8072.3.2.10
.1.3.6.1.2.1.1.3.0 = Timeticks: (5023) 0:00:50.23
.1.3.6.1.2.1.1.9.0 = ""
.1.3.6.1.2.1.2.2.1.6.1 = Hex-STRING: 00 0C 29 FF
AA BB
.1.3.6.1.2.1.2.2.1.8.1 = INTEGER: up(1)
.1.3.6.1.2.1.2.2.1.10.1 = Counter32: 77
.1.3.6.1.2.1.3.1.1.3.1 = Network Address: C0:00:02:01
.1.3.6.1.2.1.4.20.1.1.1 = IpAddress: 192.0.2.1
.1.3.6.1.2.1.31.1.1.1.6.1 = Counter64: 99
.1.3.6.1.2.1.31.1.1.1.15.1 = Gauge32: 1000
.1.3.6.1.2.1.99.0 = No more variables left in this MIB View (It is past the end of the MIB tree)
"""


def values_of(path: Path) -> dict[str, object]:
    values = load_recording(path).view.values
    return {
        ".".join(map(str, oid)): value if isinstance(value, Moving) else value.hex() for oid, value in values.items()
    }


def test_every_kind_of_snmprec_line_is_served(tmp_path: Path) -> None:
    path = tmp_path / "router.snmprec"
    path.write_text(SNMPREC)

    values = values_of(path)

    assert values == {
        "1.3.6.1.2.1.1.1.0": "0413" + b"Router | with a bar".hex(),
        "1.3.6.1.2.1.1.2.0": "06092b060104010901871d",
        "1.3.6.1.2.1.1.3.0": uptime(),
        "1.3.6.1.2.1.1.7.0": "0201fb",
        "1.3.6.1.2.1.2.2.1.6.1": "040300ff10",
        "1.3.6.1.2.1.2.2.1.10.1": "410500ffffffff",
        "1.3.6.1.2.1.4.20.1.1.1": "4004c0000201",
        "1.3.6.1.2.1.4.20.1.1.2": "4004c0000202",
        "1.3.6.1.4.1.1.1.0": "020102",
        "1.3.6.1.4.1.1.2.0": "040a" + b"ESX Server".hex(),
        "1.3.6.1.4.1.1.3.0": "460900ffffffffffffffff",
        "1.3.6.1.4.1.1.4.0": "0500",
    }


def test_every_kind_of_snmpwalk_record_is_served(tmp_path: Path) -> None:
    path = tmp_path / "linux.snmpwalk.bz2"
    path.write_bytes(bz2.compress(SNMPWALK.encode()))

    values = values_of(path)

    assert values == {
        "1.3.6.1.2.1.1.1.0": "0418" + b'Linux "box"\non two lines'.hex(),
        "1.3.6.1.2.1.1.2.0": "060a2b06010401bf0803020a",
        "1.3.6.1.2.1.1.3.0": "4302139f",
        "1.3.6.1.2.1.1.9.0": "0400",
        "1.3.6.1.2.1.2.2.1.6.1": "0406000c29ffaabb",
        "1.3.6.1.2.1.2.2.1.8.1": "020101",
        "1.3.6.1.2.1.2.2.1.10.1": "41014d",
        "1.3.6.1.2.1.3.1.1.3.1": "4004c0000201",
        "1.3.6.1.2.1.4.20.1.1.1": "4004c0000201",
        "1.3.6.1.2.1.31.1.1.1.6.1": "460163",
        "1.3.6.1.2.1.31.1.1.1.15.1": "420203e8",
    }


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.snmprec", "1.3.6.1|4|x\n1.3.6.2|2|many", "a.snmprec:2: '1.3.6.2|2|many' can't be served"),
        ("a.snmprec", "1.3.6.1|99|x", "a.snmprec:1: .* tag 99 is not one of SNMP's"),
        ("a.snmprec", "1.3.6.1", "a.snmprec:1: .* OID|TAG|VALUE"),
        ("a.snmprec", "# nothing", "has no variable"),
        ("a.snmpwalk", ".1.3.6.1 = STRING: x\n.1.3.6.2 = INTEGER: up", "a.snmpwalk:2: .* no number in 'up'"),
        ("a.snmpwalk", "SNMPv2-MIB::sysDescr.0 = STRING: x", "a.snmpwalk:1: .* record it with snmpwalk -On"),
        ("a.txt", "", "is neither .snmprec nor .snmpwalk"),
        ("a.snmprec.bz2", "not compressed", "can't be read"),
    ],
)
def test_a_wrong_recording_is_refused_by_line(tmp_path: Path, name: str, content: str, complaint: str) -> None:
    path = tmp_path / name
    path.write_text(content)

    with pytest.raises(ConfigError, match=complaint) as refused:
        load_recording(path)

    assert "\n" not in str(refused.value)


def test_a_missing_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_recording(tmp_path / "missing.snmprec")


def real_recording(name: str) -> Path:
    package = importlib.util.find_spec("snmpsim_data")
    assert package is not None
    assert package.submodule_search_locations is not None
    return Path(package.submodule_search_locations[0]) / "data" / name


def test_a_real_device_is_walked_as_it_was_recorded() -> None:
    path = real_recording("UPS/apc-8932.snmprec")
    recorded = re.findall(r"^([\d.]+)\|", path.read_text("latin-1"), re.MULTILINE)

    with running_fleet(FleetSettings(latency_ms=(0, 1), recordings=(f"{path}=127.1.0.9",))) as fleet:
        walked = NetSnmp(fleet.port, "127.1.0.9").lines("snmpbulkwalk", ".1")
        other = NetSnmp(fleet.port, "127.1.0.8").lines("snmpget", "1.3.6.1.2.1.1.5.0")

    assert [name[1:] for name in re.findall(r"^(\.[\d.]+) =", "\n".join(walked), re.MULTILINE)] == recorded
    assert "sim-001-000-008" in other[0]


def test_what_was_walked_can_be_served_again(tmp_path: Path) -> None:
    path = tmp_path / "again.snmpwalk"
    settings = FleetSettings(latency_ms=(0, 1), interfaces=(4, 4))
    with running_fleet(settings) as fleet:
        path.write_text(NetSnmp(fleet.port).run("snmpbulkwalk", ".1").stdout)
    with running_fleet(FleetSettings(latency_ms=(0, 1), recordings=(str(path),))) as fleet:
        again = NetSnmp(fleet.port).run("snmpbulkwalk", ".1").stdout

    assert again == path.read_text()


def test_recordings_without_an_address_are_taken_in_turn(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.snmprec" for name in ("a", "b", "c")]
    for path in paths:
        path.write_text(SNMPREC)

    population = make_population(FleetSettings(recordings=tuple(map(str, paths))))

    assert [population.derive(index).personality.name for index in range(5)] == ["a", "b", "c", "a", "b"]


def test_a_recording_needs_an_address_of_a_device(tmp_path: Path) -> None:
    path = tmp_path / "a.snmprec"
    path.write_text(SNMPREC)

    with pytest.raises(ConfigError, match=r"'10.0.0.1' .* is not an address of a device"):
        make_population(FleetSettings(recordings=(f"{path}=10.0.0.1",)))
