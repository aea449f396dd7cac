"""From what a device wrote to a value of the kind that the profile says. What can't be is None with a reason."""

import math
import re
from collections.abc import Callable
from typing import Any, Final

from streampoll.http.plan import Kind
from streampoll.model import Value

ABSENT: Final = "not in the answer"
_INTEGER: Final = re.compile(r"[+-]?\d{1,40}")
_TRUTH: Final = {
    "true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip


def to_value(found: Any, kind: Kind) -> tuple[Value, str]:
    """Return (value, "") or (None, why not)."""
    if found is None:
        return None, ABSENT
    if isinstance(found, list | dict):
        return None, f"{'a list' if isinstance(found, list) else 'an object'}, not a value"
    if isinstance(found, float) and not math.isfinite(found):
        return None, str(found)
    value = _CONVERSIONS[kind](found)
    return (value, "") if value is not None else (None, f"not {_WORDS[kind]}")


def _integer(found: str | int | float) -> int | None:
    if isinstance(found, str):
        return int(found) if _INTEGER.fullmatch(found.strip()) else None
    return int(found) if found == int(found) else None


def _counter(found: str | int | float) -> int | None:
    whole = _integer(found)
    return whole if whole is not None and whole >= 0 else None


def _number(found: str | int | float) -> int | float | None:
    if not isinstance(found, str):
        return int(found) if isinstance(found, bool) else found
    if _INTEGER.fullmatch(found.strip()):
        return int(found)
    try:
        number = float(found)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(found: str | int | float) -> str:
    return str(found).lower() if isinstance(found, bool) else str(found)


def _boolean(found: str | int | float) -> bool | None:
    return found if isinstance(found, bool) else _TRUTH.get(str(found).strip().lower())


_CONVERSIONS: Final[dict[Kind, Callable[[Any], Value]]] = {
    Kind.AUTO: lambda found: found,
    Kind.INTEGER: _integer,
    Kind.COUNTER: _counter,
    Kind.NUMBER: _number,
    Kind.TEXT: _text,
    Kind.BOOLEAN: _boolean,
}
_WORDS: Final = {
    Kind.AUTO: "a value",
    Kind.INTEGER: "a whole number",
    Kind.COUNTER: "a whole number of at least 0",
    Kind.NUMBER: "a number",
    Kind.TEXT: "a text",
    Kind.BOOLEAN: "true or false",
}
