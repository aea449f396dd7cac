"""A poll's values against net-snmp's, cell by cell: what a plan should bring, worked out a second time.

What is compared is what the device said: transforms are taken out of the plan first (`plain`), look-ups, fallbacks and
conditions stay. Of an index only the whole is compared; parts of other types than numbers are not used as keys here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from streampoll.model import Outcome, Table, Value
from streampoll.snmp.plan import CollectPlan, Metric, Oid, PartKind, TableSpec
from streampoll.snmp.steps import WHOLE_INDEX
from tests.recordings.reference import Reference, as_kind, dotted


def plain(plan: CollectPlan) -> CollectPlan:
    """Return a plan that keeps every value as the device sends it, and what it uses without storing it."""
    tables = tuple(
        replace(
            spec,
            key="",
            columns=tuple(map(_plain, spec.columns)),
            index=tuple(replace(part, metric=_plain(part.metric)) for part in spec.index),
        )
        for spec in plan.tables
    )
    return replace(plan, scalars=tuple(map(_plain, plan.scalars)), tables=tables)


def _plain(metric: Metric) -> Metric:
    return replace(metric, change=None, keep=True)


def differences(plan: CollectPlan, outcome: Outcome, reference: Reference, moving: frozenset[str]) -> Iterator[str]:
    """Yield what a poll of a plain plan has otherwise than net-snmp."""
    asked = [metric for metric in plan.scalars if metric.name in outcome.values]
    reference.read(metric.oid for metric in asked)
    for metric in asked:
        if dotted(metric.oid) not in moving:
            theirs = _scalar(metric, reference)
            yield from _difference(metric.name, outcome.values[metric.name], theirs)
    for spec in plan.tables:
        if spec.name in outcome.tables:
            yield from _rows(spec, outcome.tables[spec.name], reference, moving)


def _scalar(metric: Metric, reference: Reference) -> Value:
    found = reference.scalar(metric.oid)
    if found is None and metric.fallback:
        found = reference.scalar(metric.fallback)
    return as_kind(found, metric.kind)


def _rows(spec: TableSpec, table: Table, reference: Reference, moving: frozenset[str]) -> Iterator[str]:
    theirs = _their_rows(spec, reference)
    ours = {str(row[0]): dict(zip(table.columns, row[1:], strict=True)) for row in table.rows}
    if ours.keys() != theirs.keys():
        yield f"{spec.name}: rows {sorted(ours.keys() ^ theirs.keys())[:5]} are there for one of us"
    columns = {metric.name: metric for metric in spec.columns}
    for index in ours.keys() & theirs.keys():
        for name, value in theirs[index].items():
            if f"{dotted(columns[name].oid)}.{index}" not in moving:
                yield from _difference(f"{spec.name}.{name}.{index}", ours[index][name], value)


def _their_rows(spec: TableSpec, reference: Reference) -> Mapping[str, dict[str, Value]]:
    """Return the rows that a table has by what net-snmp walked, up to its row cap."""
    walked = [metric for metric in spec.columns if not metric.by]
    cells = {metric.name: _cells(metric, reference) for metric in walked}
    indexes = sorted({index for column in cells.values() for index in column})[: spec.max_rows]
    others = [(metric, _cells(metric, reference)) for metric in spec.columns if metric.by]
    rows = {}
    for index in indexes:
        row = {metric.name: cells[metric.name].get(index) for metric in walked}
        keys = row | _numbers(spec, index)
        rows[dotted(index)] = row | {metric.name: column.get(_key(metric, index, keys)) for metric, column in others}
    return rows


def _cells(metric: Metric, reference: Reference) -> dict[Oid, Value]:
    """Return a column: its own cells, and those of its fallback where it has none."""
    own = reference.column(metric.oid)
    other = reference.column(metric.fallback) if metric.fallback else {}
    return {index: as_kind(own.get(index, other.get(index)), metric.kind) for index in {**other, **own}}


def _numbers(spec: TableSpec, index: Oid) -> dict[str, Value]:
    """Return the leading parts of an index that are numbers."""
    found: dict[str, Value] = {}
    for part, arc in zip(spec.index, index, strict=False):
        if part.kind is not PartKind.INTEGER:
            break
        found[part.metric.name] = arc
    return found


def _key(metric: Metric, index: Oid, row: Mapping[str, Value]) -> Oid:
    """Return the index of a row in another table: keys are numbers or the whole index; () if one is missing."""
    key: list[int] = []
    for part in metric.by:
        value = part if isinstance(part, int) else row.get(part)
        if part == WHOLE_INDEX:
            key += index
        elif isinstance(value, int):
            key.append(value)
        else:
            return ()
    return tuple(key)


def _difference(name: str, ours: Value, theirs: Value) -> Iterator[str]:
    if type(ours) is not type(theirs) or ours != theirs:
        yield f"{name}: {ours!r} here, {theirs!r} by net-snmp"
