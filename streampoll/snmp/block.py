"""A reply to a walk in which all columns have the same rows, read at once.

Nearly every reply is like that. One that is not (a column with holes, columns of different lengths, a row that is cut
off) is no block, and the walk takes it cell by cell, which is three times the work for the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from streampoll.snmp.ber import END_OF_MIB_VIEW, Wire, decode_arcs
from streampoll.snmp.message import Varbind
from streampoll.snmp.plain_rows import PlainRows


@dataclass(slots=True)
class Block:
    """Whole rows."""

    indexes: Sequence[bytes]
    tags: tuple[int, ...]  # of the cells, row by row
    wires: tuple[Wire, ...]
    ended: bool  # all columns end after these rows


def read_block(varbinds: Sequence[Varbind], prefixes: tuple[bytes, ...], frontier: bytes) -> Block | None:
    """Read the cells of columns with these prefixes; None if they are no block of at least one row.

    Nor are they one where their indexes do not increase from beyond the frontier.
    """
    if not varbinds or len(varbinds) % len(prefixes):
        return None
    oids, tags, wires = zip(*varbinds, strict=True)
    if END_OF_MIB_VIEW in tags:
        oids = tuple([b"" if tag == END_OF_MIB_VIEW else oid for oid, tag in zip(oids, tags, strict=True)])
    indexes = _indexes(oids, prefixes, frontier)
    count = len(indexes) * len(prefixes)
    return Block(indexes, tags[:count], wires[:count], count < len(varbinds)) if count else None


def is_block(rows: PlainRows, frontier: bytes) -> bool:
    """Tell whether the rows of a reply, and what is behind them, are a block: as `read_block` does."""
    if len(rows.rest) % len(rows.prefixes):
        return False
    for prefix, (oid, tag, _) in zip(rows.prefixes, rows.rest, strict=False):
        if oid.startswith(prefix) and tag != END_OF_MIB_VIEW:
            return False
    return increase(frontier, rows.indexes)


@lru_cache(maxsize=512)
def _indexes(oids: tuple[bytes, ...], prefixes: tuple[bytes, ...], frontier: bytes) -> Sequence[bytes]:
    """Return the indexes of the whole rows that these OIDs are; none if they are not.

    Remembered, since devices of a kind have the same rows, and each has them again at its next poll.
    """
    width, size = len(prefixes), len(prefixes[0])
    indexes = []
    for oid in oids[::width]:
        if not oid.startswith(prefixes[0]):
            break
        indexes.append(oid[size:])
    count = len(indexes) * width
    if oids[:count] != tuple([prefix + index for index in indexes for prefix in prefixes]):
        return ()
    if any(map(bytes.startswith, oids[count : count + width], prefixes)) or not increase(frontier, indexes):
        return ()
    return indexes


def increase(frontier: bytes, indexes: Sequence[bytes]) -> bool:
    """Tell whether indexes increase, from beyond the frontier."""
    last = decode_arcs(frontier)
    for index in indexes:
        arcs = decode_arcs(index)
        if arcs <= last:
            return False
        last = arcs
    return True
