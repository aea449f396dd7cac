"""docs/profiles.md against the code: its examples are profiles, and it has every word."""

import dataclasses
from pathlib import Path

import pytest

from streampoll.config import profile_snmp, snmp_condition, snmp_metric
from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.snmp.plan import Form
from tests.docs_support import blocks, text_of

PAGE = text_of("docs/profiles.md")
WORDS = {
    field.name
    for table in (
        profile_snmp._TableTable, profile_snmp._SnmpTable, snmp_condition._ConditionTable, snmp_metric._MetricTable,
        snmp_metric._PartTable, snmp_metric._SensorTable,
    )
    for field in dataclasses.fields(table)
} | {"as", "from", "is", *(form.name.lower() for form in Form), *snmp_metric._Type, *snmp_metric._PartType}  # fmt: skip


EXAMPLES = [block for block in blocks(PAGE, "toml") if "::" not in block]  # those with MIB names are to be compiled


@pytest.mark.parametrize("block", EXAMPLES)
def test_an_example_is_a_profile(tmp_path: Path, block: str) -> None:
    (tmp_path / "example.toml").write_text(block)
    report = Report()
    plans = read_profiles(tmp_path, "profiles", report)
    assert list(map(str, report.faults)) == []
    assert "example" in plans


def test_every_word_is_there() -> None:
    assert sorted(word for word in WORDS if word not in PAGE) == []
