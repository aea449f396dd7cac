"""Inventories: the same devices from four formats, and what is wrong by line."""

import json
from pathlib import Path

import pytest

from streampoll.config.inventory import canonical_address, read_inventory
from streampoll.config.report import Report
from streampoll.model import Device

CSV = """name,address,port,profile,credential,groups,tags,interval,parent,enabled,snmp.timeout_s
a,192.0.2.1,1161,system,core,x; y,t,5m,b,yes,2.5
b,host.example.net,,,,,,,,,
"""
TOML = """
[[devices]]
name = "a"
address = "192.0.2.1"
port = 1161
profile = "system"
credential = "core"
groups = ["x", "y"]
tags = "t"
interval = "5m"
parent = "b"
snmp.timeout_s = 2.5

[[devices]]
name = "b"
address = "host.example.net"
"""
YAML = """
devices:
  - {name: a, address: 192.0.2.1, port: 1161, profile: system, credential: core, groups: [x, y], tags: [t],
     interval: 300, parent: b, snmp: {timeout_s: 2.5}}
  - name: b
    address: host.example.net
"""
JSON = json.dumps(
    [
        {"name": "a", "address": "192.0.2.1", "port": 1161, "profile": "system", "credential": "core",
         "groups": ["x", "y"], "tags": ["t"], "interval": "5m", "parent": "b", "snmp.timeout_s": 2.5},
        {"name": "b", "address": "host.example.net"},
    ],
    indent=1,
)  # fmt: skip
EXPECTED = (
    Device(
        "a", "192.0.2.1", 1161, "system", "core", ("x", "y"), tags=("t",), interval_s=300, parent="b",
        overrides={"snmp.timeout_s": 2.5},
    ),
    Device("b", "host.example.net"),
)  # fmt: skip


def read(
    directory: Path, files: dict[str, str], patterns: tuple[str, ...] = ("*",)
) -> tuple[tuple[Device, ...], Report]:
    for name, text in files.items():
        (directory / name).write_text(text)
    report = Report()
    return read_inventory(patterns, directory, report), report


def faults(directory: Path, name: str, text: str) -> list[str]:
    return [str(fault) for fault in read(directory, {name: text})[1].faults]


@pytest.mark.parametrize(("name", "text"), [("i.csv", CSV), ("i.toml", TOML), ("i.yaml", YAML), ("i.json", JSON)])
def test_each_format_gives_the_same_devices(tmp_path: Path, name: str, text: str) -> None:
    devices, report = read(tmp_path, {name: text})

    assert not report.faults
    assert devices == EXPECTED


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("i.csv", "name,address\na,10.0.0.1\nb,10.0.0.300\n", "i.csv:3: address: '10.0.0.300' is no address"),
        ("i.csv", "name,address\n\na,10.0.0.1:161\n", "i.csv:3: address: '10.0.0.1:161' is no address; write the port"),
        ("i.csv", 'name,address\n"a\nb",10.0.0.1\n', "i.csv:3: name: 'a\\nb' is not allowed"),
        ("i.csv", "name,address\na,10.0.0.1,x\n", "i.csv:2: 3 cells under 2 columns"),
        ("i.csv", "name,address\na,\n", "i.csv:2: 'address' is missing"),
        ("i.csv", "name,address,port\na,10.0.0.1,0\n", "i.csv:2: port: 0 is not allowed; expected a whole number, at"),
        ("i.csv", "name,addres\na,10.0.0.1\n", "i.csv:1: addres: unknown key; did you mean 'address'?"),
        ("i.csv", "name,address,snmp.timeout\n", "i.csv:1: snmp.timeout: unknown key; did you mean 'snmp.timeout_s'?"),
        ("i.csv", "name,address,snmp.retries\na,1.1.1.1,x", "i.csv:2: snmp.retries: 'x' is not allowed; expected"),
        ("i.csv", "name,address,enabled\na,1.1.1.1,maybe", "i.csv:2: enabled: 'maybe' is not allowed; expected"),
        ("i.csv", "name,name\n", "i.csv:1: a column's name is empty or there twice"),
        ("i.csv", 'name,address\na,"1.1.1.1', "i.csv:2: not CSV"),
        ("i.csv", "name,address,parent\na,1.1.1.1,b", "i.csv:2: parent: no other device is called 'b'"),
        ("i.csv", "name,address,parent\na,1.1.1.1,a", "i.csv:2: parent: no other device is called 'a'"),
        ("i.toml", "[[devices]]\nname = 'a'\naddress = '1.1.1.1'\nport = '1'\n", "i.toml:4: devices[0].port: '1'"),
        ("i.toml", "[[devices]]\nname = 'a'\naddress = '1.1.1.1'\nsnmp.retry = 1\n", "i.toml:4: devices[0].snmp.retry"),
        ("i.toml", "[[device]]\nname = 'a'\n", "i.toml:1: device: unknown key; the devices are a list"),
        ("i.yaml", "- name: a\n  address: 1.1.1.1\n- name: 12\n  address: 1.1.1.2\n", "i.yaml:3: [1].name: 12 is not"),
        ("i.yaml", "- name: a\n  address: 1.1.1.1\n  site: no\n", "i.yaml:3: [0].site: False is not allowed; expe"),
        ("i.yaml", "- a\n", "i.yaml:1: [0]: 'a' is not a table"),
        ("i.yaml", "- [\n", "i.yaml:2: not YAML"),
        ("i.yaml", "", "i.yaml: None is not a list of devices"),
        ("i.json", '[\n{"name": "a", "address": "1.1.1.1"},\n{"name": "b"}\n]', "i.json:3: [1]: 'address' is missing"),
        ("i.json", '[\n{"name": }]', "i.json:2: not JSON"),
        ("i.json", '{"devices":\n[{"name": "a", "address": "-"}]}', "i.json:2: devices[0].address: '-' is no address"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_named(tmp_path: Path, name: str, text: str, fault: str) -> None:
    (line,) = faults(tmp_path, name, text)

    assert line.startswith(fault)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("i.csv", "name,address,community\na,1.1.1.1,hunter2\n"),
        ("i.csv", "name,address,snmp.community\na,1.1.1.1,hunter2\n"),
        ("i.toml", "[[devices]]\nname = 'a'\naddress = '1.1.1.1'\nsnmp.auth_key = 'hunter2'\n"),
        ("i.json", '[{"name": "a", "address": "1.1.1.1", "ssh": {"password": "hunter2"}}]'),
        ("i.yaml", "- {name: a, address: 1.1.1.1, snmp: {community: hunter2}}"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(tmp_path: Path, name: str, text: str) -> None:
    (line,) = faults(tmp_path, name, text)

    assert "a secret does not belong in the inventory" in line
    assert "hunter2" not in line


def test_a_name_is_used_once_over_all_files(tmp_path: Path) -> None:
    files = {"a.csv": "name,address\nsw1,10.0.0.1\n", "b.toml": "[[devices]]\nname = 'sw1'\naddress = '10.0.0.2'\n"}
    _, report = read(tmp_path, files)

    assert [str(fault) for fault in report.faults] == [
        "b.toml:1: devices[0]: the name 'sw1' is used by a.csv:2; a name is used once"
    ]


def test_two_devices_at_one_address_and_port_are_worth_a_notice(tmp_path: Path) -> None:
    text = "name,address,port\na,2001:db8::1,\nb,2001:DB8:0::1,\nc,2001:db8::1,1161\n"
    devices, report = read(tmp_path, {"i.csv": text})

    assert len(devices) == 3
    assert [str(notice) for notice in report.notices] == ["i.csv:3: 'b' has the address and port of 'a'"]


def test_after_twenty_faults_the_rest_of_a_file_is_counted(tmp_path: Path) -> None:
    lines = faults(tmp_path, "i.csv", "name,address\n" + "a,nowhere!\n" * 1_000)

    assert len(lines) == 21
    assert lines[-1] == "i.csv: … and 980 more lines are wrong"


def test_no_inventory_is_a_fault(tmp_path: Path) -> None:
    _, report = read(tmp_path, {"notes.txt": "x"}, ("inventory.*", "notes.*"))

    assert "no file matches inventory.*, notes.*" in str(report.faults[0])


def test_a_file_that_is_named_must_be_there_and_of_a_known_kind(tmp_path: Path) -> None:
    _, report = read(tmp_path, {"notes.txt": "x"}, ("gone.csv", "notes.txt"))

    assert [str(fault).split(";")[0] for fault in report.faults] == [
        "gone.csv: no such file",
        "notes.txt: '.txt' is no inventory's suffix",
    ]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("Host-1.Example.NET.", "host-1.example.net"),
        ("localhost", "localhost"),
        ("3com-switch", "3com-switch"),
        ("300.1.2.3", None),
        ("1.2.3", None),
        ("01.2.3.4", None),
        ("a..b", None),
        ("a b", None),
        ("", None),
        ("1:2", None),
        ("x" * 64, None),
    ],
)
def test_an_address_has_one_spelling(text: str, address: str | None) -> None:
    assert canonical_address(text) == address


def test_texts_that_devices_share_are_kept_once(tmp_path: Path) -> None:
    rows = [
        {"name": f"d{number}", "address": f"10.0.0.{number}", "groups": ["core"], "snmp.retries": 2}
        for number in (1, 2)
    ]
    (one, two), _ = read(tmp_path, {"i.json": json.dumps(rows)})

    assert one.groups is two.groups
    assert one.overrides is two.overrides
