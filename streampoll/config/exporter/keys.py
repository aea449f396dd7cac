"""A table of a YAML file read key by key: what is of the wrong kind is a fault, what is unknown a notice.

An unknown key is no fault: the file works in snmp_exporter, of some release, and its owner wants the rest of it.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from streampoll.config.convert import Place
from streampoll.config.report import shorten

_OID = re.compile(r"[012](?:\.\d{1,10}){1,127}")


class Keys:
    """A table and its place."""

    def __init__(self, data: Any, place: Place, known: Iterable[str]) -> None:
        self.place = place
        self._data: Mapping[Any, Any] = data if isinstance(data, Mapping) else {}
        if not isinstance(data, Mapping):
            place.fault(f"{shorten(data)} is not a table", "is this the snmp.yml that the generator wrote?")
        for key in self._data:
            if key not in known:
                place.at(str(key)).notice(f"'{key}' is not known", "it is left out")

    def __contains__(self, key: str) -> bool:
        return self._data.get(key) is not None

    def raw(self, key: str) -> Any:
        """Return a value as it is."""
        return self._data.get(key)

    def text(self, key: str, default: str = "") -> str:
        """Return a text; a number or truth value is its text, as YAML made it of one."""
        value = self._data.get(key)
        if isinstance(value, Mapping | list):
            self.place.at(key).fault(f"{shorten(value)} is not a text")
            return default
        return default if value is None else plain(value)

    def oid(self, key: str) -> str:
        """Return an OID in numbers, without a dot before it; "" if there is none."""
        text = self.text(key).strip(".")
        if text and not _OID.fullmatch(text):
            self.place.at(key).fault(f"{shorten(text)} is not an OID", "is this the snmp.yml that the generator wrote?")
            return ""
        return text

    def number(self, key: str, default: float = 0.0) -> float:
        """Return a number."""
        value = self._data.get(key, default)
        if value is None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            self.place.at(key).fault(f"{shorten(value)} is not a number")
            return default
        return value

    def flag(self, key: str) -> bool:
        """Return a truth value."""
        value = self._data.get(key)
        if value is not None and not isinstance(value, bool):
            self.place.at(key).fault(f"{shorten(value)} is not true or false")
        return value is True

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(plain(each) for _, each in self.each(key))

    def each(self, key: str) -> Iterator[tuple[Place, Any]]:
        """Yield the elements of a list, each with its place."""
        value = self._data.get(key)
        if value is not None and not isinstance(value, list):
            self.place.at(key).fault(f"{shorten(value)} is not a list")
            return
        for index, each in enumerate(value or ()):
            yield self.place.at(key, index), each

    def items(self, key: str) -> Iterator[tuple[Place, str, Any]]:
        """Yield the values of a table by their keys, each with its place."""
        value = self._data.get(key)
        if value is not None and not isinstance(value, Mapping):
            self.place.at(key).fault(f"{shorten(value)} is not a table")
            return
        for name, each in (value or {}).items():
            yield self.place.at(key, plain(name)), plain(name), each


def plain(value: Any) -> str:
    """Return a scalar of YAML as the text that was likely meant: `true` is "true"."""
    return str(value).lower() if isinstance(value, bool) else str(value)
