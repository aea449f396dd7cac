"""A profile of protocol "snmp": scalars and tables, compiled to a `CollectPlan`.

[scalars]
ifNumber = { oid = "1.3.6.1.2.1.2.1.0", type = "integer" }

[tables.interfaces]
key = "ifName"                            # the column that names a row to people
[tables.interfaces.columns]
ifName       = { oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text" }
ifHCInOctets = { oid = "1.3.6.1.2.1.31.1.1.1.6", type = "counter", fallback = "1.3.6.1.2.1.2.2.1.10" }
ifOperStatus = { oid = "1.3.6.1.2.1.2.2.1.8", type = "integer", enum = { 1 = "up", 2 = "down" } }
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.report import nearest, shorten
from streampoll.snmp.plan import CollectPlan, Kind, Metric, Oid, TableSpec

_OID = re.compile(r"\.?[012](?:\.\d{1,10}){1,127}")


class _Type(StrEnum):
    """The words for `Kind` in files."""

    AUTO = "auto"
    INTEGER = "integer"
    COUNTER = "counter"
    TICKS = "ticks"
    TEXT = "text"
    BYTES = "bytes"
    OID = "oid"
    IP = "ip"


@dataclass(frozen=True, slots=True)
class _MetricTable:
    oid: str
    type: _Type = _Type.AUTO
    fallback: str = ""
    enum: Any = None


@dataclass(frozen=True, slots=True)
class _TableTable:
    columns: Any = field(default_factory=dict)  # absent where a profile only changes `key` of one that it extends
    key: str = ""
    max_rows: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


@dataclass(frozen=True, slots=True)
class _SnmpTable:
    scalars: Any = field(default_factory=dict)
    tables: Any = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SnmpDraft:
    """The SNMP part of one file, before `extends` is followed."""

    scalars: Mapping[str, Metric]
    tables: Mapping[str, TableSpec]


class SnmpProfiles:
    """Reads and compiles profiles of protocol "snmp"."""

    def read(self, data: Mapping[str, Any], place: Place) -> SnmpDraft | None:
        """Return one file's draft, or None with faults."""
        before = len(place.report.faults)
        table = read_table(_SnmpTable, data, place)
        if table is None:
            return None
        scalars = _metrics(table.scalars, place.at("scalars"))
        tables = place.at("tables").table(table.tables)
        specs = {name: _table(name, each, place.at("tables", name)) for name, each in tables.items()}
        if len(place.report.faults) > before:
            return None
        return SnmpDraft(scalars, {name: spec for name, spec in specs.items() if spec is not None})

    def compile(self, name: str, drafts: Sequence[SnmpDraft], place: Place) -> CollectPlan | None:
        """Return the plan of drafts, each over those before it, or None with faults."""
        before = len(place.report.faults)
        scalars: dict[str, Metric] = {}
        tables: dict[str, TableSpec] = {}
        for draft in drafts:
            scalars.update(draft.scalars)
            for spec in draft.tables.values():
                tables[spec.name] = _over(tables.get(spec.name), spec)
        plan = CollectPlan(name, tuple(scalars.values()), tuple(map(_settled, tables.values())))
        _check(plan, place)
        return plan if len(place.report.faults) == before else None


def _metrics(data: Any, place: Place) -> dict[str, Metric]:
    """Return scalars or columns by name; wrong ones are faults."""
    metrics = {name: _metric(name, each, place.at(name)) for name, each in place.table(data).items()}
    return {name: metric for name, metric in metrics.items() if metric is not None}


def _metric(name: str, data: Any, place: Place) -> Metric | None:
    table = read_table(_MetricTable, data, place)
    if table is None:
        return None
    oid = _oid(table.oid, place.at("oid"))
    fallback = _oid(table.fallback, place.at("fallback")) if table.fallback else None
    return Metric(name, oid, Kind[table.type.name], fallback, _enum(table.enum, place.at("enum")))


def _table(name: str, data: Any, place: Place) -> TableSpec | None:
    table = read_table(_TableTable, data, place)
    if table is None:
        return None
    columns = tuple(_metrics(table.columns, place.at("columns")).values())
    return TableSpec(name, columns, table.key, table.max_rows)


def _oid(text: str, place: Place) -> Oid:
    """Return an OID as numbers; an empty one with a fault for text that isn't one."""
    numbers = tuple(map(int, text.strip(".").split("."))) if _OID.fullmatch(text) else ()
    if numbers and max(numbers) < 1 << 32 and (numbers[0] == 2 or numbers[1] < 40):
        return numbers
    place.fault(
        f"{shorten(text)} is not an OID", 'write it in numbers, as "1.3.6.1.2.1.1.3.0" (snmptranslate -On NAME)'
    )
    return ()


def _enum(data: Any, place: Place) -> tuple[tuple[int, str], ...]:
    """Return the names of an enumeration's numbers."""
    if data is None:
        return ()
    pairs = []
    for number, word in place.table(data).items():
        if re.fullmatch(r"-?\d+", number) and isinstance(word, str):
            pairs.append((int(number), word))
        else:
            place.at(number).fault(f"{shorten(word)} for {number}", 'write numbers and their names, as { 1 = "up" }')
    return tuple(sorted(pairs))


def _over(base: TableSpec | None, spec: TableSpec) -> TableSpec:
    """Return a table with another's columns and settings over it."""
    if base is None:
        return spec
    columns = {column.name: column for column in (*base.columns, *spec.columns)}
    return TableSpec(spec.name, tuple(columns.values()), spec.key or base.key, spec.max_rows or base.max_rows)


def _settled(spec: TableSpec) -> TableSpec:
    """Return a table with the default row cap where no file sets one."""
    return spec if spec.max_rows else TableSpec(spec.name, spec.columns, spec.key)


def _check(plan: CollectPlan, place: Place) -> None:
    """Refuse a plan that collects nothing, has a table without columns or a key that is none, or asks twice."""
    if not plan.scalars and not plan.tables:
        place.fault("collects nothing", "name at least one scalar or table, or a profile to extend")
    for spec in plan.tables:
        here = place.at("tables", spec.name)
        if not spec.columns:
            here.fault("has no columns", f"name them in [tables.{spec.name}.columns]")
        elif spec.key and spec.key not in {column.name for column in spec.columns}:
            here.at("key").fault(f"'{spec.key}' is no column", nearest(spec.key, (each.name for each in spec.columns)))
        _check_twice(spec.columns, here.at("columns"))
    _check_twice(plan.scalars, place.at("scalars"))


def _check_twice(metrics: tuple[Metric, ...], place: Place) -> None:
    names: dict[Oid, str] = {}
    for metric in metrics:
        if metric.oid in names:
            place.at(metric.name).fault(f"has the OID of '{names[metric.oid]}'", "leave one of them out")
        names.setdefault(metric.oid, metric.name)
