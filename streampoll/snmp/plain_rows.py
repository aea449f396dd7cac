"""Rows read at once from the bytes of a reply, as nearly all replies to a walk have them.

`message` makes a varbind of every cell, which a walk then takes apart again; this takes half the time, and makes
nothing but indexes and values. One expression, compiled once a table and index length, matches a row: each cell's OID
is its column's prefix with the row's index behind it, its value is of its column's plain form (`plain_cells`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from streampoll.errors import SnmpError
from streampoll.model import Value
from streampoll.snmp.message import Varbind, list_start, read_plain, read_varbinds
from streampoll.snmp.plain_cells import LONGEST_OID, Sort, content_of, expression

_LONGEST_INDEX: Final = 16  # bytes; an expression is compiled for each length that comes


@dataclass(slots=True, eq=False)
class PlainRows:
    """The rows of a reply, and what came before and behind them."""

    _data: bytes
    _start: int  # of the varbind list
    prefixes: tuple[bytes, ...]  # of the columns
    before: list[Varbind]  # the varbinds before the rows
    indexes: tuple[bytes, ...]
    columns: list[list[Value]]  # values; the walk that takes them may append to them
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
    """The form of a reply to a walk."""

    prefixes: tuple[bytes, ...]  # of the columns
    sorts: tuple[Sort, ...]  # of their values
    before: int  # varbinds before the rows

    def read(self, data: bytes, start: int) -> PlainRows | None:
        """Read the varbind list that starts at `start` and must end with the data; None if it is not plain."""
        try:
            at = list_start(data, start)
            first = at
            for _ in range(self.before):
                first += 2 + data[first + 1]
            ahead = read_plain(data[at:first], 0) if self.before else []
            index_bytes = data[first + 3] - len(self.prefixes[0])
            row = _row_of(self.prefixes, self.sorts, index_bytes)
            if len(ahead) != self.before or row is None:
                return None
            rows = row.findall(data, first)
            rest = rows.pop()[-1] if rows and rows[-1][-1] else b""
            if not rows or rest.startswith(self.prefixes[0], 4):
                return None
            indexes, *columns, _ = zip(*rows, strict=True)
            values, tags = self._values(columns, index_bytes)
            behind = read_plain(rest, 0) if rest else []
            return PlainRows(data, start, self.prefixes, ahead, indexes, values, tags, behind)
        except (IndexError, ValueError, SnmpError):
            return None  # the complete decoder says what is wrong, if anything is

    def _values(self, columns: Sequence[Sequence[bytes]], index_bytes: int) -> tuple[list[list[Value]], list[int]]:
        """Read the columns' cells; returns their values, and the tags of the first row."""
        values: list[list[Value]] = []
        tags = []
        for prefix, sort, cells in zip(self.prefixes, self.sorts, columns, strict=True):
            content, read = content_of(len(prefix) + index_bytes), sort.read
            values.append([read(cell[content]) for cell in cells])
            tags.append(cells[0][content.start - 2])
        return values, tags


@lru_cache(maxsize=256)
def _row_of(prefixes: tuple[bytes, ...], sorts: tuple[Sort, ...], index_bytes: int) -> re.Pattern[bytes] | None:
    """Compile the expression for a row: its groups are the index, each cell's varbind from its length on, and the rest.

    The last one takes all that is left where no row begins: so matches have no gap between them. None if there is no
    such row.
    """
    if not 0 < index_bytes <= _LONGEST_INDEX or max(map(len, prefixes)) + index_bytes > LONGEST_OID:
        return None
    parts = []
    for place, (prefix, sort) in enumerate(zip(prefixes, sorts, strict=True)):
        index = b"\\1" if place else b"(.{%d})" % index_bytes
        parts.append(expression(sort, re.escape(prefix) + index, len(prefix) + index_bytes))
    return re.compile(b"%b|(.+)" % b"".join(parts), re.DOTALL)
