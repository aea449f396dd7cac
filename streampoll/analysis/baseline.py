"""What the next poll's counters are compared with: the last values of a job's counters on one device, and their times.

Rows are known by a stable key (ifName), never by their place or index. Times are kept by row, since a long table comes
in many replies, and a walk that was cut leaves some rows older than others.
"""

from typing import Any

import msgspec

Value = Any  # of a counter: an int, or None


class TableBase(msgspec.Struct, array_like=True):
    """The last values of a table's counters."""

    rows: list[str]  # stable keys
    index: list[Any]  # the rows' indexes then
    at: list[float]  # wall clock when a row's values arrived
    uptime: list[int | None]  # sysUpTime of the same reply
    columns: dict[str, list[Value]]
    narrow: dict[str, list[int]]  # counter -> the places of rows in which it had 32 bits
    jumped: list[Any]  # when a row's counters last jumped, as the device said; []: it does not say


class Baseline(msgspec.Struct, array_like=True):
    """The last values of all counters of a (device, job); packed, an array in this order."""

    slot: int = 0  # of the last result that was analysed
    at: float = 0.0  # wall clock when the scalars arrived; 0.0: none did
    uptime: int | None = None
    boots: int | None = None  # snmpEngineBoots
    scalars: dict[str, Value] = msgspec.field(default_factory=dict)
    narrow: list[str] = msgspec.field(default_factory=list)  # scalars that had 32 bits
    tables: dict[str, TableBase] = msgspec.field(default_factory=dict)


_packed = msgspec.msgpack.Encoder().encode
_baseline = msgspec.msgpack.Decoder(Baseline).decode


def pack(base: Baseline) -> bytes:
    """Return a baseline as msgpack."""
    return _packed(base)


def unpack(packed: bytes) -> Baseline:
    """Read back what `pack` made; ValueError if it is none."""
    try:
        base = _baseline(packed)
    except msgspec.MsgspecError as error:
        raise ValueError(f"a baseline: {error}") from None
    for table in base.tables.values():
        count = len(table.rows)
        lengths = {len(table.index), len(table.at), len(table.uptime), *map(len, table.columns.values())}
        if lengths != {count} or len(table.jumped) not in (0, count):
            raise ValueError("the columns of a table's baseline are not equally long")
    return base
