"""Rows held column by column while they are made: indexes decoded, values derived and transformed, rows filtered.

One grid is one table of one poll; a poll's scalars are a grid of one row. What is asked of the device for it stands in
`join`; here is only what needs no waiting.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import compress

from streampoll.model import Rows, TableTime, Value
from streampoll.snmp.condition import Test, test_of
from streampoll.snmp.convert import NONEXISTENT
from streampoll.snmp.index import MISFIT, Split
from streampoll.snmp.plan import Kind, Metric, Oid
from streampoll.snmp.steps import Do, Step
from streampoll.snmp.transform import Transform, factors_of, multiplied, transform_of

Rows32 = AbstractSet[bytes] | None
"""Rows whose counter came as a Counter32, by index; None: all."""


@dataclass(slots=True)
class Grid:
    """A table being made; all lists are as long as `indexes`."""

    indexes: list[bytes]
    kinds: Mapping[str, Kind]
    times: list[TableTime] = field(default_factory=list)
    raw: dict[str, list[Value]] = field(default_factory=dict)  # as the device sent it
    made: dict[str, list[Value]] = field(default_factory=dict)  # as it will be stored
    arcs: dict[str, list[Oid | None]] = field(default_factory=dict)  # of the parts of the index, as they stand in it
    reasons: dict[str, str] = field(default_factory=dict)  # why values are missing; trouble before what is none
    counter32: dict[str, Rows32] = field(default_factory=dict)

    def put(self, name: str, values: list[Value], reason: str = "") -> None:
        """Set a metric's raw values; its transform, if it has one, comes later."""
        self.raw[name] = self.made[name] = values
        if reason:
            self.note(name, reason)

    def note(self, name: str, reason: str) -> None:
        """Note why values of a metric are missing."""
        if self.reasons.get(name, "null") in NONEXISTENT:
            self.reasons[name] = reason

    def keep(self, mask: Sequence[bool]) -> None:
        """Drop the rows whose place in the mask is False."""
        if all(mask):
            return
        self.times = _thinned(self.times, mask)
        self.indexes = list(compress(self.indexes, mask))
        self.raw = {name: list(compress(values, mask)) for name, values in self.raw.items()}
        self.made = {name: list(compress(values, mask)) for name, values in self.made.items()}
        self.arcs = {name: list(compress(values, mask)) for name, values in self.arcs.items()}

    def rows32(self) -> dict[str, Rows]:
        """Return which rows have each counter from a Counter32."""
        found: dict[str, Rows] = {}
        for name, rows in self.counter32.items():
            places = (place for place, index in enumerate(self.indexes) if rows is not None and index in rows)
            found[name] = range(len(self.indexes)) if rows is None else tuple(places)
        return {name: rows for name, rows in found.items() if rows}


Work = Callable[[Grid], None]
"""A step, ready to be done on a grid."""


def split_parts(grid: Grid, names: Sequence[str], split: Callable[[bytes], Split | None]) -> None:
    """Decode the rows' indexes into the named parts."""
    splits = [split(index) for index in grid.indexes]
    bad = None in splits
    for place, name in enumerate(names):
        grid.put(name, [None if each is None else each[place][0] for each in splits], MISFIT if bad else "")
        grid.arcs[name] = [None if each is None else each[place][1] for each in splits]


def work_of(step: Step, metrics: Mapping[str, Metric]) -> Work:
    """Compile a step that asks nothing of the device."""
    match step.do:
        case Do.DERIVE:
            return _derive(step.metrics[0])
        case Do.FINISH:
            return _finish(step.metrics[0])
        case Do.FILTER:
            return _filter([(each.name, test_of(each, metrics[each.name])) for each in step.conditions])
    raise ValueError(f"{step.do} asks the device")


def _derive(metric: Metric) -> Work:
    name, source = metric.name, metric.source

    def derive(grid: Grid) -> None:
        grid.put(name, grid.raw[source], grid.reasons.get(source, ""))
        if source in grid.counter32:
            grid.counter32[name] = grid.counter32[source]

    return derive


def _finish(metric: Metric) -> Work:
    """Return the transform of a metric, then its product with others."""
    transform, factors, name = transform_of(metric), factors_of(metric.change), metric.name

    def finish(grid: Grid) -> None:
        values: Iterable[Value] = grid.raw[name]
        if transform is not None:
            values = _transformed(grid, name, values, transform)
        if factors:
            values = _multiplied(grid, metric, values)
        grid.made[name] = list(values)

    return finish


def _transformed(grid: Grid, name: str, values: Iterable[Value], transform: Transform) -> list[Value]:
    made: list[Value] = []
    for value in values:
        if value is not None:
            value, reason = transform(value)
            if reason:
                grid.note(name, reason)
        made.append(value)
    return made


def _multiplied(grid: Grid, metric: Metric, values: Iterable[Value]) -> list[Value]:
    change = metric.change
    assert change is not None
    nothing: list[Value] = [None] * len(grid.indexes)
    factors = zip(*(grid.made.get(name, nothing) for name in factors_of(change)), strict=True)
    made: list[Value] = []
    for value, others in zip(values, factors, strict=True):
        product, reason = (None, "") if value is None else multiplied(change, value, others)
        if reason:
            grid.note(metric.name, reason)
        made.append(product)
    return made


def _filter(tests: Sequence[tuple[str, Test]]) -> Work:
    def keep(grid: Grid) -> None:
        mask = [True] * len(grid.indexes)
        for name, test in tests:
            values = grid.made.get(name) or [None] * len(mask)
            mask = [held and test(value) for held, value in zip(mask, values, strict=True)]
        grid.keep(mask)

    return keep


def _thinned(times: Sequence[TableTime], mask: Sequence[bool]) -> list[TableTime]:
    """Return when the rows that are left arrived."""
    left: list[TableTime] = []
    at = 0
    for run in times:
        rows = sum(mask[at : at + run.rows])
        at += run.rows
        if rows:
            left.append(TableTime(rows, run.at, run.uptime))
    return left
