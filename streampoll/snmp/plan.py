"""What to collect from one device over SNMP, compiled once from a profile and shared by every poll.

A profile is text (config/profile_snmp.py reads it); a `CollectPlan` is what is left when names, inheritance and checks
are done: OIDs in the order to ask for them, and what is made of the answers.

Three things are kept apart. What a value *is* (`Kind`): its type, as the device sent it. What is *made* of it
(`Change`): only what the profile says in so many words. How it is *shown* (`enum`, `display`, `unit`): the value stays.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

MAX_ROWS: Final = 10_000  # of a table whose profile sets no other

Oid = tuple[int, ...]


class Kind(Enum):
    """How a value on the wire becomes a `Value`. Nothing is formatted here; that is for display."""

    AUTO = auto()  # by its tag: integers to int, OCTET STRING to bytes, OID to dotted text, IpAddress to bytes
    INTEGER = auto()  # INTEGER, Gauge32, Unsigned32, enumerations
    COUNTER = auto()  # Counter32 or Counter64: an exact unsigned int
    TICKS = auto()  # TimeTicks: hundredths of a second
    TEXT = auto()  # OCTET STRING that is UTF-8: str, or bytes where it isn't
    BYTES = auto()  # OCTET STRING as it is (bitmaps, keys)
    OID = auto()  # OBJECT IDENTIFIER: dotted text without a leading dot
    IP = auto()  # IpAddress or InetAddress: bytes of 4 or 16, with a zone 8 or 20
    FLOAT = auto()  # net-snmp's floats inside Opaque; integers as they are
    BITS = auto()  # BITS (RFC 2578 7.1.4): bytes, of which `enum` names the bits
    MAC = auto()  # PhysAddress, MacAddress: bytes
    DATETIME = auto()  # DateAndTime (RFC 2579): 8 or 11 bytes


class Form(Enum):
    """What a value is rewritten to (`as` in profiles)."""

    MAC = auto()  # bytes to "00:1b:21:3c:4d:5e"
    IP = auto()  # bytes to "192.0.2.1"
    HEX = auto()  # bytes to "001b21"
    SECONDS = auto()  # hundredths of a second to seconds
    EPOCH = auto()  # DateAndTime or an NTP time stamp to seconds since 1970
    NUMBER = auto()  # text to an int or a float
    UNSIGNED = auto()  # bytes, big-endian, to an int
    TEXT = auto()  # what would be shown


@dataclass(frozen=True, slots=True)
class Change:
    """What a value is made into, in the order of these fields."""

    null: tuple[int | float | str, ...] = ()  # values by which the device says that it doesn't know
    extract: tuple[tuple[str, str], ...] = ()  # (regex, template with $1): the first that matches
    form: Form | None = None
    divide: float | None = None
    scale: float | None = None
    offset: float | None = None
    times: str = ""  # the metric beside it that it is multiplied by
    sensor_scale: str = ""  # the metric that has its EntitySensorDataScale (RFC 3433)
    sensor_precision: str = ""  # the metric that has its EntitySensorPrecision


@dataclass(frozen=True, slots=True)
class Condition:
    """What a metric must be like; everything that is set must hold."""

    name: str  # the metric
    equals: tuple[int | float | str, ...] = ()  # one of these: numbers, names of an enumeration, texts
    differs: tuple[int | float | str, ...] = ()  # none of these
    match: str = ""  # regex, searched in what is shown
    mismatch: str = ""  # regex that must not be found
    under: tuple[str, ...] = ()  # one of these OIDs, dotted, or below it
    exists: bool | None = None  # has a value


@dataclass(frozen=True, slots=True)
class Metric:
    """A scalar (its OID ends in the instance, usually .0) or a column of a table (it does not)."""

    name: str
    oid: Oid  # () if it is made from another (`source`)
    kind: Kind = Kind.AUTO
    fallback: Oid | None = None  # asked where `oid` does not exist (ifInOctets for ifHCInOctets)
    enum: tuple[tuple[int, str], ...] = ()  # names of an enumeration's numbers, or of bits; for display
    display: str = ""  # a DISPLAY-HINT (RFC 2579 3.1); for display
    unit: str = ""  # for display
    change: Change | None = None
    source: str = ""  # the metric beside it whose value it is made from, as the device sent it
    by: tuple[str | int, ...] = ()  # of a column of another table: what makes up its index there; "index": all of it
    keep: bool = True  # False: asked and used, not stored
    when: tuple[Condition, ...] = ()  # asked only where these hold of the device's scalars


class PartKind(Enum):
    """How an index object is encoded in an instance's OID (RFC 2578 7.7)."""

    INTEGER = auto()  # one arc
    TEXT = auto()  # octets, an arc each; as text
    BYTES = auto()  # octets
    OID = auto()  # arcs
    INET = auto()  # InetAddressType and InetAddress (RFC 4001), together


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One object of a table's INDEX clause."""

    metric: Metric  # its name, what is made of it and how it is shown; its OID is ()
    kind: PartKind
    size: int = 0  # octets, if fixed; 0: a length comes first, unless `implied`
    implied: bool = False  # no length: it goes on to the end


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A conceptual table: the columns that are walked together by their common index, and what is joined to them."""

    name: str
    columns: tuple[Metric, ...]
    key: str = ""  # the column that names a row to people (ifName)
    max_rows: int = MAX_ROWS  # a longer table is cut and marked incomplete
    index: tuple[IndexPart, ...] = ()  # its parts, each a column before the others; (): kept whole
    where: tuple[Condition, ...] = ()  # rows of which these do not hold are left out
    when: tuple[Condition, ...] = ()  # asked only where these hold of the device's scalars


@dataclass(frozen=True, slots=True)
class CollectPlan:
    """One profile, ready to be collected."""

    profile: str
    scalars: tuple[Metric, ...] = ()
    tables: tuple[TableSpec, ...] = ()
    suits: tuple[Oid, ...] = ()  # prefixes of the sysObjectIDs that it is made for; what discovery proposes by
