"""Rates of the counters of one result, against the baseline that the last one left. Pure; rules 13-18 of polling.

    how long was it, by row (span.py) -> which rows go on (key, index, discontinuity) -> differences (columns.py)

There is a rate only where nothing says that the counter began anew in between: not after a reboot (sysUpTime that fell
without a wrap, snmpEngineBoots that changed), not where the row's discontinuity time or index is another. What gets no
rate is a baseline at once. A result without values leaves the baseline, so the next rate is over the true time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import sub
from typing import Any, Final

from streampoll.analysis.baseline import Baseline, TableBase
from streampoll.analysis.columns import Rate, narrow, narrow_rate, percent, wide
from streampoll.analysis.counters import ProfileCounters, TableCounters, of_table
from streampoll.analysis.rows import columns_of, row_keys
from streampoll.analysis.span import REBOOTED, span_of, tolerance_s
from streampoll.model import Outcome, Table

UPTIME: Final = "sysUpTime"
BOOTS: Final = "snmpEngineBoots"
MOST_CELLS: Final = 50_000  # of one table: a larger one has no rates, for its baseline would not fit in a record
_OCTETS: Final = "Octets"
_LEAST_FRAME_BITS: Final = 672.0  # on the wire: no interface counts more packets, errors or discards than that


@dataclass(slots=True)
class TableResult:
    """The rates of one table, column by column."""

    rows: list[str]
    per_s: dict[str, list[Rate]] = field(default_factory=dict)
    percent: dict[str, list[Rate]] = field(default_factory=dict)
    spans_s: list[Rate] = field(default_factory=list)


@dataclass(slots=True)
class Found:
    """What a result's counters did, and the baseline that it leaves."""

    base: Baseline
    scalars: dict[str, Rate] = field(default_factory=dict)
    span_s: float = 0.0
    tables: dict[str, TableResult] = field(default_factory=dict)
    rebooted: bool = False

    @property
    def any(self) -> bool:
        """True if there is any rate."""
        return bool(self.scalars) or any(table.per_s for table in self.tables.values())


def rates_of(slot: int, outcome: Outcome, counters: ProfileCounters, base: Baseline) -> Found:
    """Compare a result with the baseline; it must be of a later slot."""
    uptime, boots = _integer(outcome.values.get(UPTIME)), _integer(outcome.values.get(BOOTS))
    span = span_of(outcome.at - base.at, base.uptime, uptime) if outcome.at and base.at else None
    rebooted = span == REBOOTED or (None not in (boots, base.boots) and boots != base.boots)
    new = Baseline(slot, base.at, base.uptime, base.boots, base.scalars, base.narrow, dict(base.tables))
    found = Found(new, rebooted=rebooted)
    if outcome.at:
        found.span_s = span if span is not None and span > 0 and not rebooted else 0.0
        new.at, new.uptime, new.boots = outcome.at, uptime, base.boots if boots is None else boots
        _scalars(outcome, counters, base, found)
    for name, table in outcome.tables.items():
        _table(name, table, of_table(counters, name), found)
    return found


def _scalars(outcome: Outcome, counters: ProfileCounters, base: Baseline, found: Found) -> None:
    """Make the rates of scalars; no speed bounds one, so one of 32 bits that fell has none."""
    names = counters.scalars.union(outcome.counter32)
    new = {name: value for name in names if (value := _integer(outcome.values.get(name))) is not None}
    short = set(outcome.counter32)
    if found.span_s:
        per_s = 1.0 / found.span_s
        same = [name for name in new if name in base.scalars and (name in short) == (name in base.narrow)]
        long = [name for name in same if name not in short]
        made = dict(zip(long, wide([new[name] for name in long], [base.scalars[name] for name in long],
                                   [per_s] * len(long)), strict=True))  # fmt: skip
        made |= {name: narrow_rate(new[name], base.scalars[name], per_s, None) for name in same if name in short}
        found.scalars = {name: rate for name, rate in made.items() if rate is not None}
    found.base.scalars, found.base.narrow = new, sorted(short & new.keys())


def _table(name: str, table: Table, counters: TableCounters, found: Found) -> None:
    """Make the rates of a table, and its baseline."""
    names = [each for each in table.columns if each in counters.names or each in table.counter32]
    rows = row_keys(table)
    if not names or not rows or len(rows) * len(names) > MOST_CELLS:
        return
    at, uptime = _times(table)
    data = columns_of(table)
    places = {each: place + 1 for place, each in enumerate(table.columns)}
    jumped = list(data[places[counters.jumped]]) if counters.jumped in places else []
    new = TableBase(
        rows, list(data[0]), at, uptime, {each: list(data[places[each]]) for each in names},
        {each: list(which) for each, which in table.counter32.items() if each in places}, jumped,
    )  # fmt: skip
    before = found.base.tables.get(name)
    if before is not None and not found.rebooted:
        speeds = _speeds(counters, data, places, len(rows))
        result = _compare(new, _aligned(before, new), speeds, found)
        if result.per_s:
            found.tables[name] = result
    found.base.tables[name] = new if table.complete or before is None else _merged(new, before)


def _compare(new: TableBase, before: TableBase, speeds: list[Rate], found: Found) -> TableResult:
    """Make rates of a table and the last one, row by row the same."""
    spans = _spans(new, before, found)
    if before.index != new.index or before.jumped != new.jumped:
        spans = _broken(spans, new, before)
    result = TableResult(new.rows, spans_s=spans)
    per_s = [None if span is None else 1.0 / span for span in spans]
    for name, column in new.columns.items():
        old = before.columns.get(name)
        if old is None:
            continue
        octets = _OCTETS in name
        if name in new.narrow or name in before.narrow:
            rates = _mixed(name, new, before, per_s, speeds)
        else:
            rates = wide(column, old, per_s)
        if rates.count(None) < len(rates):
            result.per_s[name] = rates
            if octets and any(speeds):
                result.percent[name] = percent(rates, speeds)
    return result


def _mixed(name: str, new: TableBase, before: TableBase, per_s: Sequence[Rate], speeds: Sequence[Rate]) -> list[Rate]:
    """Make the rates of a column of which some rows have 32 bits; a row that has other bits than before has none."""
    column, old = new.columns[name], before.columns[name]
    bits = 8.0 if _OCTETS in name else _LEAST_FRAME_BITS
    most = [speed / bits if speed else None for speed in speeds]
    places, old_places = new.narrow.get(name, ()), before.narrow.get(name, ())
    if len(places) == len(old_places) == len(column):  # nearly always, where any has
        return narrow(column, old, per_s, most)
    now, then = set(places), set(old_places)
    usable = [None if (row in now) != (row in then) else each for row, each in enumerate(per_s)]
    short, long = narrow(column, old, usable, most), wide(column, old, usable)
    return [short[row] if row in now else long[row] for row in range(len(column))]


def _spans(new: TableBase, before: TableBase, found: Found) -> list[Rate]:
    """Return how long it was for each row; nearly always the device's clock says so, and agrees with ours."""
    walls = list(map(sub, new.at, before.at))
    try:
        ticks = list(map(sub, new.uptime, before.uptime))
        low, high, first, last = min(ticks) / 100, max(ticks) / 100, min(walls), max(walls)
        bound_s = tolerance_s(last)
        if low > 0 and high - first <= bound_s and last - low <= bound_s:
            return [tick / 100 for tick in ticks]
    except TypeError:
        pass
    spans: list[Rate] = []
    for wall_s, then, now in zip(walls, before.uptime, new.uptime, strict=True):
        span = span_of(wall_s, then, now)
        found.rebooted = found.rebooted or span == REBOOTED
        spans.append(span if span is not None and span > 0 else None)
    return spans


def _broken(spans: Sequence[Rate], new: TableBase, before: TableBase) -> list[Rate]:
    """Take the spans away of rows whose index is another, or whose counters jumped."""
    jumps = zip(new.jumped, before.jumped, strict=True) if len(new.jumped) == len(before.jumped) else repeat((0, 0))
    return [
        None if now != then or (None not in jump and jump[0] != jump[1]) else span
        for span, now, then, jump in zip(spans, new.index, before.index, jumps, strict=False)
    ]


_ABSENT: Final = object()  # the index of a row that was not there: equal to none


def _aligned(before: TableBase, new: TableBase) -> TableBase:
    """Return the last table with its rows in the order of the new one's; a row that was not there has no values."""
    if before.rows == new.rows:
        return before
    places = {row: place for place, row in enumerate(before.rows)}
    order = [places.get(row) for row in new.rows]

    def sorted_(column: Sequence[Any], absent: Any = None) -> list[Any]:
        return [absent if place is None else column[place] for place in order]

    narrow_rows = {name: set(rows) for name, rows in before.narrow.items()}
    return TableBase(
        new.rows, sorted_(before.index, _ABSENT), sorted_(before.at, 0.0), sorted_(before.uptime),
        {name: sorted_(column) for name, column in before.columns.items()},
        {name: [row for row, place in enumerate(order) if place in rows] for name, rows in narrow_rows.items()},
        sorted_(before.jumped) if before.jumped else [],
    )  # fmt: skip


def _merged(new: TableBase, before: TableBase) -> TableBase:
    """Return a table that was cut, with the rows that it did not reach as they were."""
    known = set(new.rows)
    left = [place for place, row in enumerate(before.rows) if row not in known]
    if not left or new.columns.keys() != before.columns.keys() or bool(new.jumped) != bool(before.jumped):
        return new
    count = len(new.rows)

    def both(column: Sequence[Any], old: Sequence[Any]) -> list[Any]:
        return [*column, *(old[place] for place in left)]

    names = {*new.narrow, *before.narrow}
    narrow_rows = {
        name: [*new.narrow.get(name, ()), *(count + n for n, place in enumerate(left)
               if place in before.narrow.get(name, ()))] for name in names
    }  # fmt: skip
    return TableBase(
        both(new.rows, before.rows), both(new.index, before.index), both(new.at, before.at),
        both(new.uptime, before.uptime),
        {name: both(column, before.columns[name]) for name, column in new.columns.items()},
        narrow_rows, both(new.jumped, before.jumped) if new.jumped else [],
    )  # fmt: skip


def _times(table: Table) -> tuple[list[float], list[int | None]]:
    """Return for each row when it arrived, and sysUpTime in the same reply."""
    at: list[float] = []
    uptime: list[int | None] = []
    for run in table.times:
        at += [run.at] * run.rows
        uptime += [run.uptime] * run.rows
    missing = len(table.rows) - len(at)
    if missing > 0:
        at += [at[-1] if at else 0.0] * missing
        uptime += [None] * missing
    return at[: len(table.rows)], uptime[: len(table.rows)]


def _speeds(
    counters: TableCounters, data: Sequence[Sequence[Any]], places: Mapping[str, int], count: int
) -> list[Rate]:
    """Return how many bit/s each row can do; None where nobody says."""
    speeds: list[Rate] = [None] * count
    for name, unit in reversed(counters.speeds):
        if name in places:
            speeds = [
                value * unit if type(value) is int and value > 0 else speed
                for value, speed in zip(data[places[name]], speeds, strict=True)
            ]
    return speeds


def _integer(value: Any) -> int | None:
    return value if type(value) is int else None
