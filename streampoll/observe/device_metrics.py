"""A stored poll as Prometheus would have got it from snmp_exporter: the same names, types and labels. Pure.

Numbers are metrics; a table's index, its key and its names, descriptions and aliases are labels of each; any other text
is a metric of value 1 with itself as a label, as snmp_exporter has it. Written here and not by prometheus_client, which
puts `_total` behind a counter's name, and IF-MIB has none.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from streampoll.config.profile_port import PollPlan
from streampoll.model import Table, Value
from streampoll.results.reader import StoredPoll
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
class _Family:
    """One metric."""

    type: str  # counter or gauge
    help: str
    samples: dict[Labels, int | float] = field(default_factory=dict)


class DevicePage:
    """A page for one device, put together from its newest poll of each job."""

    def __init__(self, plans: Mapping[str, PollPlan]) -> None:
        self._plans = plans
        self._families: dict[str, _Family] = {}

    def add(self, poll: StoredPoll, now: float) -> None:
        """Add a poll: how it ended and how old it is; and its values, if the device answered."""
        outcome = poll.outcome
        own = (("job", poll.job), ("profile", outcome.profile))
        up, done = int(poll.status.answered), poll.trace.done or float(poll.slot)
        self._put("streampoll_device_up", "gauge", "1 if the device answered its last poll.", own, up)
        self._put("streampoll_device_result_age_seconds", "gauge", "Age of what follows.", own, max(0.0, now - done))
        self._put("streampoll_device_poll_duration_seconds", "gauge", "Time of the last poll.", own,
                  poll.duration_ms / 1000)  # fmt: skip
        self._put("streampoll_device_poll_status", "gauge", "1, with how the last poll ended.",
                  (*own, ("status", poll.status.word)), 1)  # fmt: skip
        if not up:
            return
        plan = self._plans.get(outcome.profile)
        scalars, tables = _described(plan) if isinstance(plan, CollectPlan) else ({}, {})
        for name, value in outcome.values.items():
            self._value(name, scalars.get(name), (), value)
        for name, table in outcome.tables.items():
            self._table(name, table, tables.get(name))

    def text(self) -> bytes:
        """Return the page."""
        return "".join(_lines(self._families)).encode()

    def _table(self, name: str, table: Table, spec: TableSpec | None) -> None:
        described = {each.name: each for each in spec.columns} if spec else {}
        parts = {part.metric.name: part.metric for part in spec.index} if spec else {}
        described |= parts
        names = [(place, column) for place, column in enumerate(table.columns, 1)
                 if column in parts or column == table.key or column.endswith(_NAMING)]  # fmt: skip
        index = "" if parts else _index_name(spec) or f"{name}_index"
        taken = {place for place, _ in names}
        for row in table.rows:
            labels = [(column, _shown(row[place], described.get(column))) for place, column in names]
            labels = [(index, _shown(row[0])), *labels] if index else labels
            for place, column in enumerate(table.columns, 1):
                if place not in taken:
                    self._value(column, described.get(column), tuple(labels), row[place])

    def _value(self, name: str, metric: Metric | None, labels: Labels, value: Value) -> None:
        counts = metric is not None and metric.kind is Kind.COUNTER
        text = f"{name} - {'.'.join(map(str, metric.oid))}" if metric and metric.oid else name
        if isinstance(value, str | bytes):
            self._put(name, "gauge", f"(as a label) {text}", (*labels, (name, _shown(value, metric))), 1)
        elif value is not None:
            self._put(name, "counter" if counts else "gauge", text, labels, value)

    def _put(self, name: str, kind: str, text: str, labels: Labels, value: int | float) -> None:
        """Note a sample; of two polls that have it, the newer was first."""
        family = self._families.setdefault(_name(name), _Family(kind, text))
        family.samples.setdefault(tuple((_name(label), said) for label, said in labels), value)


def _described(plan: CollectPlan) -> tuple[Mapping[str, Metric], Mapping[str, TableSpec]]:
    return {each.name: each for each in plan.scalars}, {each.name: each for each in plan.tables}


def _index_name(spec: TableSpec | None) -> str:
    """Return what a table's index is called in its MIB, where that is known."""
    entries = (column.oid[:-1] for column in spec.columns) if spec else ()
    return next((_INDEXES[entry] for entry in entries if entry in _INDEXES), "")


def _shown(value: Value, metric: Metric | None = None) -> str:
    """Return what a label says: octets as the profile shows them (a MAC address), numbers as they are."""
    text = shown_as(metric)(value) if metric and isinstance(value, bytes) else None
    return plain_text(value) if text is None else text


def _name(text: str) -> str:
    name = _WRONG.sub("_", text)
    return f"_{name}" if name[:1].isdigit() else name


def _lines(families: Mapping[str, _Family]) -> Iterator[str]:
    for name, family in families.items():
        yield f"# HELP {name} {_escaped(family.help)}\n# TYPE {name} {family.type}\n"
        for labels, value in family.samples.items():
            yield f"{name}{_braced(labels)} {_number(value)}\n"


def _braced(labels: Iterable[tuple[str, str]]) -> str:
    inside = ",".join(f'{name}="{_quoted(text)}"' for name, text in labels)
    return f"{{{inside}}}" if inside else ""


def _number(value: int | float) -> str:
    """Write a number; an integer exactly, though Prometheus will read it as a double."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(value + 0)  # a bool is a number too


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
