"""Events: listed, acknowledged, told live; and maintenance windows."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from streampoll.api.devices import Word
from streampoll.api.letters import Note
from streampoll.api.problem import ProblemError
from streampoll.api.route import Asked, Route
from streampoll.api.times import Moment, seconds
from streampoll.model import Change, Event, Severity
from streampoll.results.control import Role
from streampoll.results.event_log import EventSearch, StoredEvent, Window

_MOST_MAINTENANCE_S = 366 * 86_400
_TOLD_AT_ONCE = 500
_LOOK_BACK_S = 300

EventId = Annotated[
    str, Meta(pattern="^[0-9]{1,20}$", description="as `id` has it: 64 bits are more than JavaScript's")
]
Texts = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=255)], ...], Meta(max_length=1000)]


class Logged(Protocol):
    """Reads and writes events and windows."""

    async def events(self, wanted: EventSearch) -> list[StoredEvent]:
        """Return events, those last changed first."""

    async def event(self, event_id: int) -> StoredEvent | None:
        """Return one event."""

    async def acknowledge(self, event_id: int, by: str, note: str) -> bool:
        """Take note that somebody has an event in hand."""

    async def windows(self) -> Sequence[Window]:
        """Return the windows that are not over."""

    async def add_window(self, window: Window) -> int:
        """Keep a new window."""

    async def end_window(self, number: int) -> bool:
        """End a window now."""


Tell = Callable[[Event], Awaitable[None]]
"""Tells notifications that an event was acknowledged: no more reminders, no escalation."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event; times are seconds since the epoch."""

    id: str
    rule: str
    device: str
    row: str  # "": the device
    severity: str  # info, warning, error, critical
    labels: dict[str, str]
    opened: int
    updated: int
    closed: int | None  # null: it is open
    value: float | None
    text: str
    suppressed: str  # why nobody was told; "": they were
    acknowledged_at: int | None
    acknowledged_by: str
    acknowledged_note: str


@dataclass(frozen=True, slots=True)
class WhichEvents:
    """Which events."""

    since: Moment = "1d"
    open: bool = False
    device: Word = ""
    rule: Word = ""
    site: Word = ""
    severity: Annotated[str, Meta(pattern="^(info|warning|error|critical)$", description="at least")] = "info"
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


@dataclass(frozen=True, slots=True)
class OneEvent:
    """Which event."""

    event: EventId


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the one who has it in hand says."""

    note: Annotated[str, Meta(max_length=1000)] = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which devices, as a job's `select`: every key that is there must fit."""

    groups: Texts = ()
    site: Texts = ()
    role: Texts = ()
    vendor: Texts = ()
    tags: Texts = ()
    devices: Texts = ()


@dataclass(frozen=True, slots=True)
class NewWindow:
    """A maintenance window."""

    select: Selection
    duration_s: Annotated[int, Meta(ge=60, le=_MOST_MAINTENANCE_S)]
    since: Annotated[int, Meta(ge=0, le=1 << 40, description="seconds since the epoch; 0: now")] = 0
    reason: Annotated[str, Meta(max_length=500)] = ""


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A maintenance window that is not over."""

    id: int
    since: int
    until: int
    select: dict[str, Any] = field(default_factory=dict)
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OneWindow:
    """Which window."""

    window: Annotated[int, Meta(ge=1, le=(1 << 31) - 1)]


@dataclass(frozen=True, slots=True)
class Empty:
    """A body that says nothing."""


class EventRoutes:
    """Serves events and maintenance windows."""

    def __init__(self, log: Logged, tell: Tell, note: Note) -> None:
        self._log = log
        self._tell = tell
        self._note = note
        self._told: set[tuple[int, int, bool, bool]] | None = None  # of the stream
        self._acknowledged: list[EventRow] = []  # and not told yet

    def routes(self) -> list[Route]:
        """Return the routes."""
        act, one = Role.OPERATOR, "/api/v1/events/{event}"
        windows = "/api/v1/maintenance"
        return [
            Route("GET", "/api/v1/events", self._list, list[EventRow], "Events, last changed first", "events",
                  parameters=WhichEvents),
            Route("GET", one, self._one, EventRow, "One event", "events", parameters=OneEvent),
            Route("POST", f"{one}/acknowledge", self._acknowledge, EventRow, "Say that somebody has it in hand",
                  "events", OneEvent, Acknowledgement, act),
            Route("GET", windows, self._windows, list[WindowRow], "Maintenance windows that are not over", "events"),
            Route("POST", windows, self._add_window, WindowRow, "Tell nobody of some devices for a while", "events",
                  body=NewWindow, role=act, status=201),
            Route("POST", f"{windows}/{{window}}/end", self._end_window, OneWindow, "End one now", "events",
                  OneWindow, Empty, act),
        ]  # fmt: skip

    async def _list(self, asked: Asked) -> list[EventRow]:
        wanted: WhichEvents = asked.parameters
        least = Severity[wanted.severity.upper()]
        search = EventSearch(
            seconds(wanted.since), wanted.open, wanted.device, wanted.rule, least, wanted.site, wanted.limit
        )  # fmt: skip
        return [_row(event) for event in await self._log.events(search)]

    async def _one(self, asked: Asked) -> EventRow:
        return _row(await self._find(asked.parameters.event))

    async def _find(self, said: str) -> StoredEvent:
        event = await self._log.event(int(said)) if int(said) < 1 << 64 else None
        if event is None:
            raise ProblemError(404, f"there is no event {said}")
        return event

    async def _acknowledge(self, asked: Asked) -> EventRow:
        event = await self._find(asked.parameters.event)
        if not await self._log.acknowledge(event.id, asked.by, asked.body.note):
            why = (
                "is closed" if event.closed is not None else f"was acknowledged by {event.acknowledged_by or 'another'}"
            )
            raise ProblemError(409, f"event {event.id} {why}")
        await self._tell(event.as_change(Change.ACKNOWLEDGED, int(time.time())))
        await self._note(asked.by, "acknowledge", f"event {event.id}, {event.device} {event.rule}")
        row = await self._one(asked)
        self._acknowledged = [*self._acknowledged[-_TOLD_AT_ONCE:], row]
        return row

    async def _windows(self, _: Asked) -> list[WindowRow]:
        return [_window(window) for window in await self._log.windows()]

    async def _add_window(self, asked: Asked) -> WindowRow:
        said: NewWindow = asked.body
        selector = {key: list(texts) for key, texts in asdict(said.select).items() if texts}
        if not selector:
            raise ProblemError(400, "select nothing, and it is for nobody: name devices, a site, a group …")
        since = said.since or int(time.time())
        window = Window(0, since, since + said.duration_s, selector, asked.by, said.reason)
        number = await self._log.add_window(window)
        await self._note(asked.by, "maintenance", ", ".join(f"{key} {texts}" for key, texts in selector.items()))
        return WindowRow(number, since, since + said.duration_s, selector, asked.by, said.reason)

    async def _end_window(self, asked: Asked) -> OneWindow:
        number = asked.parameters.window
        if not await self._log.end_window(number):
            raise ProblemError(404, f"there is no maintenance window {number}, or it is over")
        await self._note(asked.by, "maintenance", f"window {number} ended")
        return OneWindow(number)

    async def news(self) -> list[tuple[str, bytes]]:
        """Return the changes of events since this was last asked, for the stream; at first none.

        An event is stored some seconds after the slot that it changed in, so there is no mark to go on from: what
        changed within some minutes is read again, and told if it was not yet.
        """
        found = await self._log.events(EventSearch(int(time.time()) - _LOOK_BACK_S, limit=_TOLD_AT_ONCE))
        before, self._told = self._told, {_mark(event) for event in found}
        fresh = [] if before is None else [event for event in found if _mark(event) not in before]
        acknowledged, self._acknowledged = self._acknowledged, []
        known = {event.id for event in fresh}
        rows = [_row(event) for event in reversed(fresh)] + [row for row in acknowledged if int(row.id) not in known]
        return [("event", msgspec.json.encode(row)) for row in rows]


def _mark(event: StoredEvent) -> tuple[int, int, bool, bool]:
    return event.id, event.updated, event.closed is not None, event.acknowledged_at is not None


def _row(event: StoredEvent) -> EventRow:
    return EventRow(
        str(event.id), event.rule, event.device, event.row, event.severity.name.lower(), dict(event.labels),
        event.opened, event.updated, event.closed, event.value, event.text, event.suppressed, event.acknowledged_at,
        event.acknowledged_by, event.acknowledged_note,
    )  # fmt: skip


def _window(window: Window) -> WindowRow:
    return WindowRow(window.id, window.since, window.until, dict(window.selector), window.by, window.reason)
