"""Rules and maintenance windows: the nouns, checked and compiled, as `rules.toml` brings them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from croniter import croniter

from streampoll.analysis.expression import Expression
from streampoll.config.selector import Selector
from streampoll.model import Severity

DEVICE_NAMES: Final[Mapping[str, str]] = {
    "state": "up, degraded, down, unreachable or unknown",
    "status": "how the poll ended: ok, partial, timeout, …",
    "duration_ms": "how long the poll took",
}
"""Names that every rule may use, beside those of metrics."""

PLACES: Final = ("device", "row", "rule", "value", "site", "role", "vendor", "address", "state", "error")
"""What may stand in braces in a rule's text."""

_PLACE: Final = re.compile(r"\{(\w*)\}")
_SHOWN: Final = 200  # characters of a device's own text in an event's


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that raises an event while it holds."""

    name: str
    when: Expression
    table: str = ""  # evaluated for each of its rows; "": for the device, on its scalars
    clear: Expression | None = None  # what must hold for the event to close; None: that `when` does not
    for_s: int = 0  # `when` must have held so long
    clear_for_s: int = 0  # and what closes it, so long
    severity: Severity = Severity.WARNING
    critical: Expression | None = None  # while it holds, the event is critical
    value: Expression | None = None  # what is shown; None: the first thing that `when` looks up
    text: str = "{rule}: {device} {row} is at {value}"
    labels: Mapping[str, str] = field(default_factory=dict)
    selector: Selector = Selector()  # noqa: RUF009 - frozen
    jobs: tuple[str, ...] = ()  # whose polls it looks at; (): of all
    run: str = ""  # the workflow to run when it opens

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Everything that is evaluated."""
        return tuple(each for each in (self.when, self.clear, self.critical, self.value) if each is not None)

    def names(self, function: str) -> frozenset[str]:
        """Return the names that a function of expressions is asked of."""
        return frozenset(name for each in self.expressions for asked, name in each.names if asked == function)


@dataclass(frozen=True, slots=True)
class StateRules:
    """When a device counts as down."""

    down_after: int = 3  # polls without an answer, of every job that polls it
    up_after: int = 1  # answered polls
    flap_changes: int = 6  # changes between up and down within the window: it flaps, and people are told that once
    flap_window_s: int = 1800


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which people know that something is wrong, and are not told."""

    name: str
    selector: Selector
    start: float = 0.0  # seconds since the epoch; with `cron` the schedule is not looked at before
    end: float = 0.0  # 0.0: no end
    cron: str = ""  # begins whenever this line comes, and lasts `for_s`
    timezone: str = "UTC"
    for_s: int = 0
    reason: str = ""

    def open_at(self, now: float) -> bool:
        """Tell whether it is open."""
        if now < self.start or (self.end and now >= self.end):
            return False
        if not self.cron:
            return True
        local = datetime.fromtimestamp(now, ZoneInfo(self.timezone))
        begun: float = croniter(self.cron, local).get_prev(float)
        return now - begun < self.for_s or croniter.match(self.cron, local)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All of rules.toml."""

    rules: tuple[Rule, ...] = ()
    state: StateRules = StateRules()
    windows: tuple[Window, ...] = ()


def strange_places(text: str) -> list[str]:
    """Return what stands in braces in a text and is no place for a value."""
    return [name for name in _PLACE.findall(text) if name not in PLACES]


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Put values into a rule's text: nothing but what is named, once, on one line."""
    return " ".join(_PLACE.sub(lambda place: shown(values.get(place[1])), text).split())


def shown(value: Any) -> str:
    """Return a value as people read it in an event."""
    if value is None:
        return "unknown"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    text = str(value)[:_SHOWN]
    return "".join(letter if letter.isprintable() else "·" for letter in text)


def any_open(windows: Sequence[Window], device: Any, now: float) -> Window | None:
    """Return a window that is open for a device now."""
    return next((each for each in windows if each.open_at(now) and each.selector.matches(device)), None)
