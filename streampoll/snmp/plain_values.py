"""The values that a GET asked for, read at once from the bytes of its reply, as nearly all replies to a GET have them.

`message` makes a varbind of each, which is compared with what was asked and converted; this takes less than half the
time, and makes nothing but values. Expressions of its own match a reply to a request, once they pay (`plain_forms`):
the OIDs that were asked, in their order, each with a value of a plain form (`plain_cells`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from streampoll.errors import SnmpError
from streampoll.model import Value
from streampoll.snmp.message import Varbind, list_start, read_varbinds
from streampoll.snmp.plain_cells import LONGEST_OID, Sort, content_of, expression
from streampoll.snmp.plain_forms import FORMS


@dataclass(slots=True, eq=False)
class PlainValues:
    """The values of a reply, in the order of the request."""

    _data: bytes
    _start: int  # of the varbind list
    values: list[Value]
    tags: bytes  # of the values

    @property
    def count(self) -> int:
        """How many varbinds the reply holds."""
        return len(self.values)

    def varbinds(self) -> list[Varbind]:
        """Return all that the reply holds, as any other's."""
        return read_varbinds(self._data, self._start)


class ValuesForm:
    """The form of a reply to one GET."""

    __slots__ = ("_contents", "_form", "_reads", "_sorts", "oids")

    def __init__(self, oids: Sequence[bytes], sorts: Sequence[Sort]) -> None:
        self.oids = tuple(oids)
        self._sorts = tuple(sorts)
        self._contents = [content_of(len(oid)) for oid in oids]
        self._reads = [sort.read for sort in sorts]
        self._form = FORMS.add((self.oids, self._sorts), sorts, self._expression)

    def _expression(self, start: int, stop: int) -> bytes:
        """Make the expression for some of the values: each one's tag, and its varbind from its length on."""
        some = zip(self.oids[start:stop], self._sorts[start:stop], strict=True)
        return b"".join([expression(sort, re.escape(oid), len(oid), tagged=True) for oid, sort in some])

    @classmethod
    def of(cls, oids: Sequence[bytes], sorts: Sequence[Sort | None]) -> "ValuesForm | None":
        """Make the form of a reply with these OIDs; None if it has none: by a value's sort, or a long OID."""
        plain = [sort for sort in sorts if sort is not None]
        return cls(oids, plain) if len(plain) == len(oids) and max(map(len, oids)) <= LONGEST_OID else None

    @property
    def is_compiled(self) -> bool:
        """Tell whether a reply can be read by it."""
        return bool(self._form.pieces)

    def read(self, data: bytes, start: int) -> PlainValues | None:
        """Read the varbind list that starts at `start` and must end with the data; None if it is not plain."""
        try:
            found = self.match(data, list_start(data, start))
        except (IndexError, ValueError, SnmpError):
            return None  # the complete decoder says what is wrong, if anything is
        return None if found is None or found[2] != len(data) else PlainValues(data, start, *found[:2])

    def match(self, data: bytes, at: int) -> tuple[list[Value], bytes, int] | None:
        """Read the values that begin at `at`; returns them, their tags, and where they end. None: they are not plain.

        Raises:
            ValueError: a value's content is left to the complete decoder.
            SnmpError: so it is.
        """
        groups: list[bytes] = []
        pieces = self._form.pieces or FORMS.want(self._form)
        for piece in pieces:
            found = piece.match(data, at)
            if found is None:
                return None
            groups += found.groups()
            at = found.end()
        if not pieces:
            return None
        cells = zip(self._reads, groups[1::2], self._contents, strict=True)
        return [read(cell[content]) for read, cell, content in cells], b"".join(groups[::2]), at
