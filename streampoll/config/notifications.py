"""notifications.toml: who is told of what, and how. docs/notifications.md has it all, with examples.

    [channels.noc]
    type = "apprise"
    url = { env = "NOC_URL" }              # mailto://…, slack://…: it holds a token, so it is kept as a secret

    [routes.all]
    channels = ["noc"]

Channels are in notification_channels.py. Secrets are kept as those of credentials.toml are, and read the same way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.credential_book import Credentials
from streampoll.config.keeping import Keeping
from streampoll.config.notification_channels import NAME, read_channels
from streampoll.config.notification_hours import read_hours, read_zone
from streampoll.config.report import Report, nearest, shorten
from streampoll.config.settings import Limit, Positive
from streampoll.config.source import read_toml
from streampoll.model import Severity
from streampoll.notifications.channel import Style, Terms
from streampoll.notifications.hours import Hours
from streampoll.notifications.routes import LABELS, Route, Step

Word = Literal["info", "warning", "error", "critical"]
Wait = Annotated[Limit, Meta(extra={"unit": "s"})]

_ALIASES: Final = {"devices": "device", "rules": "rule"}  # as jobs' selectors call them
_SECTIONS: Final = ("hours", "channels", "routes")


@dataclass(frozen=True, slots=True)
class Notifications:
    """All of notifications.toml; without the file, nothing."""

    routes: tuple[Route, ...] = ()
    terms: Mapping[str, Terms] = field(default_factory=dict)  # by channel
    channels: Credentials = field(default_factory=lambda: Credentials({}, Keeping(Path(), {})))
    style: Style = field(default_factory=Style)

    def route(self, name: str) -> Route | None:
        """Return a route by its name."""
        return next((route for route in self.routes if route.name == name), None)


@dataclass(frozen=True, slots=True)
class _Top:
    timezone: str = "UTC"
    link: str = ""


@dataclass(frozen=True, slots=True)
class _RouteTable:
    channels: tuple[str, ...]
    severity: Word = "info"
    match: Any = None
    hours: str = ""
    go_on: bool = False
    group_by: tuple[str, ...] = ("device",)
    group_wait: Wait = 30.0
    group_interval: Wait = 300.0
    repeat: Wait = 14_400.0
    escalate: Any = ()
    quiet: str = ""
    quiet_unless: Word = "critical"
    recovery: bool = True


@dataclass(frozen=True, slots=True)
class _StepTable:
    after: Annotated[Positive, Meta(extra={"unit": "s"})]
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What routes may name."""

    channels: Iterable[str]
    hours: Mapping[str, Hours]


def read_notifications(path: Path, shown: str, environ: Mapping[str, str], report: Report) -> Notifications:
    """Return what a file says; what is wrong is left out, with faults. No file is no notifications."""
    source = read_toml(path, shown, report) if path.exists() else None
    if source is None:
        return Notifications()
    place, data = Place(source, report), source.data
    plain = {key: value for key, value in data.items() if key not in _SECTIONS}
    for key in [key for key, value in plain.items() if isinstance(value, dict)]:
        place.at(key).fault("unknown section", nearest(key, _SECTIONS))
        del plain[key]
    top = read_table(_Top, plain, place) or _Top()
    zone = read_zone(top.timezone, place.at("timezone"))
    hours = read_hours(data.get("hours", {}), place.at("hours"), zone)
    channels, terms = read_channels(data.get("channels", {}), place.at("channels"), path, environ)
    routes = _routes(data.get("routes", {}), place.at("routes"), _Known(list(terms), hours))
    if terms and not routes and not report.faults:
        place.notice("no route: nobody is told of anything", "write [routes.NAME] with channels")
    return Notifications(routes, terms, channels, Style(zone, top.link))


def _routes(data: Any, place: Place, known: _Known) -> tuple[Route, ...]:
    read = [_route(name, table, place.at(name), known) for name, table in place.table(data).items()]
    return tuple(route for route in read if route is not None)


def _route(name: str, data: Any, place: Place, known: _Known) -> Route | None:
    before = len(place.report.faults)
    if not NAME.fullmatch(name):
        place.fault(f"{shorten(name)} is not a route's name", "letters, digits, _ . - only, at most 63")
    table = read_table(_RouteTable, data, place)
    if table is None:
        return None
    _check_channels(table.channels, place.at("channels"), known)
    labels = _labels(table.match, place.at("match"))
    steps = _steps(table.escalate, place.at("escalate"), known)
    hours, quiet = (_hours(getattr(table, key), place.at(key), known) for key in ("hours", "quiet"))
    for label in table.group_by:
        _check_label(label, place.at("group_by"))
    if len(place.report.faults) > before:
        return None
    return Route(
        name, table.channels, _severity(table.severity), labels, hours, table.go_on, table.group_by, table.group_wait,
        table.group_interval, table.repeat, steps, quiet, _severity(table.quiet_unless), table.recovery,
    )  # fmt: skip


def _labels(data: Any, place: Place) -> Mapping[str, frozenset[str]]:
    """Return what a route matches: label -> texts, of which one must be the event's."""
    labels = {}
    for key, texts in place.table(data if data is not None else {}).items():
        given = [texts] if isinstance(texts, str) else texts
        label = _ALIASES.get(key, key)
        if not isinstance(given, list) or not given or not all(isinstance(text, str) for text in given):
            place.at(key).fault(f"{shorten(texts)} is not a list of texts", f'write {key} = ["…"]')
        elif label == "severity":
            place.at(key).fault("is not matched", 'write severity = "error" in the route: this severe or more')
        else:
            _check_label(label, place.at(key))
            labels[label] = frozenset(given)
    return labels


def _check_label(label: str, place: Place) -> None:
    """Note a label that looks like one of ours misspelt; rules may set others."""
    hint = nearest(label, LABELS) if label not in LABELS else ""
    if hint.startswith("did you mean"):
        place.notice(f"no event has a label '{label}' unless a rule sets it", hint)


def _steps(data: Any, place: Place, known: _Known) -> tuple[Step, ...]:
    """Return the steps of an escalation, which must go up in time."""
    if not isinstance(data, list | tuple):
        place.fault(f"{shorten(data)} is not a list", 'write [{ after = "15m", channels = ["…"] }]')
        return ()
    steps: list[Step] = []
    for number, each in enumerate(data):
        table = read_table(_StepTable, each, place.at(number))
        if table is not None:
            _check_channels(table.channels, place.at(number, "channels"), known)
            if steps and table.after <= steps[-1].after_s:
                place.at(number, "after").fault("is not later than the step before", "write the steps in their order")
            steps.append(Step(table.after, table.channels))
    return tuple(steps)


def _check_channels(names: tuple[str, ...], place: Place, known: _Known) -> None:
    if not names:
        place.fault("tells nobody", 'write channels = ["NAME"]')
    for name in names:
        if name not in known.channels:
            place.fault(f"no channel {shorten(name)}", nearest(name, known.channels) or f"write [channels.{name}]")


def _hours(name: str, place: Place, known: _Known) -> Hours | None:
    if name and name not in known.hours:
        place.fault(f"no hours {shorten(name)}", nearest(name, known.hours) or f"write [hours.{name}]")
    return known.hours.get(name)


def _severity(word: str) -> Severity:
    return Severity[word.upper()]
