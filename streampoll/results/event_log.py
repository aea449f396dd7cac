"""Events as they are stored, acknowledged; and the times in which nobody is told of some."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streampoll.model import Change, Event, Severity
from streampoll.results.batch import signed
from streampoll.results.postgres import Postgres
from streampoll.results.queries import load_queries

_QUERIES = load_queries("event_log.sql")
_U64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class EventSearch:
    """Which events; texts that are empty fit all."""

    since: int = 0  # changed since then, seconds since the epoch
    open_only: bool = False
    device: str = ""
    rule: str = ""
    least: Severity = Severity.INFO
    site: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as its changes have left it; times are slots, seconds since the epoch."""

    id: int  # unsigned 64-bit
    rule: str
    device: str
    row: str  # "": the device
    severity: Severity
    labels: Mapping[str, str]
    opened: int
    updated: int
    closed: int | None
    value: float | None
    text: str
    suppressed: str
    acknowledged_at: int | None = None
    acknowledged_by: str = ""
    acknowledged_note: str = ""

    def as_change(self, change: Change, at: int) -> Event:
        """Return a change of it, as other parts are told."""
        return Event(
            self.id, self.rule, self.device, self.row, self.severity, self.labels, self.opened, at, change,
            self.value, self.text, suppressed=self.suppressed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which nobody is told of what a selector's devices do."""

    id: int
    since: int  # seconds since the epoch
    until: int  # exclusive
    selector: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""
    reason: str = ""


class EventLog:
    """Reads and writes them.

    Raises:
        PostgresUnavailable: from every method.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def events(self, wanted: EventSearch) -> list[StoredEvent]:
        """Return events, those last changed first."""
        async with self._postgres.transaction() as connection:
            rows = await connection.fetch(
                _QUERIES["events"], wanted.since, wanted.open_only, wanted.device, wanted.rule, int(wanted.least),
                wanted.site, wanted.limit,
            )  # fmt: skip
        return [_event(row) for row in rows]

    async def event(self, event_id: int) -> StoredEvent | None:
        """Return one event; None if there is none."""
        async with self._postgres.transaction() as connection:
            row = await connection.fetchrow(_QUERIES["event"], signed(event_id))
        return _event(row) if row else None

    async def acknowledge(self, event_id: int, by: str, note: str) -> bool:
        """Take note that somebody has an open event in hand; False if it is closed, or somebody had it before."""
        async with self._postgres.transaction() as connection:
            found = await connection.fetchval(_QUERIES["acknowledge"], signed(event_id), by, note)
        return found is not None

    async def windows(self) -> Sequence[Window]:
        """Return the windows that are not over."""
        async with self._postgres.transaction() as connection:
            rows = await connection.fetch(_QUERIES["windows"])
        return [Window(**{**row, "selector": json.loads(row["selector"])}) for row in rows]

    async def add_window(self, window: Window) -> int:
        """Keep a new window; return its number."""
        async with self._postgres.transaction() as connection:
            selector = json.dumps(dict(window.selector))
            return int(
                await connection.fetchval(
                    _QUERIES["add_window"], window.since, window.until, selector, window.by, window.reason
                )
            )

    async def end_window(self, number: int) -> bool:
        """End a window now; False if there is none, or it is over."""
        async with self._postgres.transaction() as connection:
            return await connection.fetchval(_QUERIES["end_window"], number) is not None


def _event(row: Mapping[str, Any]) -> StoredEvent:
    labels = json.loads(row["labels"])
    return StoredEvent(
        **{**row, "id": row["id"] & _U64, "severity": Severity(row["severity"]), "labels": labels}
    )  # fmt: skip
