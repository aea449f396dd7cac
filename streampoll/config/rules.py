"""rules.toml: rules on what polls bring, when a device counts as down, and times in which nobody is told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from streampoll.analysis.expression import Expression, ExpressionError, parse
from streampoll.analysis.rule import DEVICE_NAMES, PLACES, Rule, RuleSet, StateRules, Window, strange_places
from streampoll.config.convert import Place, read_table
from streampoll.config.jobs import check_cron, read_moment, read_zone
from streampoll.config.report import Report, nearest, shorten
from streampoll.config.selector import Selector, read_selector
from streampoll.config.source import read_toml
from streampoll.model import Severity

FILE = "rules.toml"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NO_COLON = "letters, digits, _ . - only, at most 63"
Duration = Annotated[int, Meta(ge=0, extra={"unit": "s"})]
SeverityWord = Literal["info", "warning", "error", "critical"]


@dataclass(frozen=True, slots=True)
class _RuleTable:
    """A rule as rules.toml has it."""

    when: str
    table: str = ""
    clear: str = ""
    hold: Duration = 0
    clear_hold: Duration = 0
    severity: SeverityWord = "warning"
    critical: str = ""
    value: str = ""
    text: str = ""
    labels: Any = field(default_factory=dict)
    select: Any = None
    jobs: tuple[str, ...] = ()
    run: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class _StateTable:
    """When a device counts as down, as rules.toml has it."""

    down_after: Annotated[int, Meta(ge=1, le=1000)] = 3
    up_after: Annotated[int, Meta(ge=1, le=1000)] = 1
    flap_changes: Annotated[int, Meta(ge=2, le=100)] = 6
    flap_window: Annotated[int, Meta(ge=1, extra={"unit": "s"})] = 1800


@dataclass(frozen=True, slots=True)
class _WindowTable:
    """A maintenance window as rules.toml has it."""

    select: Any = None
    start: Any = None
    end: Any = None
    cron: str = ""
    timezone: str = "UTC"
    hold: Duration = 0
    reason: str = ""


def read_rules(path: Path, name: str, report: Report) -> RuleSet:
    """Return the rules of a file; none if there is no file. Wrong ones are left out, with faults."""
    if not path.exists():
        return RuleSet()
    source = read_toml(path, name, report)
    if source is None:
        return RuleSet()
    place = Place(source, report)
    for key in source.data:
        if key not in ("rules", "state", "maintenance"):
            place.at(key).fault("unknown table", nearest(key, ("rules", "state", "maintenance")))
    rules = place.at("rules").table(source.data.get("rules", {}))
    windows = place.at("maintenance").table(source.data.get("maintenance", {}))
    return RuleSet(
        tuple(rule for key, data in rules.items() if (rule := _rule(key, data, place.at("rules", key)))),
        _state(source.data.get("state", {}), place.at("state")),
        tuple(each for key, data in windows.items() if (each := _window(key, data, place.at("maintenance", key)))),
    )


def _rule(name: str, data: Any, place: Place) -> Rule | None:
    before = len(place.report.faults)
    if not _NAME.fullmatch(name):
        place.fault(f"{shorten(name)} is not a rule's name", _NO_COLON)
    table = read_table(_RuleTable, data, place)
    if table is None:
        return None
    when, clear, critical, value = (
        _expression(getattr(table, key), table, place.at(key)) for key in ("when", "clear", "critical", "value")
    )
    for strange in strange_places(table.text):
        place.at("text").fault(f"{{{strange}}} is no place for a value", nearest(strange, PLACES))
    labels = _labels(table.labels, place.at("labels"))
    selector = Selector() if table.select is None else read_selector(table.select, place.at("select"))
    if when is None or selector is None or len(place.report.faults) > before or not table.enabled:
        return None
    text = table.text or ("{rule}: {device} {row} is at {value}" if table.table else "{rule}: {device} is at {value}")
    return Rule(
        name, when, table.table, clear, table.hold, table.clear_hold, Severity[table.severity.upper()], critical,
        value, text, labels, selector, table.jobs, table.run,
    )  # fmt: skip


def _expression(text: str, table: _RuleTable, place: Place) -> Expression | None:
    """Parse a condition; None for none, or with a fault."""
    if not text and place.path[-1] != "when":
        return None
    try:
        found = parse(text)
    except ExpressionError as error:
        place.fault(f"{shorten(text)}: {error}", "docs/rules.md has the language")
        return None
    for function, name in found.names:
        if function == "percent" and not table.table:
            place.fault(f"percent({name}) is of a table's columns", 'add table = "interfaces"')
        if function in ("rate", "percent") and name in DEVICE_NAMES:
            place.fault(f"{function}({name}): {name} is no counter", f"{name} is {DEVICE_NAMES[name]}")
    return found


def _labels(data: Any, place: Place) -> Mapping[str, str]:
    labels = place.table(data)
    for key, value in labels.items():
        if not isinstance(value, str):
            place.at(key).fault(f"{shorten(value)} is not a text", f'{key} = "{value}"')
    return dict(labels)


def _state(data: Any, place: Place) -> StateRules:
    table = read_table(_StateTable, data, place) or _StateTable()
    return StateRules(table.down_after, table.up_after, table.flap_changes, table.flap_window)


def _window(name: str, data: Any, place: Place) -> Window | None:
    before = len(place.report.faults)
    table = read_table(_WindowTable, data, place)
    if table is None:
        return None
    zone = read_zone(table.timezone, place)
    start, end = read_moment(table.start, zone, place.at("start")), read_moment(table.end, zone, place.at("end"))
    if table.cron:
        check_cron(table.cron, place.at("cron"))
        if not table.hold:
            place.fault("a window that comes by cron has no length", 'add hold = "2h"')
    elif not end:
        place.fault("never ends", 'add end = 2026-01-31T08:00:00Z, or cron = "0 2 * * sun" and hold = "2h"')
    if start and end and start >= end:
        place.at("end").fault("ends before it starts", "set an end after start")
    selector = Selector() if table.select is None else read_selector(table.select, place.at("select"))
    if selector is None or len(place.report.faults) > before:
        return None
    return Window(name, selector, start, end, table.cron, table.timezone, table.hold, table.reason)
