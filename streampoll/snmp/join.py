"""Columns of other tables, joined to the rows of this one: asked for by GET, each key once.

Asking for the keys that occur costs no more than they are, however long the other table; and nothing at all where that
column was walked in the same poll, or asked for by another table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from streampoll.model import Value
from streampoll.snmp.ber import MAX_ARC, decode_arcs, encode_arcs, encode_oid
from streampoll.snmp.compiled import Want
from streampoll.snmp.conversation import Conversation
from streampoll.snmp.convert import NO_KEY, NONEXISTENT
from streampoll.snmp.engine import Failure
from streampoll.snmp.grid import Grid
from streampoll.snmp.index import index_of
from streampoll.snmp.plan import Kind, Metric, Oid
from streampoll.snmp.scalars import Answers, get_wants
from streampoll.snmp.shape import Shape
from streampoll.snmp.steps import WHOLE_INDEX
from streampoll.snmp.walk import Walk

_NO_INSTANCE: Final = "noSuchInstance"
_MOST_ARCS: Final = 100  # a longer key makes an OID that no agent has


@dataclass(slots=True)
class Known:
    """What one poll knows of columns already."""

    walked: dict[tuple[Oid, Kind], Mapping[bytes, Value]] = field(default_factory=dict)  # whole columns, by index
    asked: dict[tuple[bytes, Kind], tuple[Value, str, bool]] = field(default_factory=dict)  # by OID

    def learn(self, walk: Walk, places: Sequence[int]) -> None:
        """Keep columns of a table that was walked to its end."""
        for place in places:
            metric = walk.lanes[place].column.metric
            self.walked[metric.oid, metric.kind] = dict(zip(*walk.column(place), strict=True))

    def find(self, metric: Metric, key: bytes) -> tuple[Value, str, bool] | None:
        """Return (value, reason, from a Counter32) of a column's cell; None if it must be asked for."""
        column = self.walked.get((metric.oid, metric.kind))
        if column is not None:
            value = column.get(key)
            return value, "" if value is not None else _NO_INSTANCE, False
        return self.asked.get((encode_oid(metric.oid) + key, metric.kind))


def walked_grid(walk: Walk, kinds: Mapping[str, Kind]) -> Grid:
    """Return the rows that were walked as a grid."""
    indexes, columns = walk.columns()
    grid = Grid(list(indexes), kinds, list(walk.times))
    for lane, values in zip(walk.lanes, columns, strict=True):
        name = lane.column.metric.name
        grid.put(name, list(values), (lane.reason or _NO_INSTANCE) if None in values else "")
        if lane.is32 or lane.rows32:
            grid.counter32[name] = None if lane.is32 else lane.rows32
    return grid


async def make(
    talk: Conversation, shape: Shape, grid: Grid, known: Known, failure: Failure | None = None
) -> Failure | None:
    """Do all steps of a shape; returns the failure that ended the talk, then or before (nothing is asked after one)."""
    shape.begin(grid)
    for step in shape.steps:
        if callable(step):
            step(grid)
        elif failure is None:
            failure = await look_up(talk, grid, step, known)
        else:
            for metric in step:
                grid.put(metric.name, [None] * len(grid.indexes), f"not asked after {failure.status.word}")
    return failure


def make_locally(shape: Shape, grid: Grid) -> None:
    """Do all steps of a shape that looks nothing up."""
    shape.begin(grid)
    for step in shape.steps:
        assert callable(step)
        step(grid)


async def look_up(talk: Conversation, grid: Grid, metrics: Sequence[Metric], known: Known) -> Failure | None:
    """Fill columns of other tables into the grid; returns what ended the talk early."""
    keys = {metric.name: _keys(grid, metric) for metric in metrics}
    failure = await _ask(talk, metrics, keys, known)
    for metric in metrics:
        values: list[Value] = []
        narrow: set[bytes] = set()
        reason = ""
        for index, key in zip(grid.indexes, keys[metric.name], strict=True):
            value, why, is32 = (None, NO_KEY, False) if key is None else known.find(metric, key) or _not_asked(failure)
            values.append(value)
            reason = why if why and (not reason or reason in NONEXISTENT) else reason
            if is32:
                narrow.add(index)
        grid.put(metric.name, values, reason)
        if narrow:
            grid.counter32[metric.name] = narrow
    return failure


def _not_asked(failure: Failure | None) -> tuple[Value, str, bool]:
    return None, f"not asked after {failure.status.word}" if failure else _NO_INSTANCE, False


def _keys(grid: Grid, metric: Metric) -> list[bytes | None]:
    """Return each row's index in the other table; None where a part of it is missing."""
    if metric.by == (WHOLE_INDEX,):
        return list(grid.indexes)
    columns = [_arcs(grid, each) for each in metric.by]
    return [_key(parts) for parts in zip(*columns, strict=True)]


def _arcs(grid: Grid, by: str | int) -> list[Oid | None]:
    """Return what a constant, a part of the index or a column contributes to each row's key."""
    if isinstance(by, int):
        return [(by,)] * len(grid.indexes)
    if by == WHOLE_INDEX:
        return [decode_arcs(index) for index in grid.indexes]
    if by in grid.arcs:
        return grid.arcs[by]
    kind = grid.kinds.get(by, Kind.AUTO)
    return [index_of(kind, value) or None for value in grid.made.get(by, [None] * len(grid.indexes))]


def _key(parts: Sequence[Oid | None]) -> bytes | None:
    arcs: list[int] = []
    for part in parts:
        if part is None:
            return None
        arcs.extend(part)
    usable = 0 < len(arcs) <= _MOST_ARCS and min(arcs) >= 0 and max(arcs) <= MAX_ARC
    return encode_arcs(tuple(arcs)) if usable else None


async def _ask(
    talk: Conversation, metrics: Sequence[Metric], keys: Mapping[str, Sequence[bytes | None]], known: Known
) -> Failure | None:
    """Ask for all cells that are not known, then for the fallbacks of those that don't exist."""
    wanted = {
        (encode_oid(metric.oid) + key, metric.kind): (metric, key)
        for metric in metrics
        for key in keys[metric.name]
        if key is not None and known.find(metric, key) is None
    }
    if not wanted:
        return None
    answers = await get_wants(talk, [Want.of(oid, metric, oid) for (oid, _), (metric, _) in wanted.items()])
    instead: dict[bytes, bytes] = {}
    wants = []
    for (oid, _), (metric, key) in wanted.items():
        if metric.fallback is not None and answers.reasons.get(oid) in NONEXISTENT:
            instead[oid] = encode_oid(metric.fallback) + key
            wants.append(Want.of(instead[oid], metric, instead[oid]))
    others: Answers[bytes] = Answers()
    if wants and answers.failure is None:
        others = await get_wants(talk, wants)
    for oid, kind in wanted:
        known.asked[oid, kind] = _answer(answers, oid, others, instead.get(oid, b""))
    return answers.failure or others.failure


def _answer(answers: Answers[bytes], oid: bytes, others: Answers[bytes], other: bytes) -> tuple[Value, str, bool]:
    """Return an OID's value, or that of its fallback, or the reason for there being none."""
    if oid in answers.values:
        return answers.values[oid], "", oid in answers.counter32
    if other in others.values:
        return others.values[other], "", other in others.counter32
    return None, answers.reasons.get(oid, _NO_INSTANCE), False
