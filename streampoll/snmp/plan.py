"""What to collect from one device over SNMP, compiled once from a profile and shared by every poll.

A profile is text (config/profiles.py reads it); a `CollectPlan` is what is left when names, inheritance and checks are
done: OIDs in the order to ask for them.
"""

from dataclasses import dataclass
from enum import Enum, auto

Oid = tuple[int, ...]


class Kind(Enum):
    """How a value on the wire becomes a `Value`. Nothing is formatted here; that is for display."""

    AUTO = auto()  # by its tag: integers to int, OCTET STRING to bytes, OID to dotted text, IpAddress to bytes
    INTEGER = auto()  # INTEGER, Gauge32, Unsigned32, enumerations
    COUNTER = auto()  # Counter32 or Counter64: an exact unsigned int
    TICKS = auto()  # TimeTicks: hundredths of a second
    TEXT = auto()  # OCTET STRING that is UTF-8: str, or bytes where it isn't
    BYTES = auto()  # OCTET STRING as it is (MAC, addresses, bitmaps)
    OID = auto()  # OBJECT IDENTIFIER: dotted text without a leading dot
    IP = auto()  # IpAddress or InetAddress: bytes of 4 or 16


@dataclass(frozen=True, slots=True)
class Metric:
    """A scalar (its OID ends in the instance, usually .0) or a column of a table (it does not)."""

    name: str
    oid: Oid
    kind: Kind = Kind.AUTO
    fallback: Oid | None = None  # asked where `oid` does not exist (ifInOctets for ifHCInOctets)
    enum: tuple[tuple[int, str], ...] = ()  # names of an enumeration's numbers, for display


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A conceptual table: the columns that are walked together by their common index."""

    name: str
    columns: tuple[Metric, ...]
    key: str = ""  # the column that names a row to people (ifName)
    max_rows: int = 10_000  # a longer table is cut and marked incomplete


@dataclass(frozen=True, slots=True)
class CollectPlan:
    """One profile, ready to be collected."""

    profile: str
    scalars: tuple[Metric, ...] = ()
    tables: tuple[TableSpec, ...] = ()
