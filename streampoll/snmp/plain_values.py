"""The values that a GET asked for, read at once from the bytes of its reply, as nearly all replies to a GET have them.

`message` makes a varbind of each, which is compared with what was asked and converted; this takes less than half the
time, and makes nothing but values. One expression a request matches a reply to it: the OIDs that were asked, in their
order, each with a value of a plain form (`plain_cells`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from streampoll.errors import SnmpError
from streampoll.model import Value
from streampoll.snmp.message import Varbind, list_start, read_varbinds
from streampoll.snmp.plain_cells import LONGEST_OID, Sort, content_of, expression


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

    __slots__ = ("_contents", "_match", "_reads")

    def __init__(self, oids: Sequence[bytes], sorts: Sequence[Sort]) -> None:
        parts = [expression(sort, re.escape(oid), len(oid), tagged=True) for oid, sort in zip(oids, sorts, strict=True)]
        self._match = re.compile(b"".join(parts), re.DOTALL).fullmatch
        self._contents = [content_of(len(oid)) for oid in oids]
        self._reads = [sort.read for sort in sorts]

    @classmethod
    def of(cls, oids: Sequence[bytes], sorts: Sequence[Sort | None]) -> "ValuesForm | None":
        """Make the form of a reply with these OIDs; None if it has none: by a value's sort, or a long OID."""
        plain = [sort for sort in sorts if sort is not None]
        return cls(oids, plain) if len(plain) == len(oids) and max(map(len, oids)) <= LONGEST_OID else None

    def read(self, data: bytes, start: int) -> PlainValues | None:
        """Read the varbind list that starts at `start` and must end with the data; None if it is not plain."""
        try:
            found = self._match(data, list_start(data, start))
            if found is None:
                return None
            groups = found.groups()
            cells = zip(self._reads, groups[1::2], self._contents, strict=True)
            values = [read(cell[content]) for read, cell, content in cells]
            return PlainValues(data, start, values, b"".join(groups[::2]))
        except (IndexError, ValueError, SnmpError):
            return None  # the complete decoder says what is wrong, if anything is
