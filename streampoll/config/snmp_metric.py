"""A scalar, column or index part of an SNMP profile, as it is written: one inline table each."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.report import nearest, shorten
from streampoll.config.snmp_condition import read_conditions, read_oid, read_regex, read_values
from streampoll.snmp.hint import valid_hint
from streampoll.snmp.plan import Change, Form, IndexPart, Kind, Metric, PartKind

_FORMS: Final = {form.name.lower(): form for form in Form}
_PARTS: Final = {  # word -> (how it is encoded, what its value is, octets if none are said)
    "integer": (PartKind.INTEGER, Kind.INTEGER, 0),
    "text": (PartKind.TEXT, Kind.TEXT, 0),
    "bytes": (PartKind.BYTES, Kind.BYTES, 0),
    "mac": (PartKind.BYTES, Kind.MAC, 6),
    "oid": (PartKind.OID, Kind.OID, 0),
    "ip": (PartKind.BYTES, Kind.IP, 4),
    "inet": (PartKind.INET, Kind.IP, 0),
}


class _Type(StrEnum):
    """The words for `Kind` in files."""

    AUTO = "auto"
    INTEGER = "integer"
    COUNTER = "counter"
    TICKS = "ticks"
    TEXT = "text"
    BYTES = "bytes"
    OID = "oid"
    IP = "ip"
    FLOAT = "float"
    BITS = "bits"
    MAC = "mac"
    DATETIME = "datetime"


class _PartType(StrEnum):
    """The words for what a part of an index is."""

    INTEGER = "integer"
    TEXT = "text"
    BYTES = "bytes"
    MAC = "mac"
    OID = "oid"
    IP = "ip"
    INET = "inet"


@dataclass(frozen=True, slots=True)
class _SensorTable:
    """The metrics that have a sensor's scale and precision (RFC 3433)."""

    scale: str = ""
    precision: str = ""


@dataclass(frozen=True, slots=True)
class _MetricTable:
    """All words of a metric but `from` and `as`, which Python keeps to itself."""

    oid: str = ""
    type: _Type = _Type.AUTO
    fallback: str = ""
    enum: Any = None
    display: str = ""
    unit: str = ""
    null: Any = None
    extract: Any = None
    divide: Any = None
    scale: Any = None
    offset: Any = None
    times: str = ""
    sensor: Any = None
    by: Any = None
    keep: bool = True
    when: Any = None


@dataclass(frozen=True, slots=True)
class _PartTable:
    """All words of an index part but `as`."""

    name: str
    type: _PartType
    size: Annotated[int, Meta(ge=0, le=128)] = 0
    implied: bool = False
    enum: Any = None
    display: str = ""
    unit: str = ""
    null: Any = None
    extract: Any = None
    keep: bool = True


def read_metrics(data: Any, place: Place) -> dict[str, Metric]:
    """Return scalars or columns by name; wrong ones are faults."""
    metrics = {name: _metric(name, each, place.at(name)) for name, each in place.table(data).items()}
    return {name: metric for name, metric in metrics.items() if metric is not None}


def read_index(data: Any, place: Place) -> tuple[IndexPart, ...]:
    """Return the parts of an index; wrong ones are faults."""
    if not isinstance(data, list):
        place.fault(f"{shorten(data)} is not a list", 'write its parts, as [{ name = "ifIndex", type = "integer" }]')
        return ()
    parts = [_part(each, place.at(number)) for number, each in enumerate(data)]
    for number, part in enumerate(parts[:-1]):
        if part is not None and part.implied and part.kind is not PartKind.INET:
            place.at(number).fault(f"'{part.metric.name}' is implied, and not the last", "only the last part can be")
    return tuple(part for part in parts if part is not None)


def _metric(name: str, data: Any, place: Place) -> Metric | None:
    before = len(place.report.faults)
    words = dict(place.table(data))
    source, form = words.pop("from", ""), words.pop("as", None)
    table = read_table(_MetricTable, words, place)
    if table is None or len(place.report.faults) > before:
        return None
    _check_origin(table.oid, source, place)
    if len(place.report.faults) > before:
        return None
    metric = Metric(
        name,
        read_oid(table.oid, place.at("oid")) if table.oid else (),
        Kind[table.type.name],
        read_oid(table.fallback, place.at("fallback")) if table.fallback else None,
        _enum(table.enum, place.at("enum")),
        _display(table.display, place.at("display")),
        table.unit,
        _change(table, form, place),
        source,
        _by(table.by, place.at("by")),
        table.keep,
        read_conditions(table.when, place.at("when")),
    )
    return metric if len(place.report.faults) == before else None


def _check_origin(oid: str, source: Any, place: Place) -> None:
    """A value comes from an OID or from another metric: from one of them."""
    if not isinstance(source, str):
        place.at("from").fault(f"{shorten(source)} is not allowed", "expected the name of another metric")
    elif not oid and not source:
        place.fault("'oid' is missing", 'oid = "1.3.6.1…" (or from = the name of another metric)')
    elif oid and source:
        place.at("from").fault("it has an OID already", "write oid or from")


def _part(data: Any, place: Place) -> IndexPart | None:
    before = len(place.report.faults)
    words = dict(place.table(data))
    form = words.pop("as", None)
    table = read_table(_PartTable, words, place)
    if table is None or len(place.report.faults) > before:
        return None
    kind, value, size = _PARTS[table.type.value]
    if table.size and kind not in (PartKind.TEXT, PartKind.BYTES):
        place.at("size").fault(f"type {table.type.value} has no size", "leave it out")
    if table.implied and (kind is PartKind.INTEGER or table.size):
        place.at("implied").fault("its length is known", "leave it out")
    change = _change(table, form, place)
    metric = Metric(
        table.name, (), value, None, _enum(table.enum, place.at("enum")),
        _display(table.display, place.at("display")), table.unit, change, keep=table.keep,
    )  # fmt: skip
    implied_size = 0 if table.implied else table.size or size
    return None if len(place.report.faults) > before else IndexPart(metric, kind, implied_size, table.implied)


def _enum(data: Any, place: Place) -> tuple[tuple[int, str], ...]:
    """Return the names of an enumeration's numbers."""
    if data is None:
        return ()
    pairs = []
    for number, word in place.table(data).items():
        if re.fullmatch(r"-?\d+", number) and isinstance(word, str):
            pairs.append((int(number), word))
        else:
            place.at(number).fault(f"{shorten(word)} for {number}", 'write numbers and their names, as { 1 = "up" }')
    return tuple(sorted(pairs))


def _display(hint: str, place: Place) -> str:
    if hint and not valid_hint(hint):
        place.fault(f"{shorten(hint)} is not a DISPLAY-HINT", 'write one of RFC 2579 3.1, as "d-2", "1x:" or "255a"')
    return hint


def _by(data: Any, place: Place) -> tuple[str | int, ...]:
    """Return names and constants that make up an index."""
    if data is None:
        return ()
    parts = data if isinstance(data, list) else [data]
    if parts and all(isinstance(each, str) or (type(each) is int and 0 <= each < 1 << 32) for each in parts):
        return tuple(parts)
    place.fault(f"{shorten(data)} is not allowed", "expected a name, or a list of names and numbers")
    return ()


def _change(table: _MetricTable | _PartTable, form: Any, place: Place) -> Change | None:
    """Return the transforms; None if there are none."""
    null = () if table.null is None else read_values(table.null, place.at("null"))
    extract = () if table.extract is None else _extract(table.extract, place.at("extract"))
    change = Change(null, extract, None if form is None else _form(form, place.at("as")))
    if isinstance(table, _MetricTable):
        sensor = read_table(_SensorTable, table.sensor or {}, place.at("sensor")) or _SensorTable()
        change = Change(
            null, extract, change.form,
            _number(table.divide, place.at("divide"), nonzero=True), _number(table.scale, place.at("scale")),
            _number(table.offset, place.at("offset")), table.times, sensor.scale, sensor.precision,
        )  # fmt: skip
    return None if change == Change() else change


def _form(word: Any, place: Place) -> Form | None:
    if isinstance(word, str) and word in _FORMS:
        return _FORMS[word]
    place.fault(f"{shorten(word)} is not allowed", nearest(str(word), _FORMS))
    return None


def _extract(data: Any, place: Place) -> tuple[tuple[str, str], ...]:
    """Return the rules of an extraction: a regex, or a list of { match, value }."""
    if isinstance(data, str):
        return ((read_regex(data, place), ""),)
    rules = data if isinstance(data, list) else []
    found = [(rule.get("match"), rule.get("value", "")) for rule in rules if _is_rule(rule)]
    if not found or len(found) < len(rules):
        place.fault(f"{shorten(data)} is not allowed", 'write a regex, or [{ match = "regex", value = "$1" }]')
        return ()
    return tuple((_checked(regex, value, place), value) for regex, value in found)


def _is_rule(rule: Any) -> bool:
    """Tell whether a rule has a regex, perhaps a template, and nothing else."""
    texts = isinstance(rule, Mapping) and all(isinstance(each, str) for each in rule.values())
    return texts and {"match"} <= rule.keys() <= {"match", "value"}


def _checked(regex: str, template: str, place: Place) -> str:
    """Return a regex that has the groups of its template."""
    regex = read_regex(regex, place)
    most = max((int(number) for number in re.findall(r"\$(\d)", template)), default=0)
    if regex and most > re.compile(regex).groups:
        place.fault(f"{shorten(regex)} has no group {most}", f"put brackets around what ${most} stands for")
    return regex


def _number(data: Any, place: Place, *, nonzero: bool = False) -> float | None:
    if data is None:
        return None
    if type(data) in (int, float) and math.isfinite(data) and not (nonzero and data == 0):
        return data  # type: ignore[no-any-return]
    place.fault(f"{shorten(data)} is not allowed", f"expected a number{' other than 0' if nonzero else ''}")
    return None
