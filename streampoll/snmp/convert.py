"""From what stands on the wire to a `Value`, by the kind that the profile says; what does not fit is a reason."""

from collections.abc import Callable, Sequence
from typing import Final

from streampoll.model import Value
from streampoll.snmp.ber import TAG_NAMES, Absent, Wire
from streampoll.snmp.plan import Kind

EMPTY: Final = "empty"  # octets that should be an address or a date, and are none at all
NULL_VALUE: Final = "null value"  # one by which the device says, as its profile knows, that it has none
NO_MATCH: Final = "no match"
NO_DATE: Final = "no date"
NO_FACTOR: Final = "nothing to multiply by"
NO_KEY: Final = "no key to look up"
NOT_FOR_DEVICE: Final = "not for this device"  # the profile's own condition does not hold
NONEXISTENT: Final = frozenset(
    {*(absent.value for absent in Absent), "noSuchName", "no rows", EMPTY, NULL_VALUE, NO_MATCH, NO_DATE, NO_FACTOR}
    | {NO_KEY, NOT_FOR_DEVICE}
)
"""Reasons that mean: the device does not have it. Any other reason is trouble."""


PLAIN: Final[dict[Kind, type]] = {
    Kind.INTEGER: int, Kind.COUNTER: int, Kind.TICKS: int, Kind.BYTES: bytes, Kind.OID: str, Kind.BITS: bytes,
    Kind.MAC: bytes, Kind.DATETIME: bytes, Kind.FLOAT: float,
}  # fmt: skip
"""Kinds whose wire values of this type (and not negative) need no conversion."""


class Misfit(Exception):  # noqa: N818 - no error: it never leaves this module
    """The value has another type than the profile says; its argument is the reason where that is another."""


def are_counts(wires: Sequence[Wire]) -> bool:
    """Tell whether values are integers that are not negative, all of them and at least one."""
    return {*map(type, wires)} == {int} and min(wires) >= 0  # type: ignore[type-var, operator]  # int, see before


def convert(kind: Kind, tag: int, value: Wire) -> tuple[Value, str]:
    """Return (value, "") or (None, reason); never raises."""
    if isinstance(value, Absent):
        return None, value.value
    try:
        return _CONVERSIONS[kind](value), ""
    except Misfit as misfit:
        if misfit.args:
            return None, str(misfit)
        return None, f"wrongType: {TAG_NAMES.get(tag, hex(tag))} where {kind.name} was expected"


def _any(value: Wire) -> Value:
    if isinstance(value, Absent):
        raise Misfit
    return value


def _integer(value: Wire) -> int:
    if isinstance(value, int):
        return value
    raise Misfit


def _unsigned(value: Wire) -> int:
    if isinstance(value, int) and value >= 0:
        return value
    raise Misfit


def _text(value: Wire) -> str | bytes:
    if not isinstance(value, bytes):
        raise Misfit
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _bytes(value: Wire) -> bytes:
    if isinstance(value, bytes):
        return value
    raise Misfit


def _oid(value: Wire) -> str:
    if isinstance(value, str):
        return value
    raise Misfit


def _ip(value: Wire) -> bytes:
    if value == b"":
        raise Misfit(EMPTY)  # InetAddressType unknown(0)
    if isinstance(value, bytes) and len(value) in (4, 8, 16, 20):
        return value
    raise Misfit


def _float(value: Wire) -> float:
    if isinstance(value, int | float):
        return value
    raise Misfit


_CONVERSIONS: Final[dict[Kind, Callable[[Wire], Value]]] = {
    Kind.AUTO: _any,
    Kind.INTEGER: _integer,
    Kind.COUNTER: _unsigned,
    Kind.TICKS: _unsigned,
    Kind.TEXT: _text,
    Kind.BYTES: _bytes,
    Kind.OID: _oid,
    Kind.IP: _ip,
    Kind.FLOAT: _float,
    Kind.BITS: _bytes,
    Kind.MAC: _bytes,
    Kind.DATETIME: _bytes,
}
