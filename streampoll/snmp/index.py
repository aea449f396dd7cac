"""A row's index taken apart into the objects of its INDEX clause (RFC 2578 7.7), and made up again for look-ups."""

from collections.abc import Sequence

from streampoll.model import Value
from streampoll.snmp.ber import dotted
from streampoll.snmp.plan import IndexPart, Kind, Oid, PartKind

MISFIT = "index does not fit"

Split = tuple[tuple[Value, Oid], ...]
"""For each part its value, and the arcs that it takes up in the index."""

_DNS = 16  # InetAddressType (RFC 4001); the others are octets
_INET_SIZES = {0: 0, 1: 4, 2: 16, 3: 8, 4: 20}  # of the types that have one size


class _Misfit(Exception):  # noqa: N818 - no error: it never leaves this module
    """The arcs are not an index of this form."""


def split_index(parts: Sequence[IndexPart], arcs: Oid) -> Split | None:
    """Decode an index; None if it is not made of these parts, exactly."""
    split: list[tuple[Value, Oid]] = []
    at = 0
    try:
        for part in parts:
            value, end = _take(part, arcs, at)
            split.append((value, arcs[at:end]))
            at = end
    except _Misfit:
        return None
    return tuple(split) if at == len(arcs) else None


def index_of(kind: Kind, value: Value) -> Oid:
    """Encode a value as part of an index: a number is one arc; octets have their length first, but for an IpAddress."""
    match value:
        case int():
            return (value,)
        case str() if kind is Kind.OID and value:
            arcs = tuple(map(int, value.split(".")))
            return (len(arcs), *arcs)
        case str():
            octets = value.encode()
            return (len(octets), *octets)
        case bytes() if kind is Kind.IP:
            return tuple(value)
        case bytes():
            return (len(value), *value)
    return ()


def _take(part: IndexPart, arcs: Oid, at: int) -> tuple[Value, int]:
    """Return a part's value and where the next part begins."""
    match part.kind:
        case PartKind.INTEGER:
            return _arc(arcs, at), at + 1
        case PartKind.INET:
            return _inet(arcs, at, part.implied)
    start, end = _span(part, arcs, at)
    if part.kind is PartKind.OID:
        return dotted(arcs[start:end]), end
    octets = _octets(arcs[start:end])
    return (_text(octets) if part.kind is PartKind.TEXT else octets), end


def _span(part: IndexPart, arcs: Oid, at: int) -> tuple[int, int]:
    """Return where a part's content begins and ends."""
    if part.implied:
        return at, len(arcs)
    size = part.size
    if not size:
        size, at = _arc(arcs, at), at + 1
    if at + size > len(arcs):
        raise _Misfit
    return at, at + size


def _inet(arcs: Oid, at: int, implied: bool) -> tuple[Value, int]:
    """Return the address behind its type: octets, or the name where the type is dns; None where it is unknown.

    Some agents leave the length out, against RFC 4001 4.1 (`implied`): it follows from the type.
    """
    kind, at = _arc(arcs, at), at + 1
    if implied:
        size = _INET_SIZES.get(kind, len(arcs) - at)
    else:
        size, at = _arc(arcs, at), at + 1
    if at + size > len(arcs):
        raise _Misfit
    octets = _octets(arcs[at : at + size])
    return (_text(octets) if kind == _DNS else octets or None), at + size


def _arc(arcs: Oid, at: int) -> int:
    if at >= len(arcs):
        raise _Misfit
    return arcs[at]


def _octets(arcs: Oid) -> bytes:
    try:
        return bytes(arcs)
    except ValueError:
        raise _Misfit from None


def _text(octets: bytes) -> str | bytes:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets
