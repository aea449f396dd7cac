"""What is wanted of stored rates and polls, picked out of each as it is read: what nobody asked for is never held.

A result of a large device takes a megabyte decoded, and a question may read thousands.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, chain, pairwise
from typing import TypeVar

from streampoll.model import ColumnRows, Outcome, Table, TableTime
from streampoll.results.rates_codec import StoredRates, TableColumns
from streampoll.results.reader import StoredPoll, StoredRow
from streampoll.results.series import UPTIME, row_names

T = TypeVar("T")

Wants = Callable[[str, str, str], bool]
"""Takes a profile ("" of stored rates, which don't say), a table ("": scalars) and a column; whether it is wanted."""


def everything(profile: str, table: str, column: str) -> bool:
    """Want every column."""
    return True


class Choice:
    """Some columns, of all rows, of one, or of those that come first: then about `most` series, the newest's rows."""

    def __init__(self, wants: Wants = everything, row: str = "", most: int | None = None) -> None:
        self._wants = wants
        self._row = row
        self._left = most
        self._taken: dict[tuple[str, str], set[str]] = {}  # rows, by job and table
        self._last: dict[tuple[str, str], Sequence[str]] = {}  # names of rows, by job and table

    def of_rates(self, stored: StoredRow) -> StoredRow:
        """Return the rates without what is not wanted; a result whose rates all go stays, as one without any."""
        rates = stored.rates
        tables = {name: self._columns(stored.job, name, table) for name, table in rates.tables.items()}
        scalars = self._named("", "", rates.scalars)
        kept = {name: table for name, table in tables.items() if table.per_s}
        return replace(stored, rates=StoredRates(rates.at, rates.span_s, scalars, kept))

    def of_poll(self, poll: StoredPoll) -> StoredPoll:
        """Return the poll without what is not wanted, besides what tells when, and how long the device was up."""
        old = poll.outcome
        tables = ((name, self._table(poll, name, table)) for name, table in old.tables.items())
        values = self._named(old.profile, "", old.values)
        if UPTIME in old.values:
            values[UPTIME] = old.values[UPTIME]
        kept = {name: table for name, table in tables if table is not None}
        return replace(poll, outcome=Outcome(old.status, values=values, tables=kept, at=old.at, profile=old.profile))

    def _named(self, profile: str, table: str, found: Mapping[str, T]) -> dict[str, T]:
        return {name: each for name, each in found.items() if self._wants(profile, table, name)}

    def _columns(self, job: str, name: str, table: TableColumns) -> TableColumns:
        per_s = self._named("", name, table.per_s)
        if not per_s:
            return TableColumns(())
        names = self._shared(job, name, table.rows)
        places = self._places(job, name, names, len(per_s))
        return TableColumns(
            _picked(names, places),
            {column: _picked(found, places) for column, found in per_s.items()},
            {column: _picked(found, places) for column, found in table.percent.items() if column in per_s},
            _picked(table.spans_s, places),
        )

    def _table(self, poll: StoredPoll, name: str, table: Table) -> Table | None:
        columns = [each for each in table.columns if self._wants(poll.outcome.profile, name, each)]
        if not columns:
            return None
        places = self._places(poll.job, name, row_names(table), len(columns))
        kept = [each for each in table.columns if each in columns or each == table.key]
        data = table.rows.data if isinstance(table.rows, ColumnRows) else list(zip(*table.rows, strict=True))
        wanted = [0, *(table.columns.index(each) + 1 for each in kept)] if data else []
        rows = ColumnRows([_picked(data[place], places) for place in wanted])
        return Table(tuple(kept), rows, tuple(_times(table.times, places)), table.complete, table.key)

    def _shared(self, job: str, table: str, names: Sequence[str]) -> Sequence[str]:
        """Return the names of the last result where they are the same, so that a thousand results hold them once."""
        last = self._last.get((job, table))
        if last == names:
            return last
        self._last[job, table] = names
        return names

    def _places(self, job: str, table: str, names: Sequence[str], columns: int) -> Sequence[int]:
        """Return the places of the rows that are wanted; new ones are, as long as there is room for their series."""
        if self._row:
            return [place for place, name in enumerate(names) if name == self._row]
        if self._left is None:
            return range(len(names))
        taken = self._taken.setdefault((job, table), set())
        if self._left > 0:
            new = [name for name in dict.fromkeys(names) if name not in taken][: -(-self._left // columns)]
            taken.update(new)
            self._left -= len(new) * columns
        return [place for place, name in enumerate(names) if name in taken]


def _picked(found: Sequence[T], places: Sequence[int]) -> Sequence[T]:
    return found if len(places) == len(found) else [found[place] for place in places]


def _times(times: Sequence[TableTime], places: Sequence[int]) -> Iterator[TableTime]:
    """Yield when those rows came: each time with as many of them as came with it."""
    ends = (bisect_left(places, end) for end in accumulate(time.rows for time in times))
    for time, (start, end) in zip(times, pairwise(chain([0], ends)), strict=True):
        yield TableTime(end - start, time.at, time.uptime)
