"""A poll's values as rows of named cells with labels: what monitoring systems know numbers by. Pure.

As snmp_exporter has it: a table's index, its key and its names, descriptions and aliases are labels of a row; the other
columns are its cells. Scalars are a row without labels.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from streampoll.config.profile_port import PollPlan
from streampoll.model import Outcome, Table, Value
from streampoll.snmp.display import plain_text, shown_as
from streampoll.snmp.plan import CollectPlan, Kind, Metric, Oid, TableSpec

_INDEXES: Final[Mapping[Oid, str]] = {  # entries whose one INDEX object has a name that people know
    (1, 3, 6, 1, 2, 1, 2, 2, 1): "ifIndex",
    (1, 3, 6, 1, 2, 1, 31, 1, 1, 1): "ifIndex",
    (1, 3, 6, 1, 2, 1, 25, 2, 3, 1): "hrStorageIndex",
    (1, 3, 6, 1, 2, 1, 25, 3, 2, 1): "hrDeviceIndex",
    (1, 3, 6, 1, 2, 1, 25, 3, 3, 1): "hrDeviceIndex",
    (1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1): "entPhysicalIndex",
    (1, 3, 6, 1, 2, 1, 99, 1, 1, 1): "entPhysicalIndex",
}
_NAMING: Final = ("Name", "Descr", "Alias", "Label")

_WRONG: Final = re.compile(r"[^a-zA-Z0-9_]")

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Cell:
    """One value that is there: a number, or text."""

    name: str
    value: int | float | str
    counter: bool = False
    oid: Oid = ()


@dataclass(slots=True)
class Reading:
    """A row of a table, or all scalars (table "")."""

    table: str
    labels: Labels
    cells: list[Cell]


def readings(outcome: Outcome, plan: PollPlan | None) -> Iterator[Reading]:
    """Yield what a poll brought; `plan` says which values are counters, and how octets are shown."""
    known = plan if isinstance(plan, CollectPlan) else None
    metrics = {each.name: each for each in known.scalars} if known else {}
    if scalars := _cells(outcome.values.items(), metrics):
        yield Reading("", (), scalars)
    specs = {each.name: each for each in known.tables} if known else {}
    for name, table in outcome.tables.items():
        yield from _rows(name, table, specs.get(name))


def exposed_name(text: str) -> str:
    """Return a name as Prometheus allows it for metrics and labels."""
    name = _WRONG.sub("_", text)
    return f"_{name}" if name[:1].isdigit() else name


def _rows(name: str, table: Table, spec: TableSpec | None) -> Iterator[Reading]:
    parts = {part.metric.name: part.metric for part in spec.index} if spec else {}
    metrics = {**{each.name: each for each in spec.columns}, **parts} if spec else {}
    naming = {column for column in table.columns if column in parts or column == table.key or column.endswith(_NAMING)}
    index = () if parts else (_index_name(spec) or f"{name}_index",)
    for row in table.rows:
        cells = list(zip(table.columns, row[1:], strict=True))
        labels = [(label, _text(row[0])) for label in index]
        labels += [(column, _text(value, metrics.get(column))) for column, value in cells if column in naming]
        yield Reading(name, tuple(labels), _cells([cell for cell in cells if cell[0] not in naming], metrics))


def _cells(pairs: Iterable[tuple[str, Value]], metrics: Mapping[str, Metric]) -> list[Cell]:
    """Return the values that are there."""
    return [_cell(name, value, metrics.get(name)) for name, value in pairs if value is not None]


def _cell(name: str, value: Value, metric: Metric | None) -> Cell:
    said = _text(value, metric) if isinstance(value, str | bytes) else (value or 0) + 0  # a bool is a number too
    return Cell(name, said, metric is not None and metric.kind is Kind.COUNTER, metric.oid if metric else ())


def _index_name(spec: TableSpec | None) -> str:
    """Return what a table's index is called in its MIB, where that is known."""
    entries = (column.oid[:-1] for column in spec.columns) if spec else ()
    return next((_INDEXES[entry] for entry in entries if entry in _INDEXES), "")


def _text(value: Value, metric: Metric | None = None) -> str:
    """Return what a label says: octets as the profile shows them (a MAC address), numbers as they are."""
    text = shown_as(metric)(value) if metric and isinstance(value, bytes) else None
    return plain_text(value) if text is None else text
