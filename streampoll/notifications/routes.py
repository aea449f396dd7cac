"""Which routes an event takes, and which group of each it joins. Pure.

Routes are asked in the order of the file. The first that matches takes the event and ends the search, unless it has
`go_on = true`. An event that opens joins the groups of the routes that match now. What becomes of it later
(another severity, its end, an acknowledgement) is told to every route that would take such a device's events at any
hour: the group it is in must hear of it, whatever the hour is by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streampoll.model import Change, Event, Severity
from streampoll.notifications.hours import Hours


@dataclass(frozen=True, slots=True)
class Step:
    """Whom to tell as well, if nobody has acknowledged by then."""

    after_s: float  # from the group's first message
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Whom to tell of which events, and how often."""

    name: str
    channels: tuple[str, ...]
    severity: Severity = Severity.INFO  # at least
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)  # label -> texts of which one must be there
    hours: Hours | None = None  # matches only then
    go_on: bool = False  # the routes below are asked too
    group_by: tuple[str, ...] = ("device",)
    wait_s: float = 30.0  # from a group's first news to its first message
    interval_s: float = 300.0  # between two messages with news
    repeat_s: float = 14_400.0  # between two messages without; 0: none
    steps: tuple[Step, ...] = ()  # by `after_s`
    quiet: Hours | None = None  # nothing is sent then
    through: Severity = Severity.CRITICAL  # this severe is sent in quiet hours too
    recovery: bool = True  # tell of the end as well

    def wants(self, event: Event) -> bool:
        """Tell whether it is about such events, whatever their severity and the hour."""
        return all(not texts.isdisjoint(texts_of(event, label)) for label, texts in self.labels.items())

    def matches(self, event: Event, now: float) -> bool:
        """Tell whether it takes an event now."""
        hour = self.hours is None or self.hours.holds(now)
        return event.severity >= self.severity and hour and self.wants(event)

    def group_of(self, event: Event) -> tuple[str, ...]:
        """Return the values that name an event's group."""
        return tuple(text_of(event, label) for label in self.group_by)


@dataclass(frozen=True, slots=True)
class Taken:
    """A route that an event goes to."""

    route: str
    group: tuple[str, ...]
    joins: bool  # False: only if it is in the group already


def find(event: Event, routes: Sequence[Route], now: float) -> list[Taken]:
    """Return where an event goes."""
    matching = _matching(event, routes, now) if event.change in (Change.OPENED, Change.UPDATED) else frozenset()
    later = event.change is not Change.OPENED
    return [
        Taken(route.name, route.group_of(event), route.name in matching)
        for route in routes
        if route.name in matching or (later and route.wants(event))
    ]


def _matching(event: Event, routes: Sequence[Route], now: float) -> frozenset[str]:
    names = set()
    for route in routes:
        if route.matches(event, now):
            names.add(route.name)
            if not route.go_on:
                break
    return frozenset(names)


def why_not(route: Route, event: Event, now: float) -> str:
    """Say why a route does not take an event; "" if it does."""
    if event.severity < route.severity:
        return f"it wants {route.severity.name.lower()} or worse"
    for label, texts in route.labels.items():
        if texts.isdisjoint(texts_of(event, label)):
            return f"{label} is {text_of(event, label)!r}, not {' or '.join(map(repr, sorted(texts)))}"
    if route.hours is not None and not route.hours.holds(now):
        return f"it counts in the hours '{route.hours.name}' only"
    return ""


def text_of(event: Event, label: str) -> str:
    """Return what an event says of a label; "" if nothing."""
    own = _OWN.get(label)
    return own(event) if own else event.labels.get(label, "")


def texts_of(event: Event, label: str) -> frozenset[str]:
    """Return the texts of a label: of `groups` and `tags` each of the list."""
    text = text_of(event, label)
    return frozenset(text.split(",")) if label in LISTS else frozenset((text,))


LABELS = ("device", "groups", "role", "row", "rule", "severity", "site", "tags", "vendor")  # that every event has
LISTS = frozenset(("groups", "tags"))
_OWN = {
    "device": lambda event: event.device,
    "rule": lambda event: event.rule,
    "row": lambda event: event.row,
    "severity": lambda event: event.severity.name.lower(),
}
