"""Conditions of an SNMP profile, as they are written: `when = { sysObjectID = { under = "1.3.6.1.4.1.9" } }`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streampoll.config.convert import Place, read_table
from streampoll.config.report import shorten
from streampoll.snmp.ber import dotted
from streampoll.snmp.plan import Condition, Oid

_OID = re.compile(r"\.?[012](?:\.\d{1,10}){0,127}")
_NAME = re.compile(r"[A-Za-z][\w-]*(?:::[A-Za-z].*|\.[\d.]+)?")


@dataclass(frozen=True, slots=True)
class _ConditionTable:
    """All words of a condition but `is`, which Python keeps to itself."""

    is_not: Any = None
    match: str = ""
    not_match: str = ""
    under: tuple[str, ...] = ()
    exists: bool | None = None


def read_conditions(data: Any, place: Place) -> tuple[Condition, ...]:
    """Return conditions by the names of their metrics; wrong ones are faults."""
    if data is None:
        return ()
    found = [_condition(name, each, place.at(name)) for name, each in place.table(data).items()]
    return tuple(condition for condition in found if condition is not None)


def read_oid(text: str, place: Place, least: int = 2) -> Oid:
    """Return an OID as numbers; an empty one with a fault for text that isn't one, or has fewer than `least` arcs."""
    numbers = tuple(map(int, text.strip(".").split("."))) if _OID.fullmatch(text) else ()
    if len(numbers) >= least and max(numbers) < 1 << 32 and (numbers[0] == 2 or len(numbers) < 2 or numbers[1] < 40):
        return numbers
    if _NAME.fullmatch(text):
        place.fault(f"{shorten(text)} is a name, not an OID", "compile it: streampoll profile compile FILE")
    else:
        place.fault(
            f"{shorten(text)} is not an OID", 'write it in numbers, as "1.3.6.1.2.1.1.3.0" (snmptranslate -On NAME)'
        )
    return ()


def read_regex(text: str, place: Place) -> str:
    """Return a regular expression; "" with a fault for what is none."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        place.fault(f"{shorten(text)} is not a regular expression: {error}", "write one in Python's syntax")
        return ""
    return text


def read_values(data: Any, place: Place) -> tuple[int | float | str, ...]:
    """Return a number or text, or a list of them."""
    values = data if isinstance(data, list) else [data]
    if values and all(isinstance(each, int | float | str) and not isinstance(each, bool) for each in values):
        return tuple(values)
    place.fault(f"{shorten(data)} is not allowed", "expected a number, a text or a list of them")
    return ()


def _condition(name: str, data: Any, place: Place) -> Condition | None:
    if not isinstance(data, Mapping):
        return Condition(name, equals=read_values(data, place))
    words = dict(data)
    equals = read_values(words.pop("is"), place.at("is")) if "is" in words else ()
    before = len(place.report.faults)
    table = read_table(_ConditionTable, words, place)
    if table is None:
        return None
    if not data:
        place.fault(
            "no condition", 'write one, as { is = "up" }, { match = "^Gi" }, { under = "1.3.6" } or { exists = true }'
        )
    differs = () if table.is_not is None else read_values(table.is_not, place.at("is_not"))
    under = tuple(dotted(read_oid(each, place.at("under"))) for each in table.under)
    match = read_regex(table.match, place.at("match"))
    mismatch = read_regex(table.not_match, place.at("not_match"))
    if len(place.report.faults) > before:
        return None
    return Condition(name, equals, differs, match, mismatch, under, table.exists)
