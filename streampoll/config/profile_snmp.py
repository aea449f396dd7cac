"""A profile of protocol "snmp": scalars and tables, compiled to a `CollectPlan`. docs/profiles.md has all of its words.

[scalars]
ifNumber = { oid = "1.3.6.1.2.1.2.1.0", type = "integer" }

[tables.interfaces]
key = "ifName"                            # the column that names a row to people
[tables.interfaces.columns]
ifName       = { oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text" }
ifHCInOctets = { oid = "1.3.6.1.2.1.31.1.1.1.6", type = "counter", fallback = "1.3.6.1.2.1.2.2.1.10" }
ifOperStatus = { oid = "1.3.6.1.2.1.2.2.1.8", type = "integer", enum = { 1 = "up", 2 = "down" } }
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.report import nearest
from streampoll.config.snmp_check import check_plan
from streampoll.config.snmp_condition import read_conditions, read_oid
from streampoll.config.snmp_metric import read_index, read_metrics
from streampoll.snmp.plan import MAX_ROWS, CollectPlan, Condition, Kind, Metric, Oid, TableSpec


@dataclass(frozen=True, slots=True)
class _TableTable:
    columns: Any = field(default_factory=dict)  # absent where a profile only changes `key` of one that it extends
    key: str = ""
    max_rows: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    index: Any = field(default_factory=list)
    where: Any = None
    when: Any = None


@dataclass(frozen=True, slots=True)
class _SnmpTable:
    scalars: Any = field(default_factory=dict)
    tables: Any = field(default_factory=dict)
    without: tuple[str, ...] = ()
    suits: tuple[str, ...] = ()
    when: Any = None


@dataclass(frozen=True, slots=True)
class SnmpDraft:
    """The SNMP part of one file, before `extends` is followed."""

    place: Place
    scalars: Mapping[str, Metric]
    tables: Mapping[str, TableSpec]
    without: tuple[str, ...]  # names of what is not taken over
    suits: tuple[Oid, ...]


class SnmpProfiles:
    """Reads and compiles profiles of protocol "snmp"."""

    def read(self, data: Mapping[str, Any], place: Place) -> SnmpDraft | None:
        """Return one file's draft, or None with faults."""
        before = len(place.report.faults)
        table = read_table(_SnmpTable, data, place)
        if table is None:
            return None
        when = read_conditions(table.when, place.at("when"))
        scalars = read_metrics(table.scalars, place.at("scalars"))
        tables = place.at("tables").table(table.tables)
        specs = {name: _table(name, each, place.at("tables", name)) for name, each in tables.items()}
        suits = tuple(read_oid(each, place.at("suits")) for each in table.suits)
        if len(place.report.faults) > before:
            return None
        return SnmpDraft(
            place,
            {name: _under(when, metric) for name, metric in scalars.items()},
            {name: _all_under(when, spec) for name, spec in specs.items() if spec is not None},
            table.without,
            suits,
        )

    def compile(self, name: str, drafts: Sequence[SnmpDraft], place: Place) -> CollectPlan | None:
        """Return the plan of drafts, each over those before it, or None with faults."""
        before = len(place.report.faults)
        whole = _Whole()
        for draft in drafts:
            strange = whole.take(draft)
            if draft.place is place:  # in what it extends it was said already
                for each in strange:
                    place.at("without").fault(f"nothing that is extended has '{each}'", nearest(each, whole.names()))
        plan = whole.plan(name, drafts[-1].suits)
        check_plan(plan, place)
        return plan if len(place.report.faults) == before else None


@dataclass(slots=True)
class _Whole:
    """What files make together, each over those before it."""

    scalars: dict[str, Metric] = field(default_factory=dict)
    tables: dict[str, TableSpec] = field(default_factory=dict)

    def take(self, draft: SnmpDraft) -> list[str]:
        """Take one more file over the others; returns what it would leave out and what is not there."""
        strange = [each for each in draft.without if not self._leave_out(each)]
        self.scalars.update(draft.scalars)
        for spec in draft.tables.values():
            self.tables[spec.name] = _over(self.tables.get(spec.name), spec)
        return strange

    def names(self) -> list[str]:
        """Return everything that can be left out."""
        columns = (f"{spec.name}.{metric.name}" for spec in self.tables.values() for metric in spec.columns)
        return [*self.scalars, *self.tables, *columns]

    def plan(self, name: str, suits: tuple[Oid, ...]) -> CollectPlan:
        """Return it as a plan, not checked yet."""
        scalars = _inherited(tuple(self.scalars.values()))
        return CollectPlan(name, scalars, tuple(map(_settled, self.tables.values())), suits)

    def _leave_out(self, name: str) -> bool:
        """Drop a scalar, a table or "table.column"; False if there is none of that name."""
        if self.scalars.pop(name, None) or self.tables.pop(name, None):
            return True
        table, _, column = name.partition(".")
        spec = self.tables.get(table)
        if spec is None or column not in {metric.name for metric in spec.columns}:
            return False
        left = tuple(metric for metric in spec.columns if metric.name != column)
        self.tables[table] = replace(spec, columns=left, key="" if spec.key == column else spec.key)
        return True


def _table(name: str, data: Any, place: Place) -> TableSpec | None:
    table = read_table(_TableTable, data, place)
    if table is None:
        return None
    return TableSpec(
        name,
        tuple(read_metrics(table.columns, place.at("columns")).values()),
        table.key,
        table.max_rows,
        read_index(table.index, place.at("index")),
        read_conditions(table.where, place.at("where")),
        read_conditions(table.when, place.at("when")),
    )


def _under(when: tuple[Condition, ...], metric: Metric) -> Metric:
    """Return a metric with the file's condition before its own."""
    return replace(metric, when=(*when, *metric.when)) if when else metric


def _all_under(when: tuple[Condition, ...], spec: TableSpec) -> TableSpec:
    """Return a table whose columns have the file's condition: the table may be there for others too."""
    return replace(spec, columns=tuple(_under(when, metric) for metric in spec.columns))


def _over(base: TableSpec | None, spec: TableSpec) -> TableSpec:
    """Return a table with another's columns and settings over it."""
    if base is None:
        return spec
    columns = {column.name: column for column in (*base.columns, *spec.columns)}
    return TableSpec(
        spec.name,
        tuple(columns.values()),
        spec.key or base.key,
        spec.max_rows or base.max_rows,
        spec.index or base.index,
        spec.where or base.where,
        spec.when or base.when,
    )


def _settled(spec: TableSpec) -> TableSpec:
    """Return a table with the default row cap where no file sets one, and with what `from` takes over."""
    spec = replace(spec, columns=_inherited(spec.columns))
    return spec if spec.max_rows else replace(spec, max_rows=MAX_ROWS)


def _inherited(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """Return metrics, those made from others with the type, names and format of what they are made from."""
    sources = {metric.name: metric for metric in metrics}
    return tuple(_like(sources.get(metric.source), metric) for metric in metrics)


def _like(source: Metric | None, metric: Metric) -> Metric:
    if source is None:
        return metric
    kind = source.kind if metric.kind is Kind.AUTO else metric.kind
    return replace(metric, kind=kind, enum=metric.enum or source.enum, display=metric.display or source.display)
