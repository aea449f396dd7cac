"""The built-in profiles: each stands by itself, and none is in another's way."""

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from streampoll.discovery.proposal import profile_for
from streampoll.ping.plan import PingPlan
from streampoll.snmp.compiled import CompiledPlan
from streampoll.snmp.plan import CollectPlan, Metric, Oid
from tests.builtin_support import BEGIN, END, PAGE, files, header, read, table

PLANS, FAULTS = read()
SNMP = {name: plan for name, plan in PLANS.items() if isinstance(plan, CollectPlan)}
FAMILIES = {
    "apc-pdu", "apc-ups", "aruba", "aruba-cx", "bgp4", "ciena-saos", "ciena-waveserver", "cisco", "entity",
    "entity-sensor", "fortinet", "h3c", "hostresources", "huawei", "interfaces", "juniper", "linux", "lldp",
    "mikrotik", "netapp", "paloalto", "printer", "system", "ucd", "ups",
}  # fmt: skip


def metrics(plan: CollectPlan) -> Iterator[tuple[str, Metric]]:
    yield from (("", metric) for metric in plan.scalars)
    yield from ((spec.name, metric) for spec in plan.tables for metric in spec.columns)


def suits() -> dict[Oid, str]:
    return {prefix: name for name, plan in SNMP.items() for prefix in plan.suits}


def test_every_profile_is_without_a_fault() -> None:
    assert FAULTS == []
    assert PLANS.keys() == files().keys()
    assert {name for name, plan in PLANS.items() if not isinstance(plan, CollectPlan)} == {"ping"}
    assert isinstance(PLANS["ping"], PingPlan)


def test_every_family_has_one() -> None:
    assert sorted(FAMILIES - PLANS.keys()) == []


@pytest.mark.parametrize("name", SNMP)
def test_a_profile_can_be_asked(name: str) -> None:
    assert CompiledPlan(SNMP[name]).asks


@pytest.mark.parametrize("name", files())
def test_a_profile_says_by_which_document_it_is_made(name: str) -> None:
    said = header(files()[name].read_text())
    assert re.search(r"[\w-]+-MIB|\bLLDP\b|standard MIBs|ICMP", said), said


def test_no_column_is_walked_twice_for_a_device() -> None:
    """Even by two profiles that somebody extends together; an OID under two names would be."""
    for name, plan in SNMP.items():
        walked = [metric.oid for _, metric in metrics(plan) if not metric.by]
        assert len(walked) == len(set(walked)), name


def test_a_name_means_one_thing_in_all_of_them() -> None:
    """Those who extend two of them, or look at the results of both, never get one in the place of the other."""
    meanings: dict[tuple[str, str], set[Oid]] = defaultdict(set)
    kinds: dict[str, set[object]] = defaultdict(set)
    for plan in SNMP.values():
        for table_name, metric in metrics(plan):
            meanings[table_name, metric.name].add(metric.oid)
            kinds[metric.name].add((metric.kind, metric.unit))
    assert {name: oids for name, oids in meanings.items() if len(oids) > 1} == {}
    assert {name: each for name, each in kinds.items() if len(each) > 1} == {}


def test_names_are_those_of_the_mibs() -> None:
    """A MIB's names begin with a small letter and have nothing but letters and digits."""
    strange = [metric.name for plan in SNMP.values() for _, metric in metrics(plan) if not metric.name.isalnum()]
    assert strange == []


def test_no_two_suit_the_same_devices() -> None:
    assert len(suits()) == sum(len(plan.suits) for plan in SNMP.values())


@pytest.mark.parametrize(
    ("object_id", "name"),
    [
        ("1.3.6.1.4.1.9.1.516", "cisco"),
        ("1.3.6.1.4.1.9.12.3.1.3.1084", "cisco"),
        ("1.3.6.1.4.1.2636.1.1.1.2.21", "juniper"),
        ("1.3.6.1.4.1.318.1.3.4.6", "apc-pdu"),
        ("1.3.6.1.4.1.318.1.3.27", "apc-ups"),
        ("1.3.6.1.4.1.705.1", "ups"),
        ("1.3.6.1.4.1.8072.3.2.10", "linux"),
        ("1.3.6.1.4.1.47196.4.1.1.1.50", "aruba-cx"),
        ("1.3.6.1.4.1.14823.1.1.32", "aruba"),
        ("1.3.6.1.4.1.1271.3", "ciena-waveserver"),
        ("1.3.6.1.4.1.1271.1.2.20", "ciena-saos"),
        ("1.3.6.1.4.1.11.2.3.9.1", "printer"),
        ("1.3.6.1.4.1.11.2.3.7.11.107", "interfaces"),  # an HP switch is no printer
        ("1.3.6.1.4.1.99999.1", "interfaces"),
    ],
)
def test_discovery_proposes_the_one_that_suits_best(object_id: str, name: str) -> None:
    assert profile_for(tuple(map(int, object_id.split("."))), suits()) == name


def test_the_table_in_the_documentation_is_that_of_the_files() -> None:
    """`python -m tests.builtin_support` writes it."""
    assert PAGE.read_text().partition(BEGIN)[2].partition(END)[0] == table()
