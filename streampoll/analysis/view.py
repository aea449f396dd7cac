"""What expressions look up of one sample: values, rates, changes, what is usual; each column made once a poll."""

from collections.abc import Mapping, Sequence
from typing import Any

from streampoll.analysis.expression import Cell, Column
from streampoll.analysis.port import Sample, TableRates
from streampoll.analysis.rows import column_of, row_keys
from streampoll.analysis.season import HOUR_S, deviation, learn, pack, unpack
from streampoll.model import Table

Past = dict[str, Any]
"""What is kept of a device for this: `changed` -> name -> row -> value; `usual` -> name -> row -> [hour, season]."""

_NO_RATES = TableRates(())


class View:
    """One table of one sample (or its scalars, as a single row), with the device's past."""

    def __init__(self, sample: Sample, table: str, given: Mapping[str, Cell], past: Past) -> None:
        self._sample = sample
        self._given = given  # what every row has: state, status, …
        self._past = past
        self._table: Table | None = sample.outcome.tables.get(table) if table else None
        self._name = table
        self._rates = sample.tables.get(table, _NO_RATES)
        self._columns: dict[tuple[str, str], Column] = {}
        self.rows = self._keys()

    def fetch(self, function: str, name: str) -> Column:
        """Return what an expression looks up, a value a row."""
        column = self._columns.get((function, name))
        if column is None:
            column = self._columns[function, name] = _MAKE[function](self, name)
        return column

    def _keys(self) -> Sequence[str]:
        """Return the stable keys of the rows; a key that stands twice is told apart by the row's index."""
        if self._table is None:
            return ("",)
        if len(self._rates.rows) == len(self._table.rows):
            return self._rates.rows
        return row_keys(self._table)

    def values(self, name: str) -> Column:
        """Return a column, or what is the same in all rows."""
        if self._table is not None and name in self._table.columns:
            return column_of(self._table, name)
        found = self._given[name] if name in self._given else self._sample.outcome.values.get(name)
        return [found] * len(self.rows)

    def _rate(self, name: str) -> Column:
        if self._table is None or name not in self._rates.per_s:
            return [self._sample.rates.get(name)] * len(self.rows) if self._table is None else [None] * len(self.rows)
        return self._rates.per_s[name]

    def _percent(self, name: str) -> Column:
        return self._rates.percent.get(name) or [None] * len(self.rows)

    def _missing(self, name: str) -> Column:
        return [value is None for value in self.values(name)]

    def _changed(self, name: str) -> Column:
        """Compare with what was there last; a value that is missing is not a change, nor is the first one."""
        last = self._past.setdefault("changed", {}).setdefault(f"{self._name}.{name}", {})
        found: list[Cell] = []
        for row, value in zip(self.rows, self.values(name), strict=True):
            if value is None:
                found.append(None)
                continue
            found.append(row in last and last[row] != value)
            last[row] = value
        return found

    def _deviation(self, name: str) -> Column:
        """Say how far from usual a rate, or a value that is no counter, is; and take it in."""
        rates = self._rate(name)
        column = rates if any(rate is not None for rate in rates) else self.values(name)
        kept = self._past.setdefault("usual", {}).setdefault(f"{self._name}.{name}", {})
        return [self._off(kept, row, value) for row, value in zip(self.rows, column, strict=True)]

    def _off(self, kept: dict[str, Any], row: str, value: Cell) -> Cell:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        at = self._sample.slot
        hour, packed = kept.get(row, (0, b""))
        hours = unpack(packed)
        off = deviation(hours, at, value)
        learn(hours, at, value, week_passed=int(at // HOUR_S) != hour)
        kept[row] = [int(at // HOUR_S), pack(hours)]
        return off


_MAKE = {
    "": View.values,
    "rate": View._rate,
    "percent": View._percent,
    "missing": View._missing,
    "changed": View._changed,
    "deviation": View._deviation,
}
