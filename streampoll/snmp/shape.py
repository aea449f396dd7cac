"""What is made of the values that a device sent, compiled once: a table's, or those of the scalars.

Plans that only collect have no shape, and pay nothing for those that have.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from streampoll.model import Value
from streampoll.snmp.ber import decode_arcs
from streampoll.snmp.grid import Grid, Work, split_parts, work_of
from streampoll.snmp.index import Split, split_index
from streampoll.snmp.plan import IndexPart, Metric, TableSpec
from streampoll.snmp.steps import Do, needs_steps, steps_of

_SPLITS: Final = 8192  # indexes remembered a table; the same ones come back each poll


class Shape:
    """The steps from what was walked, or got, to what is stored."""

    def __init__(self, metrics: Sequence[Metric], spec: TableSpec | None = None) -> None:
        parts = spec.index if spec else ()
        everything = (*(part.metric for part in parts), *metrics)
        by_name = {metric.name: metric for metric in everything}
        given = {part.metric.name for part in parts} | {metric.name for metric in metrics if is_asked(metric)}
        where = tuple(each for each in spec.where if each.name in by_name) if spec else ()
        self.kinds = {name: metric.kind for name, metric in by_name.items()}
        self.names = tuple(metric.name for metric in everything if metric.keep)
        self.steps: tuple[Work | tuple[Metric, ...], ...] = tuple(
            step.metrics if step.do is Do.FETCH else work_of(step, by_name)
            for step in steps_of(everything, given, where)
        )
        self._parts = tuple(part.metric.name for part in parts)
        self._split = _splitter(parts)

    def begin(self, grid: Grid) -> None:
        """Decode the indexes, where the profile says what they are made of."""
        if self._parts:
            split_parts(grid, self._parts, self._split)

    def rows(self, grid: Grid, indexes: Sequence[Value]) -> list[tuple[Value, ...]]:
        """Return the rows to store, each with its index first."""
        nothing: list[Value] = [None] * len(indexes)
        return list(zip(indexes, *(grid.made.get(name, nothing) for name in self.names), strict=True))

    def holes(self, grid: Grid) -> Mapping[str, int]:
        """Return how many rows lack each metric that is stored, where some do."""
        counts = {name: grid.made.get(name, []).count(None) for name in self.names}
        return {name: count for name, count in counts.items() if count}


def is_asked(metric: Metric) -> bool:
    """Tell whether a column is walked (a scalar got): neither made from another nor looked up by rows."""
    return not metric.source and not metric.by


def shape_of_table(spec: TableSpec) -> Shape | None:
    """Compile a table's shape; None if it only collects."""
    plain = not spec.index and not spec.where and not any(map(needs_steps, spec.columns))
    return None if plain else Shape(spec.columns, spec)


def shape_of_scalars(metrics: Sequence[Metric]) -> Shape | None:
    """Compile the scalars' shape; None if they are only collected."""
    return Shape(metrics) if any(map(needs_steps, metrics)) else None


def _splitter(parts: Sequence[IndexPart]) -> Callable[[bytes], Split | None]:
    return lru_cache(_SPLITS)(lambda index: split_index(parts, decode_arcs(index)))
