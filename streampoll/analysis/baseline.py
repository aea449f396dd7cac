"""What the next poll's counters are compared with: the last values of a job's counters on one device, and their times.

Rows are known by a stable key (ifName), never by their place or index. Times are kept by row, since a long table comes
in many replies, and a walk that was cut leaves some rows older than others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Value = Any  # of a counter: an int, or None


@dataclass(slots=True)
class TableBase:
    """The last values of a table's counters."""

    rows: list[str]  # stable keys
    index: list[Any]  # the rows' indexes then
    at: list[float]  # wall clock when a row's values arrived
    uptime: list[int | None]  # sysUpTime of the same reply
    columns: dict[str, list[Value]]
    narrow: dict[str, list[int]]  # counter -> the places of rows in which it had 32 bits
    jumped: list[Any]  # when a row's counters last jumped, as the device said; []: it does not say


@dataclass(slots=True)
class Baseline:
    """The last values of all counters of a (device, job)."""

    slot: int = 0  # of the last result that was analysed
    at: float = 0.0  # wall clock when the scalars arrived; 0.0: none did
    uptime: int | None = None
    boots: int | None = None  # snmpEngineBoots
    scalars: dict[str, Value] = field(default_factory=dict)
    narrow: list[str] = field(default_factory=list)  # scalars that had 32 bits
    tables: dict[str, TableBase] = field(default_factory=dict)


def packable(base: Baseline) -> Sequence[Any]:
    """Return a baseline as what msgpack holds."""
    tables = {
        name: [table.rows, table.index, table.at, table.uptime, table.columns, table.narrow, table.jumped]
        for name, table in base.tables.items()
    }
    return [base.slot, base.at, base.uptime, base.boots, base.scalars, base.narrow, tables]


def unpacked(said: Any) -> Baseline:
    """Read back what `packable` made; ValueError if it is none."""
    match said:
        case [int(slot), float(at), uptime, boots, dict(scalars), list(narrow), dict(tables), *_]:
            return Baseline(slot, at, uptime, boots, scalars, narrow, {k: _table(v) for k, v in tables.items()})
    raise ValueError("a baseline is not [slot, at, uptime, boots, scalars, narrow, tables]")


def _table(said: Any) -> TableBase:
    match said:
        case [list(rows), list(index), list(at), list(uptime), dict(columns), dict(narrow), list(jumped), *_]:
            count = len(rows)
            if {len(index), len(at), len(uptime), *map(len, columns.values())} == {count} and len(jumped) in (0, count):
                return TableBase(rows, index, at, uptime, columns, narrow, jumped)
    raise ValueError("a table's baseline is not [rows, index, at, uptime, columns, narrow, jumped]")
