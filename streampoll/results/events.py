"""Changes of events on their way to rows: those of one event folded into one, then stored.

A change may come twice, late or out of order, and the one before it never: so a row is what its newest change says,
once closed it stays closed, and an event that opens closes the one that was open on its row.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streampoll.model import Change, Event
from streampoll.results.batch import signed
from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries

_QUERIES = load_queries("events.sql")


@dataclass(slots=True)
class EventRow:
    """An event as its changes leave it."""

    newest: Event
    closed: int | None = None  # slot
    acknowledged: int | None = None


def fold(changes: Iterable[Event]) -> list[EventRow]:
    """Return a row an event, in the order in which they opened; of several on one row of a device one is open."""
    rows: dict[int, EventRow] = {}
    for event in changes:
        row = rows.setdefault(event.id, EventRow(event))
        if event.at >= row.newest.at:
            row.newest = event
        if event.change is Change.CLOSED:
            row.closed = event.at if row.closed is None else min(event.at, row.closed)
        elif event.change is Change.ACKNOWLEDGED:
            row.acknowledged = event.at if row.acknowledged is None else min(event.at, row.acknowledged)
    ordered = sorted(rows.values(), key=lambda row: (row.newest.opened, row.newest.id))
    _close_earlier(ordered)
    return ordered


def _close_earlier(rows: Sequence[EventRow]) -> None:
    """Close what was open on a row of a device when the next event opened there."""
    last: dict[tuple[str, str, str], EventRow] = {}
    for row in rows:
        key = row.newest.rule, row.newest.device, row.newest.row
        if (before := last.get(key)) is not None and before.closed is None:
            before.closed = row.newest.opened
        last[key] = row


async def insert_events(connection: Connection, changes: Sequence[Event]) -> None:
    """Store changes in the caller's transaction; to store them again changes nothing."""
    rows = fold(changes)
    events = [row.newest for row in rows]
    ids, opened = [signed(event.id) for event in events], [event.opened for event in events]
    where = [event.rule for event in events], [event.device for event in events], [event.row for event in events]
    await connection.execute(_QUERIES["lock_events"])
    await connection.execute(_QUERIES["close_earlier"], ids, opened, *where)
    await connection.execute(
        _QUERIES["upsert_events"],
        ids,
        *where,
        [int(event.severity) for event in events],
        [json.dumps(dict(event.labels)) for event in events],
        opened,
        [event.at for event in events],
        [row.closed for row in rows],
        [row.acknowledged for row in rows],
        [None if event.value is None else float(event.value) for event in events],
        [event.text for event in events],
        [event.suppressed for event in events],
    )
