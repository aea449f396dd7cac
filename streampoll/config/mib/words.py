"""The nouns of SMI (RFC 2578 to 2580): a module as its text has it, and an object as it is once its names are followed.

A `Raw…` value is what one file says, with the names of other modules still in it. An `MibObject` is whole: its OID in
numbers, its type down to what stands on the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from streampoll.snmp.plan import Oid

Enumeration = tuple[tuple[int, str], ...]
"""The names of numbers (or, for BITS, of bits), in the order of the numbers."""

Sizes = tuple[tuple[int, int], ...]
"""The lengths that an OCTET STRING may have, as ranges; none is any."""


class Unresolved(Exception):  # noqa: N818 - becomes a fault of the profile that names it
    """A name can't be followed; `what` is why and `instead` what to do, as a fault has them."""

    def __init__(self, what: str, instead: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.instead = instead


class Base(Enum):
    """What stands on the wire, whatever a convention calls it."""

    INTEGER = auto()
    UNSIGNED = auto()  # Gauge32, Unsigned32
    COUNTER = auto()  # Counter32, Counter64
    TICKS = auto()
    OCTETS = auto()
    OID = auto()
    IP = auto()
    OPAQUE = auto()
    BITS = auto()
    UNKNOWN = auto()  # a type of a module that is not here


class Node(Enum):
    """What an object is in the tree."""

    SCALAR = auto()
    TABLE = auto()
    ROW = auto()
    COLUMN = auto()
    OTHER = auto()  # a branch, an identity, a notification


@dataclass(frozen=True, slots=True)
class RawSyntax:
    """A SYNTAX clause: a type's name, refined."""

    type: str  # "OCTET STRING", "Integer32", "DisplayString"
    enum: Enumeration = ()
    sizes: Sizes = ()


@dataclass(frozen=True, slots=True)
class RawType:
    """A type that a module defines, a textual convention or not."""

    syntax: RawSyntax
    hint: str = ""  # DISPLAY-HINT


@dataclass(frozen=True, slots=True)
class RawNode:
    """A value that a module gives an OID."""

    parent: str  # the name that its OID starts with; "" if the OID is all numbers
    numbers: Oid  # what comes after it
    syntax: RawSyntax | None = None  # None for all that is no OBJECT-TYPE, and for rows
    is_table: bool = False
    index: tuple[tuple[str, bool], ...] = ()  # (name of the object, or of a type in SMIv1; is it IMPLIED)
    augments: str = ""
    units: str = ""


@dataclass(frozen=True, slots=True)
class RawModule:
    """One module, as its text has it."""

    name: str
    origin: str  # the file, or who ships it
    imports: Mapping[str, str]  # name -> the module that it comes from
    nodes: Mapping[str, RawNode]
    types: Mapping[str, RawType]


@dataclass(frozen=True, slots=True)
class Syntax:
    """A type, followed down to the wire."""

    base: Base
    convention: str = ""  # the textual convention nearest to the object: "MacAddress"
    enum: Enumeration = ()
    hint: str = ""
    sizes: Sizes = ()

    @property
    def fixed_size(self) -> int:
        """The one length that its values have; 0 if they may have several."""
        return self.sizes[0][0] if len(self.sizes) == 1 and self.sizes[0][0] == self.sizes[0][1] else 0


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One part of a row's index."""

    name: str  # of the object that it is the value of
    syntax: Syntax
    implied: bool = False  # its length is not in the OID (RFC 2578 7.7)


@dataclass(frozen=True, slots=True)
class MibObject:
    """What a name stands for."""

    module: str
    name: str
    oid: Oid
    node: Node
    syntax: Syntax | None = None  # of a scalar or column
    table: str = ""  # of a row or column: the table's name
    index: tuple[IndexPart, ...] = ()  # of a row or column; of the augmented row, if it augments one
    augments: str = ""  # of a row or column: "MODULE::row" that this one adds columns to
    units: str = ""

    @property
    def full_name(self) -> str:
        """The name that means nothing else."""
        return f"{self.module}::{self.name}"
