"""Whatever the generator may write becomes profiles that load; what it may not is a fault, and never a crash."""

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from streampoll.config.exporter.types import VALUES
from tests.exporter_support import imported_text, loaded

LABELS = st.sampled_from(["ifIndex", "slot", "peer", "index", "mac", "a_b"])
NUMBERS = st.integers(1, 3)
ENUM = st.dictionaries(
    st.integers(-2, 40), st.sampled_from(["up", "down", "a b", 'q"', "back\\slash", "é"]), max_size=30
)
INDEX_TYPES = st.sampled_from(
    ["gauge", "Integer32", "OctetString", "DisplayString", "PhysAddress48", "InetAddressIPv4", "InetAddressIPv6",
     "InetAddress", "InetAddressMissingSize", "EnumAsInfo", "DateAndTime"]
)  # fmt: skip


@st.composite
def indexes(draw: st.DrawFn) -> list[dict[str, Any]]:
    labels = draw(st.lists(LABELS, min_size=1, max_size=3, unique=True))
    made: list[dict[str, Any]] = []
    for place, label in enumerate(labels):
        index: dict[str, Any] = {"labelname": label, "type": draw(INDEX_TYPES)}
        if index["type"] in ("OctetString", "DisplayString"):
            if draw(st.booleans()):
                index["fixed_size"] = draw(st.integers(1, 32))
            elif place == len(labels) - 1 and draw(st.booleans()):
                index["implied"] = True
        if index["type"] == "EnumAsInfo":
            index["enum_values"] = draw(ENUM)
        made.append(index)
    return made


@st.composite
def lookups(draw: st.DrawFn, known: list[str]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    labels = list(known)
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.integers(0, 3)) == 0:
            made.append({"labels": [], "labelname": draw(st.sampled_from(labels))})
            continue
        by = draw(st.lists(st.sampled_from(labels), min_size=1, max_size=2, unique=True))
        label = draw(st.sampled_from(["ifName", "descr", "peerName", *known]))
        oid = f"1.3.6.1.9.{draw(NUMBERS)}.{draw(NUMBERS)}"
        made.append({"labels": by, "labelname": label, "oid": oid, "type": draw(st.sampled_from(sorted(VALUES)))})
        labels.append(label)
    return made


@st.composite
def metrics(draw: st.DrawFn) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    shared = draw(indexes())
    looked = draw(lookups([index["labelname"] for index in shared]))
    for number in range(draw(st.integers(1, 6))):
        metric: dict[str, Any] = {
            "name": f"metric{number}",
            "oid": f"1.3.6.1.9.{draw(NUMBERS)}.{number + 1}",
            "type": draw(st.sampled_from([*sorted(VALUES), "Unheard"])),
            "help": draw(st.sampled_from(["", "Plain - 1.3.6.1", "two\nlines", "tab\there", "x" * 300])),
        }
        if draw(st.booleans()):
            metric |= {"indexes": shared, "lookups": looked}
        if draw(st.integers(0, 3)) == 0:
            metric["enum_values"] = draw(ENUM)
        if draw(st.integers(0, 3)) == 0:
            metric |= {
                "scale": draw(st.sampled_from([0.1, 0.001, 3, 1024, 0.3, -1])),
                "offset": draw(st.sampled_from([0, -273.15])),
            }
        if draw(st.integers(0, 4)) == 0:
            metric["regex_extracts"] = {
                suffix: [{"regex": draw(st.sampled_from(["(.*)", "a|(b)", "(?i)x", r"\pL", "[", "'"])), "value": "$1"}]
                for suffix in draw(st.lists(st.sampled_from(["", "Temp", "Odd"]), unique=True, max_size=3))
            }
        made.append(metric)
    return made


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    modules = {}
    for name in draw(st.lists(st.sampled_from(["if_mib", "system", "a b", "-x", "é"]), min_size=1, unique=True)):
        made = draw(metrics())
        oids = [metric["oid"] for metric in made]
        modules[name] = {
            "walk": draw(st.lists(st.sampled_from([*oids, "1.3.6.1.9.1", "1.3.6.1.9"]), max_size=3)),
            "get": [f"{oid}.{draw(NUMBERS)}" for oid in draw(st.lists(st.sampled_from(oids), max_size=2))],
            "metrics": made,
        }
        if draw(st.booleans()):
            modules[name]["filters"] = [
                {
                    "oid": draw(st.sampled_from(oids)),
                    "targets": ["1.3.6.1.9.1"],
                    "values": draw(st.sampled_from([["1"], ["a", "(?i)b"]])),
                }
            ]
    return {"auths": {"a": {"community": "x"}}, "modules": modules} if draw(st.booleans()) else modules


@settings(max_examples=60)
@given(files())
def test_every_file_of_the_form_becomes_profiles_that_load(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as room:
        made = imported_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), Path(room))
        assert made.faults == []
        plans, faults = loaded(made.texts, Path(room) / "profiles")
        assert faults == []
        assert made.texts.keys() <= plans.keys()


def mangled(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(
        [
            "modules",
            "auths",
            "walk",
            "get",
            "metrics",
            "name",
            "oid",
            "type",
            "indexes",
            "labelname",
            "lookups",
            "labels",
            "filters",
            "values",
            "regex",
            "x",
        ]
    )
    return st.lists(value, max_size=4) | st.dictionaries(names | st.integers(), value, max_size=5)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("1.3.6.1.2"),
    mangled,
    max_leaves=25,
)


@settings(max_examples=100)
@given(ANYTHING)
def test_anything_else_is_a_fault_or_a_notice(data: Any) -> None:
    with tempfile.TemporaryDirectory() as room:
        made = imported_text(yaml.safe_dump(data, allow_unicode=True), Path(room))
        assert made.texts == {} or loaded(made.texts, Path(room) / "profiles")[1] == []
        assert all("\n" not in line for line in made.faults + made.notices)
