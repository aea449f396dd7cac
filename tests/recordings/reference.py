"""What net-snmp's own tools read from an agent: the other opinion."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from streampoll.embedded.fleet import ber, walkfile
from streampoll.model import Value
from streampoll.snmp.plan import Kind, Oid
from tests.fleet_support import NetSnmp

_AT_ONCE: Final = 20  # OIDs in one GET
_NUMBERS: Final = frozenset({ber.INTEGER, ber.COUNTER32, ber.GAUGE32, ber.TIMETICKS, ber.COUNTER64})
_OCTETS: Final = frozenset({ber.OCTETS, ber.OPAQUE, ber.IP_ADDRESS})
_UNSIGNED: Final = frozenset({Kind.COUNTER, Kind.TICKS})
_INTEGERS: Final = frozenset({Kind.INTEGER, Kind.FLOAT}) | _UNSIGNED


@dataclass(frozen=True, slots=True)
class Typed:
    """A value with the tag of its type, as net-snmp names it; octets are Latin-1."""

    tag: int
    text: str


@dataclass(slots=True)
class Reference:
    """What net-snmp reads from one agent; each column and scalar once."""

    tools: NetSnmp
    _columns: dict[Oid, dict[Oid, Typed]] = field(default_factory=dict)
    _scalars: dict[Oid, Typed | None] = field(default_factory=dict)

    def column(self, oid: Oid) -> Mapping[Oid, Typed]:
        """Return a column's cells by index, as snmpbulkwalk reads them."""
        if oid not in self._columns:
            out = self.tools.run("snmpbulkwalk", "-Ox", "-Cr40", dotted(oid)).stdout
            cells = _parse(out)
            self._columns[oid] = {each[len(oid) :]: cell for each, cell in cells.items() if each[: len(oid)] == oid}
        return self._columns[oid]

    def read(self, oids: Iterable[Oid]) -> None:
        """Read scalars, several in one snmpget."""
        wanted = [oid for oid in dict.fromkeys(oids) if oid not in self._scalars]
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            found = _parse(self.tools.run("snmpget", "-Ox", *map(dotted, some)).stdout)
            self._scalars |= {oid: found.get(oid) for oid in some}

    def scalar(self, oid: Oid) -> Typed | None:
        """Return one value."""
        self.read([oid])
        return self._scalars[oid]


def dotted(oid: Oid) -> str:
    """Write an OID as text."""
    return ".".join(map(str, oid))


def _parse(output: str) -> dict[Oid, Typed]:
    found = {}
    for _, oid, type_name, text in walkfile.records(output):
        if not text.startswith("No more variables") and "No Such" not in text:
            found[tuple(map(int, oid.strip(".").split(".")))] = Typed(*walkfile.convert(type_name, text))
    return found


def as_kind(typed: Typed | None, kind: Kind) -> Value:
    """Return the value of a kind that a profile would have; None where the type is another one."""
    if typed is None:
        return None
    if typed.tag in _NUMBERS:
        number = int(typed.text)
        fits = kind is Kind.AUTO or (kind in _INTEGERS and (number >= 0 or kind not in _UNSIGNED))
        return number if fits else None
    if typed.tag == ber.OBJECT_ID:
        return typed.text.strip(".") if kind in (Kind.AUTO, Kind.OID) else None
    if typed.tag not in _OCTETS or kind in _INTEGERS or kind is Kind.OID:
        return None
    return _octets(_bytes(typed), kind)


def _bytes(typed: Typed) -> bytes:
    if typed.tag == ber.IP_ADDRESS:
        return bytes(map(int, typed.text.split(".")))
    return typed.text.encode("latin-1")


def _octets(octets: bytes, kind: Kind) -> Value:
    if kind is Kind.IP and len(octets) not in (4, 8, 16, 20):
        return None
    if kind is not Kind.TEXT:
        return octets
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets
