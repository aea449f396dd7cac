"""Stored polls as JSON, CSV and text. Pure; the values are formatted here and nowhere earlier."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from streampoll.model import Table, Value
from streampoll.results.reader import StoredPoll

CSV_COLUMNS = ("slot", "job", "device", "status", "duration_ms", "table", "row", "metric", "value", "reason")


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


def as_json(poll: StoredPoll) -> dict[str, Any]:
    """Return one poll as a JSON object."""
    trace = poll.trace
    return {
        "device": poll.device,
        "job": poll.job,
        "slot": clock(poll.slot),
        "status": poll.status.word,
        "duration_ms": poll.duration_ms,
        "stored_after_ms": poll.stored_ms,
        "error": poll.outcome.error,
        "values": {name: shown(value) for name, value in poll.outcome.values.items()},
        "tables": {name: dict(named_rows(table)) for name, table in poll.outcome.tables.items()},
        "incomplete": [name for name, table in poll.outcome.tables.items() if not table.complete],
        "missing": dict(poll.outcome.missing),
        "trace": {
            "dispatched": clock(trace.dispatched),
            "read": clock(trace.read),
            "started": clock(trace.started),
            "first_reply": clock(trace.first_reply),
            "done": clock(trace.done),
            "delivery": trace.delivery,
            "consumer": trace.consumer,
        },
    }


def named_rows(table: Table) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a table's rows by the name in its key column; by the index where there is none or it names two rows."""
    place = table.columns.index(table.key) + 1 if table.key in table.columns else 0
    taken: set[str] = set()
    for row in table.rows:
        name, index = str(shown(row[place])), str(shown(row[0]))
        if row[place] in (None, b"", "") or name in taken:
            name = index
        taken.add(name)
        yield (
            name,
            {"index": shown(row[0])}
            | {column: shown(value) for column, value in zip(table.columns, row[1:], strict=True)},
        )


def csv_rows(poll: StoredPoll) -> Iterator[tuple[Any, ...]]:
    """Yield one line a value, in the order of CSV_COLUMNS; a poll without values has one line with its error."""
    head = clock(poll.slot), poll.job, poll.device, poll.status.word, poll.duration_ms
    outcome = poll.outcome
    if outcome.error or not (outcome.values or outcome.tables):
        yield *head, "", "", "", "", outcome.error
    for metric, value in outcome.values.items():
        yield *head, "", "", metric, _cell(value), outcome.missing.get(metric, "")
    for name, table in outcome.tables.items():
        for row_name, row in named_rows(table):
            for metric, found in row.items():
                yield *head, name, row_name, metric, "" if found is None else found, ""


def _cell(value: Value) -> str | int | float:
    cell = shown(value)
    return "" if cell is None else cell


def text_lines(poll: StoredPoll) -> Iterator[str]:
    """Yield what a terminal shows of one poll above its tables: a head line, then the scalars."""
    late_s = poll.stored_ms / 1000
    head = f"{clock(poll.slot)}  {poll.job}  {poll.status.word}  {poll.duration_ms} ms, stored {late_s:.1f} s after due"
    yield f"{head}: {plain(poll.outcome.error)}" if poll.outcome.error else head
    width = max(map(len, poll.outcome.values), default=0)
    for name, value in poll.outcome.values.items():
        yield f"  {plain(name):<{width}}  {plain(cell_text(value, poll.outcome.missing.get(name, '')))}"


def cell_text(value: Value, reason: str = "") -> str:
    """Return a value as a terminal shows it; a missing one as its reason in brackets."""
    cell = shown(value)
    return f"({plain(reason or 'missing')})" if cell is None else plain(str(cell))


def plain(text: str) -> str:
    """Return text that can't drive a terminal: a device's own words are not to be trusted."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
