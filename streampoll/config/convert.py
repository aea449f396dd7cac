"""Tables of text and numbers into dataclasses, key by key, so that every mistake is found and not only the first.

msgspec checks each value strictly; the messages are ours, since they must say what to write instead and must not show
a secret.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from streampoll.config.report import Report, nearest, shorten
from streampoll.config.secret import Secret
from streampoll.config.source import KeyPath, Source
from streampoll.config.table import Setting, settings_of
from streampoll.config.units import parse_duration, parse_size

T = TypeVar("T")

_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a source, and the report that its faults go to."""

    source: Source
    report: Report
    path: KeyPath = ()

    def at(self, *parts: str | int) -> "Place":
        """Return the place further inside."""
        return Place(self.source, self.report, (*self.path, *parts))

    def fault(self, what: str, instead: str = "") -> None:
        """Note a mistake here."""
        self.report.fault(self.source.where(self.path), what, instead)

    def notice(self, what: str, instead: str = "") -> None:
        """Note something to know here."""
        self.report.notice(self.source.where(self.path), what, instead)

    def table(self, data: Any) -> Mapping[str, Any]:
        """Return `data` if it is a table, else an empty one with a fault."""
        if isinstance(data, Mapping):
            return data
        self.fault(f"{shorten(data)} is not a table", f"write [{'.'.join(map(str, self.path))}] and its keys below it")
        return {}


def read_table(section: type[T], data: Any, place: Place, base: T | None = None) -> T | None:
    """Return a section made of `data`, where absent keys keep the values of `base` (the defaults if None).

    Returns None if a key is unknown, missing or wrong; each is a fault in the place's report.
    """
    before = len(place.report.faults)
    table, known = place.table(data), settings_of(section)
    if len(place.report.faults) > before:
        return None
    given: dict[str, Any] = {}
    for key, value in table.items():
        if key in known:
            given[key] = convert(known[key], value, place.at(key))
        else:
            place.at(key).fault("unknown key", nearest(key, known))
    for name, setting in known.items():
        if name not in given and base is None and setting.default is dataclasses.MISSING:
            place.fault(f"'{name}' is missing", f"{name} = {setting.expects}")
    if len(place.report.faults) > before:
        return None
    return dataclasses.replace(base, **given) if base is not None else section(**given)  # type: ignore[type-var]


def convert(setting: Setting, value: Any, place: Place) -> Any:
    """Return a value as its setting's type; None with a fault if it isn't one."""
    if setting.base is Secret:
        if isinstance(value, str) and value:
            return Secret(value)
        place.fault("not a text", f"expected {setting.expects}")
        return None
    try:
        made = msgspec.convert(_written(setting, value), setting.kind)
    except (msgspec.ValidationError, ValueError):
        place.fault(f"{shorten(value)} is not allowed", _instead(setting, value))
        return None
    if isinstance(made, float) and not math.isfinite(made):
        place.fault(f"{shorten(value)} is not allowed", f"expected {setting.expects}")
    return made


def from_text(setting: Setting, text: str) -> Any:
    """Return the value that a variable's or a CSV cell's text stands for, as a file would hold it.

    Text that is not of the setting's type is returned as it is, for `convert` to refuse.
    """
    if setting.is_list:
        return [part.strip() for part in text.split(",") if part.strip()]
    if setting.base is bool:
        return _TRUTH.get(text.strip().lower(), text)
    if setting.base in (int, float) and not setting.unit:
        try:
            return int(text) if setting.base is int else float(text)
        except ValueError:
            return text
    return text


def _written(setting: Setting, value: Any) -> Any:
    """Return a value with durations and sizes as numbers, and a single text where a list may be, as a list."""
    if isinstance(value, str) and setting.unit == "s":
        seconds = parse_duration(value)
        return int(seconds) if setting.base is int and seconds.is_integer() else seconds
    if isinstance(value, str) and setting.unit == "bytes":
        return parse_size(value)
    if setting.words and isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # version = 1
    return [value] if isinstance(value, str) and setting.is_list else value


def _instead(setting: Setting, value: Any) -> str:
    """Return the end of a message: the nearest word of a choice, or what is expected."""
    if setting.words:
        strange = [each for each in (value if isinstance(value, list) else [value]) if each not in setting.words]
        if strange and isinstance(strange[0], str):
            return nearest(strange[0], setting.words)
    return f"expected {setting.expects}"
