"""A reply to a walk in which all columns have the same rows, read at once.

Nearly every reply is like that. One that is not (a column with holes, columns of different lengths, a row that is cut
off) is no block, and the walk takes it cell by cell, which is three times the work for the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streampoll.snmp.ber import END_OF_MIB_VIEW, Wire
from streampoll.snmp.message import Varbind


@dataclass(slots=True)
class Block:
    """Whole rows."""

    indexes: list[bytes]
    tags: tuple[int, ...]  # of the cells, row by row
    wires: tuple[Wire, ...]
    ended: bool  # all columns end after these rows


def read_block(varbinds: Sequence[Varbind], prefixes: Sequence[bytes]) -> Block | None:
    """Read the cells of columns with these prefixes; None if they are no block of at least one row."""
    width = len(prefixes)
    if not varbinds or len(varbinds) % width:
        return None
    oids, tags, wires = zip(*varbinds, strict=True)
    indexes = _indexes(oids[::width], tags[::width], prefixes[0])
    count = len(indexes) * width
    if not count or oids[:count] != tuple([prefix + index for index in indexes for prefix in prefixes]):
        return None
    behind = zip(oids[count : count + width], tags[count : count + width], prefixes, strict=False)
    if END_OF_MIB_VIEW in tags[:count] or any(_is_of(*cell) for cell in behind):
        return None
    return Block(indexes, tags[:count], wires[:count], count < len(varbinds))


def _indexes(oids: Sequence[bytes], tags: Sequence[int], prefix: bytes) -> list[bytes]:
    """Return a column's indexes up to its end."""
    size = len(prefix)
    indexes = []
    for oid, tag in zip(oids, tags, strict=True):
        if tag == END_OF_MIB_VIEW or not oid.startswith(prefix):
            break
        indexes.append(oid[size:])
    return indexes


def _is_of(oid: bytes, tag: int, prefix: bytes) -> bool:
    return tag != END_OF_MIB_VIEW and oid.startswith(prefix)
