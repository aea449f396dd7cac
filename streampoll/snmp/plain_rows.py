"""Rows read at once from the bytes of a reply, as nearly all replies to a walk have them.

`message` makes a varbind of every cell, which a walk then takes apart again; this takes half the time, and makes
nothing but indexes and values. Expressions of a table and index length match a row, once they pay (`plain_forms`): each
cell's OID is its column's prefix with the row's index behind it, its value is of its column's plain form
(`plain_cells`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from streampoll.errors import SnmpError
from streampoll.model import Value
from streampoll.snmp.message import Varbind, list_start, read_plain, read_varbinds
from streampoll.snmp.plain_cells import LONGEST_OID, Sort, content_of, expression
from streampoll.snmp.plain_forms import FORMS, NEVER, Pattern, PiecedForm

_LONGEST_INDEX: Final = 16  # bytes; each length that comes has its own expressions
_Found = tuple[tuple[bytes, ...], list[tuple[bytes, ...]], bytes]
"""Indexes, columns of cells (each varbind from its length on), and what is behind the rows."""


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

    @property
    def is_compiled(self) -> bool:
        """Tell whether a reply can be read by it, at least one with indexes of some length."""
        lengths = range(1, _LONGEST_INDEX + 1)
        return any(FORMS.known.get((self.prefixes, self.sorts, length), NEVER).pieces for length in lengths)

    def read(self, data: bytes, start: int) -> PlainRows | None:
        """Read the varbind list that starts at `start` and must end with the data; None if it is not plain."""
        try:
            return self.match(data, list_start(data, start), start)
        except (IndexError, ValueError, SnmpError):
            return None  # the complete decoder says what is wrong, if anything is

    def match(self, data: bytes, at: int, start: int) -> PlainRows | None:
        """Read what begins at `at`, in the varbind list that starts at `start`; None if it is not plain.

        Raises:
            IndexError: the data is cut off.
            ValueError: there is no row, or a value's content is left to the complete decoder.
            SnmpError: that is so, or what is before or behind the rows can't be read.
        """
        first = at
        for _ in range(self.before):
            first += 2 + data[first + 1]
        index_bytes = data[first + 3] - len(self.prefixes[0])
        form = FORMS.known.get((self.prefixes, self.sorts, index_bytes)) or self._form(index_bytes)
        pieces = form.pieces or FORMS.want(form)
        if not pieces:
            return None
        ahead = read_plain(data[at:first], 0) if self.before else []
        indexes, columns, rest = (_at_once if len(pieces) == 1 else _by_pieces)(pieces, data, first)
        if len(ahead) != self.before or rest.startswith(self.prefixes[0], 4):
            return None
        values, tags = self._values(columns, index_bytes)
        behind = read_plain(rest, 0) if rest else []
        return PlainRows(data, start, self.prefixes, ahead, indexes, values, tags, behind)

    def _form(self, index_bytes: int) -> PiecedForm:
        """Return the form of rows with indexes of a length."""
        if not 0 < index_bytes <= _LONGEST_INDEX or max(map(len, self.prefixes)) + index_bytes > LONGEST_OID:
            return NEVER
        make = partial(_expression, self.prefixes, self.sorts, index_bytes)
        return FORMS.add((self.prefixes, self.sorts, index_bytes), self.sorts, make)

    def _values(self, columns: Sequence[Sequence[bytes]], index_bytes: int) -> tuple[list[list[Value]], list[int]]:
        """Read the columns' cells; returns their values, and the tags of the first row."""
        values: list[list[Value]] = []
        tags = []
        for prefix, sort, cells in zip(self.prefixes, self.sorts, columns, strict=True):
            content, read = content_of(len(prefix) + index_bytes), sort.read
            values.append([read(cell[content]) for cell in cells])
            tags.append(cells[0][content.start - 2])
        return values, tags


def _expression(prefixes: Sequence[bytes], sorts: Sequence[Sort], index_bytes: int, start: int, stop: int) -> bytes:
    """Make the expression for a part of a row: its groups are the index, and each cell's varbind from its length on.

    That for a whole row has one more group, for all that is left where no row begins: so matches have no gap between
    them.
    """
    parts: list[bytes] = []
    for prefix, sort in zip(prefixes[start:stop], sorts[start:stop], strict=True):
        index = b"\\1" if parts else b"(.{%d})" % index_bytes
        parts.append(expression(sort, re.escape(prefix) + index, len(prefix) + index_bytes))
    return b"".join(parts) + b"|(.+)" * (stop - start == len(prefixes))


def _at_once(pieces: Sequence[Pattern], data: bytes, at: int) -> _Found:
    """Find rows that are of one piece.

    Raises:
        ValueError: there is none.
    """
    rows = pieces[0].findall(data, at)
    rest = rows.pop()[-1] if rows and rows[-1][-1] else b""
    indexes, *columns, _ = zip(*rows, strict=True)
    return indexes, columns, rest


def _by_pieces(pieces: Sequence[Pattern], data: bytes, at: int) -> _Found:
    """Find rows that are of several pieces.

    Raises:
        ValueError: there is none.
    """
    rows = []
    row, end = _row(pieces, data, at)
    while row:
        rows.append(row)
        at = end
        row, end = _row(pieces, data, at)
    indexes, *columns = zip(*rows, strict=True)
    return indexes, columns, data[at:]


def _row(pieces: Sequence[Pattern], data: bytes, at: int) -> tuple[list[bytes], int]:
    """Find a row's index and cells, and where it ends; no cells if there is no row."""
    row: list[bytes] = []
    for piece in pieces:
        found = piece.match(data, at)
        if found is None or (row and found[1] != row[0]):
            return [], at
        row += found.groups()[1:] if row else found.groups()
        at = found.end()
    return row, at
