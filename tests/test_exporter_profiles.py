"""snmp_exporter's modules as profiles: each form of the file, said in the words of a profile."""

from pathlib import Path
from typing import Any

import pytest

from streampoll.config.credentials import read_credentials
from streampoll.config.report import Report
from streampoll.snmp.plan import CollectPlan
from tests.exporter_support import FILES, Imported, imported, imported_text, loaded


@pytest.fixture(scope="module")
def modules() -> Imported:
    return imported(FILES / "modules.yml")


def scalar(modules: Imported, name: str) -> dict[str, Any]:
    """Return a scalar of module `forms` without the start of its OID."""
    words: dict[str, Any] = modules.data("forms")["scalars"][name]
    return {key: value for key, value in words.items() if key != "oid"}


def test_every_profile_that_is_made_is_loaded(modules: Imported, tmp_path: Path) -> None:
    plans, faults = loaded(modules.texts, tmp_path)
    assert faults == []
    assert {"if_mib", "wireless", "forms", "filtered"} <= plans.keys()


def test_making_them_again_gives_the_same_texts(modules: Imported) -> None:
    assert imported(FILES / "modules.yml").texts == modules.texts


# -- values


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aFloat", {"type": "float"}),
        ("aDouble", {"type": "float", "divide": 1000}),
        ("tenths", {"type": "integer", "divide": 10, "offset": -273.15}),
        ("kilos", {"type": "integer", "scale": 1024}),
        ("hits", {"type": "counter"}),
        ("born", {"type": "datetime", "as": "epoch"}),
        ("said", {"type": "text"}),
        ("ntp", {"type": "bytes", "as": "epoch"}),
        ("flags", {"type": "bits", "enum": {"0": "lit", "1": "locked"}}),
        ("raw", {"type": "bytes"}),
        ("version", {"type": "bytes", "display": "1d.1d"}),
        ("address", {"type": "ip"}),
        ("old", {"type": "ip"}),
        ("strange", {"type": "auto"}),
        ("kind", {"type": "integer", "enum": {"1": "true", "2": "no"}}),
    ],
)
def test_a_type_is_said_in_the_words_of_a_profile(modules: Imported, name: str, words: dict[str, Any]) -> None:
    assert scalar(modules, name) == words


def test_a_scalar_has_its_instance(modules: Imported) -> None:
    assert modules.data("if_mib")["scalars"]["sysUpTime"] == {"oid": "1.3.6.1.2.1.1.3.0", "type": "ticks"}
    assert modules.data("forms")["scalars"]["asked"]["oid"] == "1.3.6.1.4.1.99998.5.0"


def test_several_extracts_ask_once(modules: Imported) -> None:
    scalars = modules.data("forms")["scalars"]
    assert scalars["sensorTemp"] == {
        "oid": "1.3.6.1.4.1.99999.1.16.0", "type": "text", "extract": r"^.*?([\d.]+) C.*$", "as": "number",
    }  # fmt: skip
    assert scalars["sensorStatus"] == {
        "from": "sensorTemp",
        "extract": [
            {"match": "^(?:.*ok.*|.*fine.*)$", "value": "1"},
            {"match": "^(?i:.*(?P<word>bad).*)$", "value": "$1"},
            {"match": "^.*$", "value": "0"},
        ],
        "as": "number",
    }


def test_an_enumeration_of_hundreds_of_names_is_written_line_by_line(modules: Imported) -> None:
    column = modules.data("filtered")["tables"]["interfaces_2"]["columns"]["ifType"]
    assert len(column["enum"]) == 17
    assert max(map(len, modules.texts["filtered"].splitlines())) < 130


# -- tables


def test_metrics_with_the_same_labels_are_one_table(modules: Imported) -> None:
    table = modules.data("if_mib")["tables"]["interfaces"]
    assert table["key"] == "ifName"
    assert table["index"] == [{"name": "ifIndex", "type": "integer"}]
    assert list(table["columns"]) == ["ifAlias", "ifOperStatus", "ifPhysAddress", "ifHCInOctets", "ifName"]


def test_a_lookup_by_the_whole_index_is_a_column_and_asked_once(modules: Imported) -> None:
    columns = modules.data("if_mib")["tables"]["interfaces"]["columns"]
    assert columns["ifAlias"] == {"oid": "1.3.6.1.2.1.31.1.1.1.18", "type": "text"}
    assert columns["ifName"] == {"oid": "1.3.6.1.2.1.31.1.1.1.1", "type": "text", "by": "index"}


def test_lookups_may_be_chained_and_their_sources_dropped(modules: Imported) -> None:
    table = modules.data("wireless")["tables"]["bsnAPIfUsers"]
    assert table["index"] == [
        {"name": "bsnAPMac", "type": "mac", "keep": False},
        {"name": "bsnAPIfSlotId", "type": "integer"},
    ]
    assert {name: words.get("by") for name, words in table["columns"].items()} == {
        "bsnAPIfUsers": None, "bsnAPName": "bsnAPMac", "bsnAPIfType": "index", "bsnTypeDescr": "bsnAPIfType",
    }  # fmt: skip
    assert table["columns"]["bsnAPIfType"]["keep"] is False
    assert table["key"] == "bsnAPName"


def test_a_label_that_a_lookup_overwrites_is_what_was_looked_up(modules: Imported) -> None:
    table = modules.data("forms")["tables"]["overwritten"]
    assert table["index"] == [{"name": "slot_index", "type": "integer", "keep": False}]
    assert table["columns"]["slot"] == {"oid": "1.3.6.1.4.1.99999.5.1.2", "type": "text", "by": "index"}


def test_every_part_of_an_index_is_decoded(modules: Imported) -> None:
    assert modules.data("forms")["tables"]["peerState"]["index"] == [
        {"name": "peerAddr", "type": "inet"},
        {"name": "peerNext", "type": "inet", "implied": True},
        {"name": "peerOld", "type": "ip"},
        {"name": "peerKey", "type": "bytes", "size": 8},
        {"name": "peerKind", "type": "integer", "enum": {"1": "inner", "2": "outer"}},
        {"name": "peerName", "type": "text", "implied": True},
    ]


def test_a_dynamic_filter_keeps_rows_of_its_targets_only(modules: Imported) -> None:
    tables = modules.data("filtered")["tables"]
    assert tables["interfaces"]["where"] == {"filtered_by": {"match": "1|2"}}
    assert tables["interfaces"]["columns"]["filtered_by"] == {
        "oid": "1.3.6.1.2.1.2.2.1.7", "type": "integer", "keep": False,
    }  # fmt: skip
    assert "where" not in tables["interfaces_2"]


def test_rows_that_are_asked_one_by_one_are_those_that_are_kept(modules: Imported) -> None:
    assert modules.data("filtered")["tables"]["interfaces_3"]["where"] == {"ifIndex": [2, 40]}


# -- what is not taken over


@pytest.mark.parametrize(
    "part",
    [
        "modules.yml:86: modules.if_mib.max_repetitions: max_repetitions = 10 is no matter of a profile; set snmp.",
        "modules.yml:88: modules.if_mib.timeout: timeout = 10s",
        "modules.yml:135: modules.forms.metrics[4].scale: hits: scale and offset are left out; a counter stays exact",
        "modules.yml:137: modules.forms.metrics[6].datetime_pattern: said: dates are not read by the pattern '%b",
        "modules.yml:148: modules.forms.metrics[13].type: strange: the type 'Curious' is not known",
        "modules.yml:151: modules.forms.metrics[16]: never is in no walk and no get",
        "modules.yml:168: modules.forms.metrics[17].regex_extracts.Odd[0]: sensorOdd: ",
        "modules.yml:185: modules.forms.metrics[19].indexes: oddRow: an index of type 'DateAndTime' is not known",
        "modules.yml:195: modules.forms.allow_nonincreasing_oids: ",
        "modules.yml:197: modules.forms.a_key_of_tomorrow: 'a_key_of_tomorrow' is not known",
    ],
)
def test_what_is_not_taken_over_is_named_with_its_line_and_in_the_profile(modules: Imported, part: str) -> None:
    assert [notice for notice in modules.notices if notice.startswith(part)]
    assert part in modules.texts["if_mib"] + modules.texts["forms"]


def test_nothing_is_named_that_was_taken_over(modules: Imported) -> None:
    assert len(modules.notices) == 10
    assert "not taken over" not in modules.texts["wireless"] + modules.texts["filtered"]


# -- auths


def test_auths_are_a_skeleton_without_their_secrets(modules: Imported) -> None:
    assert '# community = "env:SNMP_PUBLIC_V2_COMMUNITY"' in modules.credentials
    assert '# auth_protocol = "sha256"\n' in modules.credentials
    assert '# priv_key = "env:SNMP_CORE_V3_PRIV_KEY"' in modules.credentials
    assert '# context = "vrf-1"' in modules.credentials
    assert all(line.startswith("#") for line in modules.credentials.splitlines())


@pytest.mark.parametrize("name", ["modules.yml", "classic.yml"])
def test_no_secret_is_in_anything_that_is_made(name: str) -> None:
    made = imported(FILES / name)
    assert made.texts
    assert "hush" not in "".join([*made.texts.values(), *made.notices, *made.faults, made.credentials])


def test_no_secret_is_in_a_message_about_it(tmp_path: Path) -> None:
    made = imported_text("auths:\n  a: {community: [hush], password: {x: hush}}\nmodules: {}\n", tmp_path)
    assert "hush" not in "".join(made.notices + made.faults)


def test_the_skeleton_is_credentials_once_the_marks_are_taken_away(modules: Imported, tmp_path: Path) -> None:
    lines = [line.removeprefix("#").strip() for line in modules.credentials.splitlines()]
    (tmp_path / "credentials.toml").write_text(
        "\n".join(line for line in lines if line.startswith("[") or " = " in line)
    )
    report = Report()
    assert set(read_credentials(tmp_path / "credentials.toml", "c", {}, report)) == {"public_v2", "core_v3", "door_v3"}
    assert report.faults == []


# -- the classic form


def test_the_classic_form_is_read_too(tmp_path: Path) -> None:
    made = imported(FILES / "classic.yml")
    plans, faults = loaded(made.texts, tmp_path)
    assert faults == []
    assert isinstance(plans["default"], CollectPlan)
    assert [metric.name for metric in plans["default"].scalars] == ["sysName"]
    assert '# auth_protocol = "sha1"' in made.credentials
    assert '# version = "1"' in made.credentials


def test_a_module_whose_name_no_file_can_have_gets_another() -> None:
    made = imported(FILES / "classic.yml")
    assert "apcups_old_" in made.texts
    assert any("the profile is called 'apcups_old_'" in notice for notice in made.notices)


def test_a_module_does_not_replace_the_built_in_of_its_name(tmp_path: Path) -> None:
    text = "modules:\n  system: {metrics: [{name: a, oid: 1.3.6.1.2, type: gauge}]}\n  system_exporter: {metrics: []}\n"
    made = imported_text(text, tmp_path)
    assert list(made.texts) == ["system_exporter"]
    assert made.notices[0].endswith("the profile is called 'system_exporter'; a built-in one has the module's")


# -- what is no snmp.yml


GENERATOR = "if_mib:\n  walk: [ifTable]\n  lookups: [{source_indexes: [ifIndex], lookup: ifName}]\n"
METRIC = "m:\n  metrics:\n  - {name: a, oid: %s, type: gauge%s}\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "snmp.yml: not an snmp.yml: it has no modules"),
        ("[1, 2]\n", "snmp.yml: not an snmp.yml"),
        ("a: [\n", "snmp.yml:2: not YAML: "),
        ("modules:\n  m:\n    walk: 3\n", "snmp.yml:3: modules.m.walk: 3 is not a list"),
        ("m:\n  metrics:\n  - {oid: 1.3.6.1, type: gauge}\n", "snmp.yml:3: m.metrics[0]: 'name' is missing"),
        ("modules:\n  m: 7\n", "snmp.yml:2: modules.m: 7 is not a table"),
        (GENERATOR, "snmp.yml:1: if_mib: this is a module of generator.yml"),
        (METRIC % ("1.3.6.1", ", scale: big"), "snmp.yml:3: m.metrics[0].scale: 'big' is not a number"),
        (METRIC % ("ifDescr", ""), "snmp.yml:3: m.metrics[0].oid: 'ifDescr' is not an OID"),
        (METRIC % ("1.3", ", indexes: [7]"), "snmp.yml:3: m.metrics[0].indexes[0]: 7 is not a table"),
    ],
)
def test_what_is_no_snmp_yml_is_refused_at_its_line(tmp_path: Path, text: str, fault: str) -> None:
    made = imported_text(text, tmp_path)
    assert made.texts == {}
    assert made.faults[0].startswith(fault)


def test_a_module_that_collects_nothing_makes_no_profile(tmp_path: Path) -> None:
    made = imported_text("modules:\n  empty: {walk: [1.3.6.1], metrics: []}\n", tmp_path)
    assert (made.texts, made.faults) == ({}, [])
    assert made.notices == ["snmp.yml:2: modules.empty: module 'empty' collects nothing; no profile is made of it"]
