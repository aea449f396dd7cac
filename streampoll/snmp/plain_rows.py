"""Rows of integers read at once from the bytes of a reply, as nearly all replies to a walk of counters have them.

`message` makes a varbind of every cell, which a walk then takes apart again; this takes half the time, and makes
nothing but indexes and values. One expression, compiled once a table and index length, matches a row: each cell's OID
is its column's prefix with the row's index behind it, its lengths are of one byte and agree, its value is an integer of
at most eight bytes that is not negative. So it accepts nothing that the complete decoder reads differently, and needs
no backtracking: at each byte at most one branch goes on. What is not of this form is left to the complete decoder.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from streampoll.errors import SnmpError
from streampoll.model import Value
from streampoll.snmp.ber import OBJECT_IDENTIFIER, SEQUENCE
from streampoll.snmp.message import Varbind, list_start, read_plain, read_varbinds

_LONGEST_INDEX: Final = 16  # bytes; an expression is compiled for each length that comes
_LONGEST_OID: Final = 100  # bytes, so that all of a varbind's lengths are of one byte
_TAGS: Final = rb"[\x02\x41-\x43\x46]"  # INTEGER, Counter32, Gauge32, TimeTicks, Counter64
_SIZES: Final = range(1, 9)  # bytes of a value
_VALUE: Final = b"|".join(b"\\x%02x[\\x00-\\x7f].{%d}" % (size, size - 1) for size in _SIZES)


@dataclass(slots=True, eq=False)
class PlainRows:
    """The rows of a reply, and what came before and behind them."""

    _data: bytes
    _start: int  # of the varbind list
    prefixes: tuple[bytes, ...]  # of the columns
    before: list[Varbind]  # the varbinds before the rows
    indexes: tuple[bytes, ...]
    columns: list[list[Value]]  # values, all of them integers; the walk that takes them may append to them
    tags: list[int]  # of the first row
    rest: list[Varbind]  # the varbinds behind the rows

    @property
    def count(self) -> int:
        """How many varbinds the reply holds."""
        return len(self.before) + len(self.indexes) * len(self.columns) + len(self.rest)

    def varbinds(self) -> list[Varbind]:
        """Return all that the reply holds, as any other's."""
        return read_varbinds(self._data, self._start)


@dataclass(frozen=True, slots=True)
class RowsForm:
    """The form of a reply to a walk of columns of integers."""

    prefixes: tuple[bytes, ...]  # of the columns
    before: int  # varbinds before the rows

    def read(self, data: bytes, start: int) -> PlainRows | None:
        """Read the varbind list that starts at `start` and must end with the data; None if it is not plain."""
        return _read_rows(data, start, self.prefixes, self.before)


def _read_rows(data: bytes, start: int, prefixes: tuple[bytes, ...], before: int) -> PlainRows | None:
    try:
        at = list_start(data, start)
        first = at
        for _ in range(before):
            first += 2 + data[first + 1]
        ahead = read_plain(data[at:first], 0) if before else []
        row = _row_of(prefixes, data[first + 3] - len(prefixes[0]))
        if len(ahead) != before or row is None:
            return None
        rows = row.findall(data, first)
        rest = rows.pop()[-1] if rows and rows[-1][-1] else b""
        if not rows or rest.startswith(prefixes[0], 4):
            return None
        indexes, *columns, _ = zip(*rows, strict=True)
        from_bytes = int.from_bytes
        return PlainRows(
            data,
            start,
            prefixes,
            ahead,
            indexes,
            [[from_bytes(cell[2:]) for cell in column] for column in columns],
            [column[0][0] for column in columns],
            read_plain(rest, 0) if rest else [],
        )
    except (IndexError, SnmpError):
        return None  # the complete decoder says what is wrong


@lru_cache(maxsize=256)
def _row_of(prefixes: tuple[bytes, ...], index_bytes: int) -> re.Pattern[bytes] | None:
    """Compile the expression for a row: its groups are the index, each cell's tag, length and value, and the rest.

    The last one takes all that is left where no row begins: so matches have no gap between them. None if there is no
    such row.
    """
    if not 0 < index_bytes <= _LONGEST_INDEX or max(map(len, prefixes)) + index_bytes > _LONGEST_OID:
        return None
    parts = []
    for place, prefix in enumerate(prefixes):
        oid_bytes = len(prefix) + index_bytes
        lengths = b"|".join(  # those of the varbind and of its value
            b"\\x%02x.{%d}\\x%02x" % (4 + oid_bytes + size, oid_bytes + 3, size) for size in _SIZES
        )
        index = b"\\1" if place else b"(.{%d})" % index_bytes
        parts.append(
            b"\\x%02x(?=%b).\\x%02x\\x%02x%b%b(%b(?:%b))"
            % (SEQUENCE, lengths, OBJECT_IDENTIFIER, oid_bytes, re.escape(prefix), index, _TAGS, _VALUE)
        )
    return re.compile(b"%b|(.+)" % b"".join(parts), re.DOTALL)
