"""Events, routes and channels as the tests of notifications want them."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from streampoll.model import Change, Event, Severity
from streampoll.notifications.group import Group
from streampoll.notifications.policy import Telling, flush, join
from streampoll.notifications.routes import Route

MONDAY_NOON = datetime(2026, 1, 5, 12, 0, tzinfo=ZoneInfo("UTC")).timestamp()
ROUTE = Route("ops", ("mail",), wait_s=30.0, interval_s=300.0, repeat_s=3600.0)


def event(number: int = 1, change: Change = Change.OPENED, at: float = MONDAY_NOON, **more: object) -> Event:
    made = Event(
        number, "if-down", "sw1", f"Gi0/{number}", Severity.ERROR,
        {"site": "zurich", "role": "access", "vendor": "cisco", "groups": "core,edge"}, int(at), int(at), change,
        None, "interface is down",
    )  # fmt: skip
    return replace(made, **more)


class Story:
    """One group's life by a made-up clock: events in, messages out, as flushes fall due."""

    def __init__(self, route: Route = ROUTE, now: float = MONDAY_NOON) -> None:
        self.route, self.now = route, now
        self.group: Group | None = Group(route.name, ("sw1",))
        self.told: list[tuple[float, Telling]] = []
        self._began = now

    def happens(self, *events: Event) -> "Story":
        for each in events:
            self.group = join(self.group or Group(self.route.name, ("sw1",)), each, self.route, self.now)
        return self

    def until(self, after_s: float) -> "Story":
        """Let time go on to so many seconds after the beginning."""
        end = self._began + after_s
        while self.group and 0.0 < self.group.due <= end:
            self.now = max(self.now, self.group.due)
            flushed = flush(self.group, self.route, self.now)
            assert flushed.group is None or flushed.group.serial > self.group.serial or not flushed.group.due
            self.group = flushed.group
            if flushed.telling:
                self.told.append((self.now - self._began, flushed.telling))
        self.now = end
        return self

    @property
    def times(self) -> list[tuple[float, str]]:
        """When what was told."""
        return [(after_s, telling.reason.value) for after_s, telling in self.told]

    @property
    def channels(self) -> list[tuple[str, ...]]:
        """Who was told."""
        return [telling.channels for _, telling in self.told]
