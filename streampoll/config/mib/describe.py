"""What a MIB says of an object, in the words of a profile: type, enum, display, unit; and of a table: its index."""

import re
from collections.abc import Iterable
from typing import Any, Final

from streampoll.config.mib.words import Base, Enumeration, IndexPart, MibObject, Syntax

_BY_CONVENTION: Final = {
    "MacAddress": "mac", "PhysAddress": "mac", "DateAndTime": "datetime",
    "InetAddress": "ip", "InetAddressIPv4": "ip", "InetAddressIPv6": "ip", "Ipv6Address": "ip",
    "Float": "float", "Double": "float", "Float32TC": "float", "Float64TC": "float", "Float128TC": "bytes",
}  # fmt: skip
"""Textual conventions that are more than their base type says."""

_BY_BASE: Final = {
    Base.INTEGER: "integer", Base.UNSIGNED: "integer", Base.COUNTER: "counter", Base.TICKS: "ticks",
    Base.OCTETS: "bytes", Base.OID: "oid", Base.IP: "ip", Base.BITS: "bits", Base.OPAQUE: "auto", Base.UNKNOWN: "auto",
}  # fmt: skip

_OF_TEXT = re.compile(r"\d+[at]")  # the DISPLAY-HINT of what is text as a whole
_PLAIN = ("", "d")  # hints that say nothing


def metric_words(found: MibObject) -> dict[str, Any]:
    """Return the keys of a scalar or column, but its OID, in the order to write them."""
    if found.syntax is None:
        return {}
    words: dict[str, Any] = {"type": type_word(found.syntax)}
    if found.syntax.enum:
        words["enum"] = enum_word(found.syntax.enum)
    if display := _display(found.syntax, words["type"]):
        words["display"] = display
    if found.units:
        words["unit"] = " ".join(found.units.split())
    return words


def type_word(syntax: Syntax) -> str:
    """Return what a profile calls a type."""
    if syntax.convention in _BY_CONVENTION:
        return _BY_CONVENTION[syntax.convention]
    if syntax.base is Base.OCTETS and _OF_TEXT.fullmatch(syntax.hint):
        return "text"
    return _BY_BASE[syntax.base]


def enum_word(enum: Enumeration) -> dict[str, str]:
    """Return the names of numbers, as a profile has them."""
    return {str(number): name for number, name in enum}


def index_words(parts: Iterable[IndexPart]) -> list[dict[str, Any]]:
    """Return the parts of an index; an InetAddressType and the address after it are one."""
    words: list[dict[str, Any]] = []
    before = ""
    for part in parts:
        convention = part.syntax.convention
        if convention == "InetAddress" and before == "InetAddressType":
            words[-1] = {"name": part.name, "type": "inet"}
        else:
            words.append(_part_words(part))
        before = convention
    return words


def _part_words(part: IndexPart) -> dict[str, Any]:
    kind, size = _part_type(part.syntax), part.syntax.fixed_size
    words: dict[str, Any] = {"name": part.name, "type": kind}
    if kind in ("text", "bytes") and size:
        words["size"] = size
    if kind == "ip" and size == 16:
        words["size"] = 16
    if part.implied and kind in ("text", "bytes", "oid") and "size" not in words:
        words["implied"] = True
    if part.syntax.enum and kind == "integer":
        words["enum"] = enum_word(part.syntax.enum)
    if display := _display(part.syntax, kind):
        words["display"] = display
    return words


def _part_type(syntax: Syntax) -> str:
    """Return the type of a part of an index, where each value is arcs of an OID."""
    word = type_word(syntax)
    if word in ("counter", "ticks", "auto") and syntax.base is not Base.OPAQUE:
        return "integer"
    if word == "mac" and syntax.fixed_size != 6:
        return "bytes"  # a PhysAddress, whose length is in the index
    if word == "ip" and syntax.base is Base.OCTETS and syntax.fixed_size not in (4, 16):
        return "bytes"  # an InetAddress without its type before it
    return word if word in ("integer", "text", "bytes", "mac", "oid", "ip") else "bytes"


def _display(syntax: Syntax, kind: str) -> str:
    """Return the DISPLAY-HINT where the type does not say as much."""
    if kind in ("bytes", "integer") and syntax.hint not in _PLAIN and not syntax.enum:
        return syntax.hint
    return ""
