"""Stored polls as JSON, CSV and text. Pure; the values are formatted here and nowhere earlier.

What a profile says of names and formats comes in as a `Look`. Numbers stay numbers beside it; octets, for which JSON
and CSV have no type, are written as they are shown.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from streampoll.model import Outcome, Table, Trace, Value
from streampoll.results.reader import StoredPoll

CSV_COLUMNS = ("slot", "job", "device", "status", "duration_ms", "table", "row", "metric", "value", "reason", "shown")

Look = Callable[[str, str, Value], str | None]
"""Takes a table ("" for scalars), a metric and its value; returns what people see in its place, None for the value."""


def as_it_is(table: str, metric: str, value: Value) -> str | None:
    """Show every value as it is."""
    return None


def shown(value: Value) -> str | int | float | None:
    """Return a value for people and JSON: bytes as text where they are printable UTF-8, else as 0a:1b:2c.

    What JSON has no number for is text: "nan", "inf".
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if not isinstance(value, bytes):
        return value
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex(":")
    return text if text.isprintable() else value.hex(":")


def clock(at: float) -> str | None:
    """Return a time as ISO 8601 in UTC, to the millisecond where it is not whole; None for 0.0."""
    if not at:
        return None
    precision = "seconds" if at == int(at) else "milliseconds"
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):  # before the year 1 or after 9999: a damaged trace
        return f"{at:.0f} s after 1970"


def values_json(outcome: Outcome, look: Look = as_it_is) -> dict[str, Any]:
    """Return an outcome's values as JSON: numbers raw, and in `shown` what people see of those that have a look."""
    return {
        "values": {name: _written(value, look("", name, value)) for name, value in outcome.values.items()},
        "shown": _shown("", outcome.values.items(), look),
        "tables": {name: dict(named_rows(table, look, name)) for name, table in outcome.tables.items()},
        "missing": dict(outcome.missing),
    }


def as_json(poll: StoredPoll, look: Look = as_it_is) -> dict[str, Any]:
    """Return one poll as a JSON object."""
    return {
        "device": poll.device,
        "job": poll.job,
        "slot": clock(poll.slot),
        "status": poll.status.word,
        "duration_ms": poll.duration_ms,
        "stored_after_ms": poll.stored_ms,
        "error": poll.outcome.error,
        "profile": poll.outcome.profile,
        "requests": poll.outcome.requests,
        "retries": poll.trace.asked.retries,
        **values_json(poll.outcome, look),
        "incomplete": [name for name, table in poll.outcome.tables.items() if not table.complete],
        "trace": trace_json(poll.trace),
    }


def trace_json(trace: Trace) -> dict[str, Any]:
    """Return a poll's way as JSON; what did not happen is null."""
    return {
        "dispatched": clock(trace.dispatched),
        "read": clock(trace.read),
        "started": clock(trace.started),
        "first_reply": clock(trace.first_reply),
        "done": clock(trace.done),
        "first_request": clock(trace.asked.first),
        "last_reply": clock(trace.asked.last_reply),
        "retried": [clock(at) for at in trace.asked.retried],
        "worker_lag_s": trace.lag_s,
        "delivery": trace.delivery,
        "consumer": trace.consumer,
    }


def named_rows(table: Table, look: Look = as_it_is, title: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a table's rows by the name in its key column; by the index where there is none or it names two rows.

    A row has its `index`, its columns, and `shown` if any of them has a look; `title` is the table's name, for that.
    """
    place = table.columns.index(table.key) + 1 if table.key in table.columns else 0
    taken: set[str] = set()
    for row in table.rows:
        index = str(shown(row[0]))
        name = (place and look(title, table.key, row[place])) or str(shown(row[place]))
        if row[place] in (None, b"", "") or name in taken:
            name = index
        taken.add(name)
        cells = list(zip(table.columns, row[1:], strict=True))
        written = {column: _written(value, look(title, column, value)) for column, value in cells}
        texts = _shown(title, cells, look)
        yield name, {"index": shown(row[0])} | written | ({"shown": texts} if texts else {})


def _written(value: Value, text: str | None) -> str | int | float | None:
    """Return a value as JSON and CSV have it: octets that have a look as it says, all else as it is."""
    return text if text is not None and isinstance(value, bytes) else shown(value)


def _shown(table: str, cells: Iterable[tuple[str, Value]], look: Look) -> dict[str, str]:
    """Return what people see of those values that are written otherwise."""
    texts = ((name, value, look(table, name, value)) for name, value in cells if not isinstance(value, bytes))
    return {name: text for name, value, text in texts if text is not None and text != value}


def csv_rows(poll: StoredPoll, look: Look = as_it_is) -> Iterator[tuple[Any, ...]]:
    """Yield one line a value, in the order of CSV_COLUMNS; a poll without values has one line with its error."""
    head = clock(poll.slot), poll.job, poll.device, poll.status.word, poll.duration_ms
    outcome = poll.outcome
    if outcome.error or not (outcome.values or outcome.tables):
        yield *head, "", "", "", "", outcome.error, ""
    for metric, value in outcome.values.items():
        text = look("", metric, value)
        yield *head, "", "", metric, _cell(value, text), outcome.missing.get(metric, ""), _plain_cell(value, text)
    for name, table in outcome.tables.items():
        for row_name, row in named_rows(table, look, name):
            texts = row.pop("shown", {})
            for metric, found in row.items():
                yield *head, name, row_name, metric, "" if found is None else found, "", texts.get(metric, "")


def _cell(value: Value, text: str | None) -> str | int | float:
    cell = _written(value, text)
    return "" if cell is None else cell


def _plain_cell(value: Value, text: str | None) -> str:
    return "" if text is None or isinstance(value, bytes) else text


def text_lines(poll: StoredPoll, look: Look = as_it_is) -> Iterator[str]:
    """Yield what a terminal shows of one poll above its tables: a head line, then the scalars."""
    late_s = poll.stored_ms / 1000
    head = f"{clock(poll.slot)}  {poll.job}  {poll.status.word}  {poll.duration_ms} ms, stored {late_s:.1f} s after due"
    yield f"{head}: {plain(poll.outcome.error)}" if poll.outcome.error else head
    yield from value_lines(poll.outcome, look)


def value_lines(outcome: Outcome, look: Look = as_it_is) -> Iterator[str]:
    """Yield a line for each scalar."""
    width = max(map(len, outcome.values), default=0)
    for name, value in outcome.values.items():
        yield f"  {plain(name):<{width}}  {cell_text(value, outcome.missing.get(name, ''), look('', name, value))}"


def cell_text(value: Value, reason: str = "", text: str | None = None) -> str:
    """Return a value as a terminal shows it: as its look (`text`), if it has one; a missing one as its reason."""
    cell = shown(value)
    return f"({plain(reason or 'missing')})" if cell is None else plain(str(cell) if text is None else text)


def plain(text: str) -> str:
    """Return text that can't drive a terminal: a device's own words are not to be trusted."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
