"""How soon 32-bit octet counters wrap: polled more slowly than half of that, a wrap can't be told from a reset.

At 1 Gbit/s an ifInOctets wraps after 34 s. Its 64-bit sibling is asked first wherever a profile says so; here is what
is left: agents without it, and all that are spoken to in SNMPv1, which can't carry a Counter64.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streampoll.model import Table, Value
from streampoll.snmp.plan import Metric, TableSpec

_IF_ENTRY: Final = (1, 3, 6, 1, 2, 1, 2, 2, 1)
_OCTETS: Final = frozenset({(*_IF_ENTRY, 10), (*_IF_ENTRY, 16)})  # ifInOctets, ifOutOctets
_SPEED: Final = (*_IF_ENTRY, 5)  # ifSpeed, bit/s
_HIGH_SPEED: Final = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15)  # ifHighSpeed, Mbit/s
_HALF_BITS: Final = 8 * 2**31


@dataclass(frozen=True, slots=True)
class Octets:
    """Where a table has the interfaces' octets and speeds, by the names of columns; "": it has none."""

    counters: tuple[str, ...]
    speed: str
    high_speed: str

    def half_wrap_s(self, table: Table) -> float:
        """Return half the wrap time of the fastest interface with a 32-bit counter; 0.0 if there is none."""
        narrow = {row for name in self.counters for row in table.counter32.get(name, ())}
        speeds = [_bits_per_s(self, table.columns, table.rows[row]) for row in narrow]
        fastest = max(speeds, default=0)
        return _HALF_BITS / fastest if fastest else 0.0


def octets_of(spec: TableSpec) -> Octets | None:
    """Find the octets and speeds of IF-MIB in a table; None if it has not both."""
    kept = [metric for metric in spec.columns if metric.keep and metric.change is None]
    counters = tuple(metric.name for metric in kept if metric.oid in _OCTETS or metric.fallback in _OCTETS)
    speed, high_speed = _named(kept, _SPEED), _named(kept, _HIGH_SPEED)
    return Octets(counters, speed, high_speed) if counters and (speed or high_speed) else None


def _named(metrics: Sequence[Metric], oid: tuple[int, ...]) -> str:
    return next((metric.name for metric in metrics if metric.oid == oid), "")


def _bits_per_s(octets: Octets, columns: Sequence[str], row: Sequence[Value]) -> int:
    """Return an interface's speed; 0 if it is not known. ifSpeed ends at 4.3 Gbit/s."""
    cells = dict(zip(columns, row[1:], strict=True))
    high, plain = cells.get(octets.high_speed), cells.get(octets.speed)
    if isinstance(high, int) and high:
        return high * 1_000_000
    return plain if isinstance(plain, int) else 0
