"""Stored rates as JSON, CSV and lines: a counter a line, with what it did a second."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from streampoll.results.rates_codec import Rate
from streampoll.results.reader import StoredRow

RATES_CSV_COLUMNS = ("slot", "job", "device", "table", "row", "counter", "per_s", "percent", "span_s")

_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))

Cell = tuple[str, str, str, Rate, Rate, Rate]
"""Table and row ("" for a scalar), counter, rate a second, percent of the speed, seconds it is over."""


def cells(row: StoredRow) -> Iterator[Cell]:
    """Yield the rates of a result."""
    for counter, rate in row.rates.scalars.items():
        yield "", "", counter, rate, None, row.rates.span_s
    for name, table in row.rates.tables.items():
        for counter, column in table.per_s.items():
            full = table.percent.get(counter) or [None] * len(column)
            for key, rate, percent, span_s in zip(table.rows, column, full, table.spans_s, strict=True):
                if rate is not None:
                    yield name, key, counter, rate, percent, span_s


def rates_json(row: StoredRow) -> dict[str, Any]:
    """Return what is stored as an object."""
    tables = {
        name: {
            "rows": list(table.rows), "span_s": list(table.spans_s),
            "per_s": {counter: list(column) for counter, column in table.per_s.items()},
            "percent": {counter: list(column) for counter, column in table.percent.items()},
        }
        for name, table in row.rates.tables.items()
    }  # fmt: skip
    return {
        "job": row.job, "device": row.device, "slot": _time(row.slot), "at": row.rates.at,
        "span_s": row.rates.span_s, "per_s": dict(row.rates.scalars), "tables": tables,
    }  # fmt: skip


def rates_csv(row: StoredRow) -> Iterator[Sequence[Any]]:
    """Yield a line a rate."""
    for table, key, counter, rate, percent, span_s in cells(row):
        yield _time(row.slot), row.job, row.device, table, key, counter, rate, percent, span_s


def heading(row: StoredRow) -> str:
    """Return the line above a result's rates."""
    return f"{row.device}  {row.job}  {_time(row.slot)}"


def shown_rate(counter: str, rate: Rate) -> str:
    """Return a rate as people read it: octets as bits, large ones with a prefix."""
    if rate is None:
        return "-"
    value, unit = (8 * rate, "bit/s") if "Octets" in counter else (rate, "/s")
    for size, prefix in _SCALES:
        if value >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def _time(slot: int) -> str:
    return datetime.fromtimestamp(slot, UTC).isoformat().replace("+00:00", "Z")
