"""A varbind of the plain form, as an expression that matches its bytes.

Nearly every varbind of a reply is one whose OID is known before, whose lengths are of one byte and agree, and whose
value needs no more than to be read. A reply of nothing else is matched at once, by expressions that are compiled once
(`plain_rows`, `plain_values`; when, `plain_forms` says), in a fraction of the time in which varbinds are read one by
one. They accept nothing that the complete decoder (`message`) and `convert` read differently, and need no backtracking:
at each byte at most one branch goes on. What is not of this form is left to these, also for how its faults are worded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from streampoll.model import Value
from streampoll.snmp.ber import OBJECT_IDENTIFIER, SEQUENCE, oid_text
from streampoll.snmp.plan import Kind

LONGEST_OID: Final = 100  # bytes, so that a value has room behind it
_LONGEST: Final = 0x7F  # bytes of a varbind, and so of all in it: lengths of one byte


@dataclass(frozen=True, slots=True, eq=False)  # one is known by its identity: there are few, and hashed often
class Sort:
    """A sort of values that are read from their content alone."""

    tags: bytes  # an expression
    begin: bytes  # an expression for a value's length and what follows it
    sizes: range  # bytes of a value
    read: Callable[[bytes], Value]  # raises ValueError or SnmpError for content that is left to the complete decoder


INTEGERS: Final = Sort(rb"[\x02\x41-\x43\x46]", rb".[\x00-\x7f]", range(1, 9), int.from_bytes)  # none is negative
_TEXTS: Final = Sort(rb"\x04", b"", range(65), bytes.decode)  # as long as an ifAlias; each size is a branch
_OCTETS: Final = Sort(rb"\x04", b"", range(65), bytes)
_OIDS: Final = Sort(rb"\x06", b"", range(33), oid_text)

SORTS: Final[dict[Kind, Sort]] = {
    Kind.INTEGER: INTEGERS, Kind.COUNTER: INTEGERS, Kind.TICKS: INTEGERS, Kind.TEXT: _TEXTS, Kind.OID: _OIDS,
    Kind.BYTES: _OCTETS, Kind.BITS: _OCTETS, Kind.MAC: _OCTETS, Kind.DATETIME: _OCTETS,
}  # fmt: skip
"""The kinds whose values have a plain form."""


def expression(sort: Sort, oid: bytes, oid_bytes: int, *, tagged: bool = False) -> bytes:
    """Return the expression for a varbind whose OID, of so many bytes, is matched by `oid`.

    Its last group is the varbind from its length on: `content_of` cuts the value from it. If `tagged`, the group before
    is the value's tag. A value with which the varbind would be too long is not matched.
    """
    sizes = range(sort.sizes.start, min(sort.sizes.stop, _LONGEST + 1 - 4 - oid_bytes))
    branches = b"|".join(  # the lengths of the varbind and of its value
        b"\\x%02x.{%d}\\x%02x.{%d}" % (4 + oid_bytes + size, oid_bytes + 3, size, size) for size in sizes
    )
    head = b"\\x%02x(?=.\\x%02x\\x%02x%b%b%b)" % (
        SEQUENCE, OBJECT_IDENTIFIER, oid_bytes, oid, b"(%b)" % sort.tags if tagged else sort.tags, sort.begin,
    )  # fmt: skip
    return b"%b(%b)" % (head, branches)


def content_of(oid_bytes: int) -> slice:
    """Return where the value's content is in the last group of an expression."""
    return slice(oid_bytes + 5, None)
