"""One column of a table as it is walked: what its cells were, whether it has ended, and how their values are read."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from streampoll.model import Value
from streampoll.snmp.ber import COUNTER32, END_OF_MIB_VIEW, Wire
from streampoll.snmp.block import increase
from streampoll.snmp.compiled import Column
from streampoll.snmp.convert import NONEXISTENT, are_counts, convert
from streampoll.snmp.message import ErrorStatus, Varbind

_NONE: Final[frozenset[bytes]] = frozenset()


class Lane:
    """A column being walked."""

    __slots__ = ("cells", "column", "done", "ended", "indexes", "is32", "place", "prefix", "reason", "rows32")

    def __init__(self, column: Column, place: int) -> None:
        self.column = column
        self.place = place  # in the row
        self.prefix = column.prefix
        self.done = False  # it has no cell beyond the frontier
        self.reason = ""  # why cells could not be had or used, but for those that do not exist
        self.is32 = False  # its cells came as Counter32
        self.rows32: AbstractSet[bytes] = _NONE  # rows whose cell is that of a fallback, and came as a Counter32
        self.ended = False  # this step reached the column's end
        self.indexes: Sequence[bytes] = ()
        self.cells: Sequence[Varbind] = ()

    def reset(self) -> None:
        """Forget the cells of the last step."""
        self.ended = False
        self.indexes = self.cells = ()

    def take(self, cells: Sequence[Varbind], frontier: bytes, known: Sequence[bytes]) -> bool:
        """Take a reply's cells; False if their indexes don't increase. `known` are indexes that were found to."""
        prefix = self.prefix
        size = len(prefix)
        last = END_OF_MIB_VIEW
        indexes = [oid[size:] for oid, tag, _ in cells if tag != last and oid.startswith(prefix)]
        if len(indexes) < len(cells):
            self.ended = True
            cells = _until_end(prefix, cells)
            del indexes[len(cells) :]
        self.indexes, self.cells = indexes, cells
        return indexes == known[: len(cells)] or increase(frontier, indexes)

    def end(self, name: str) -> None:
        """End the column that an error-status names; v1 says noSuchName at the end of its MIB."""
        self.done = True
        self.reason = "" if name == ErrorStatus.noSuchName.name else name

    def swap(self) -> bool:
        """Walk the fallback instead, if there is one that is not tried yet."""
        fallback = self.column.fallback
        if fallback is None or self.prefix == fallback:
            return False
        self.prefix = fallback
        return True

    def note(self, index: bytes, reason: str, is32: bool) -> None:
        """Note of a cell that was asked for by itself why it is missing, or that it came as a Counter32."""
        if is32:
            self.rows32 = {*self.rows32, index}
        if reason and reason not in NONEXISTENT:
            self.reason = reason

    def learn(self, other: "Lane") -> None:
        """Take over what another walk of this column found out."""
        self.reason, self.is32, self.rows32 = other.reason, other.is32, other.rows32

    def values(self) -> list[Value]:
        """Return the cells' values."""
        return self.convert([tag for _, tag, _ in self.cells], [wire for _, _, wire in self.cells])

    def convert(self, tags: Sequence[int], wires: Sequence[Wire]) -> list[Value]:
        """Convert the values of a step; what can't be used is None, and leaves a reason."""
        if tags and tags[0] == COUNTER32:
            self.is32 = True
        plain = self.column.plain
        if are_counts(wires) if plain is int else {*map(type, wires)} == {plain}:
            return list(wires)  # type: ignore[arg-type]  # no Absent among them
        kind = self.column.metric.kind
        values: list[Value] = []
        for tag, wire in zip(tags, wires, strict=True):
            value, reason = convert(kind, tag, wire)
            values.append(value)
            self.reason = reason or self.reason
        return values


def _until_end(prefix: bytes, cells: Sequence[Varbind]) -> Sequence[Varbind]:
    """Return the cells before the first that is not of a column."""
    for count, (oid, tag, _) in enumerate(cells):
        if tag == END_OF_MIB_VIEW or not oid.startswith(prefix):
            return cells[:count]
    return cells
