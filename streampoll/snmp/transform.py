"""What a profile makes of a value: unknowns to null, text extracted, octets to addresses, numbers scaled.

A transform is compiled once a metric, to a chain of the steps that its `Change` has. What a step can't do is a reason,
as everywhere: never 0, never an empty text.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Final

from streampoll.model import Value
from streampoll.snmp.convert import EMPTY, NO_DATE, NO_FACTOR, NO_MATCH, NULL_VALUE
from streampoll.snmp.display import address_text, date_of, plain_text, raw_text
from streampoll.snmp.plan import Change, Form, Kind, Metric

Transform = Callable[[Value], tuple[Value, str]]
"""Returns (value, "") or (None, reason); not called for None."""

_Step = Callable[[Value], Value]
_NTP_EPOCH: Final = 2_208_988_800  # seconds from 1900 to 1970
_TOO_LARGE: Final = "beyond 64 bits"
_GROUP: Final = re.compile(r"\$(\d)")


class _No(Exception):  # noqa: N818 - no error: it never leaves this module
    """There is no value; the argument is the reason."""


def transform_of(metric: Metric) -> Transform | None:
    """Return what makes a metric's values; None if they stay as they are."""
    steps = _steps(metric)
    if not steps:
        return None

    def transform(value: Value) -> tuple[Value, str]:
        try:
            for step in steps:
                value = step(value)
        except _No as reason:
            return None, str(reason)
        return value, ""

    return transform


def factors_of(change: Change | None) -> tuple[str, ...]:
    """Name the metrics that a value is multiplied by, in the order that `multiplied` wants their values."""
    if change is None:
        return ()
    return tuple(filter(None, (change.times, change.sensor_scale, change.sensor_precision)))


def multiplied(change: Change, value: Value, factors: Sequence[Value]) -> tuple[Value, str]:
    """Return a value times its factors, or (None, reason).

    A sensor's are those of RFC 3433: 10^(3(scale-9)) and 10^-precision.
    """
    left = list(factors)
    exponent = 0
    try:
        made = _number(value)
        if change.times:
            made *= _number(left.pop(0))
        if change.sensor_scale:
            exponent += 3 * (_whole(left.pop(0)) - 9)
        if change.sensor_precision:
            exponent -= _whole(left.pop(0))
    except _No as reason:
        return None, str(reason)
    if abs(exponent) > 60:
        return None, "a factor out of range"
    made = made * 10**exponent if exponent >= 0 else made / 10**-exponent
    return (made, "") if _is_finite(made) else (None, _TOO_LARGE)


def _steps(metric: Metric) -> list[_Step]:
    """Compile the steps of a metric's change."""
    change = metric.change
    if change is None:
        return []
    steps: list[_Step] = []
    if change.null:
        steps.append(_nulls(frozenset(change.null)))
    if change.extract:
        steps.append(_extractor(raw_text(metric), change.extract))
    if change.form is Form.TEXT:
        steps.append(raw_text(metric))
    elif change.form is Form.EPOCH:
        steps.append(_epoch if metric.kind is Kind.DATETIME else _ntp)
    elif change.form is not None:
        steps.append(_FORMS[change.form])
    if (change.divide, change.scale, change.offset) != (None, None, None):
        steps.append(_linear(change.divide, change.scale, change.offset))
    return steps


def _nulls(nulls: frozenset[int | float | str]) -> _Step:
    def unless_null(value: Value) -> Value:
        if (plain_text(value) if isinstance(value, bytes) else value) in nulls:
            raise _No(NULL_VALUE)
        return value

    return unless_null


def _extractor(text_of: Callable[[Value], str], rules: Sequence[tuple[str, str]]) -> _Step:
    compiled = [(re.compile(regex), template) for regex, template in rules]

    def extract(value: Value) -> Value:
        text = text_of(value)
        for regex, template in compiled:
            if found := regex.search(text):
                return _fill(template, found)
        raise _No(NO_MATCH)

    return extract


def _fill(template: str, found: re.Match[str]) -> str:
    """Return the template with $1 … as the groups; an empty one stands for group 1, or all if there is none."""
    if template:
        return _GROUP.sub(lambda group: found[int(group[1])] or "", template)
    return (found[1] or "") if found.re.groups else found[0]


def _linear(divide: float | None, scale: float | None, offset: float | None) -> _Step:
    def compute(value: Value) -> Value:
        number = _number(value)
        if divide is not None:
            number /= divide
        if scale is not None:
            number *= scale
        if offset is not None:
            number += offset
        if not _is_finite(number):
            raise _No(_TOO_LARGE)
        return number

    return compute


def _is_finite(number: float) -> bool:
    """Tell whether a number can be stored."""
    return -(1 << 63) <= number < 1 << 64 if isinstance(number, int) else math.isfinite(number)


def _number(value: Value) -> int | float:
    if isinstance(value, int | float):
        return value
    raise _No(NO_FACTOR if value is None else f"not a number: {_short(value)}")


def _whole(value: Value) -> int:
    if isinstance(value, int):
        return value
    raise _No(NO_FACTOR if value is None else f"not a sensor's scale or precision: {_short(value)}")


def _short(value: Value) -> str:
    text = plain_text(value)
    return repr(text if len(text) <= 30 else f"{text[:29]}…")


def _octets(value: Value) -> bytes:
    if isinstance(value, bytes) and value:
        return value
    raise _No(EMPTY if value == b"" else f"not octets: {_short(value)}")


def _mac(value: Value) -> Value:
    return _octets(value).hex(":")


def _hex(value: Value) -> Value:
    return _octets(value).hex()


def _ip(value: Value) -> Value:
    octets = _octets(value)
    text = address_text(octets)
    if text is None:
        raise _No(f"{len(octets)} octets are no address")
    return text


def _unsigned(value: Value) -> Value:
    octets = _octets(value)
    if octets[:-8].strip(b"\x00"):
        raise _No(_TOO_LARGE)
    return int.from_bytes(octets)


def _seconds(value: Value) -> Value:
    return _number(value) / 100


def _epoch(value: Value) -> Value:
    """DateAndTime to seconds since 1970; one without a time zone is taken for UTC."""
    date = date_of(_octets(value))
    if date is None:
        raise _No(NO_DATE)
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _ntp(value: Value) -> Value:
    """NTP time stamp (RFC 5905 6: 32 bits of seconds since 1900, 32 of fraction) to seconds since 1970."""
    octets = _octets(value)
    if len(octets) != 8 or not any(octets):
        raise _No(NO_DATE)
    return int.from_bytes(octets) / (1 << 32) - _NTP_EPOCH


def _to_number(value: Value) -> Value:
    """Text to an int where it is one, else to a float."""
    if isinstance(value, int | float):
        return value
    text = plain_text(value).strip()
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        if _is_finite(number):
            return number
    raise _No(f"not a number: {_short(value)}")


_FORMS: Final[dict[Form, _Step]] = {
    Form.MAC: _mac,
    Form.IP: _ip,
    Form.HEX: _hex,
    Form.SECONDS: _seconds,
    Form.NUMBER: _to_number,
    Form.UNSIGNED: _unsigned,
}
