"""BER as SNMP uses it (ITU-T X.690; RFC 3416 and 2578): lengths, integers, OIDs, values.

Strict about structure, lenient about what real agents send: long-form and padded lengths, integers with superfluous
leading bytes, counters without their leading zero, empty Counter64s. Everything that is no SNMP raises `SnmpError`; no
byte is allocated for a length that the datagram does not hold.

An OID travels through the engine as its *content bytes*: comparing, prefix tests and cutting off an index need no
decoding, since an arc never begins inside another. Only order needs arcs (`decode_oid`).

This module is the definition; `message` has a fast path for the common form and comes here for the rest.
"""

import struct
from enum import Enum
from functools import lru_cache
from typing import Final

from streampoll.errors import SnmpError
from streampoll.snmp.plan import Oid

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30
IP_ADDRESS: Final = 0x40
COUNTER32: Final = 0x41
GAUGE32: Final = 0x42
TIME_TICKS: Final = 0x43
OPAQUE: Final = 0x44
NSAP_ADDRESS: Final = 0x45
COUNTER64: Final = 0x46
UINTEGER32: Final = 0x47
NO_SUCH_OBJECT: Final = 0x80
NO_SUCH_INSTANCE: Final = 0x81
END_OF_MIB_VIEW: Final = 0x82

MAX_OID_BYTES: Final = 640  # 128 arcs (RFC 2578 3.5) of 5 bytes
MAX_ARC: Final = 0xFFFFFFFF

TAG_NAMES: Final = {
    INTEGER: "INTEGER",
    BIT_STRING: "BIT STRING",
    OCTET_STRING: "OCTET STRING",
    NULL: "NULL",
    OBJECT_IDENTIFIER: "OBJECT IDENTIFIER",
    IP_ADDRESS: "IpAddress",
    COUNTER32: "Counter32",
    GAUGE32: "Gauge32",
    TIME_TICKS: "TimeTicks",
    OPAQUE: "Opaque",
    NSAP_ADDRESS: "NsapAddress",
    COUNTER64: "Counter64",
    UINTEGER32: "UInteger32",
}


class Absent(Enum):
    """What an agent answers instead of a value (RFC 3416 3); never 0, never an empty text."""

    NULL = "null"  # an agent that has nothing to say; not of the standard
    NO_SUCH_OBJECT = "noSuchObject"
    NO_SUCH_INSTANCE = "noSuchInstance"
    END_OF_MIB_VIEW = "endOfMibView"


Wire = int | float | str | bytes | Absent
"""A decoded value: integers as int, OCTET STRING and IpAddress as bytes, OIDs as dotted text."""

_ABSENT: Final = {
    NULL: Absent.NULL,
    NO_SUCH_OBJECT: Absent.NO_SUCH_OBJECT,
    NO_SUCH_INSTANCE: Absent.NO_SUCH_INSTANCE,
    END_OF_MIB_VIEW: Absent.END_OF_MIB_VIEW,
}
_BITS: Final = {INTEGER: 64, COUNTER32: 32, GAUGE32: 32, TIME_TICKS: 32, UINTEGER32: 32, COUNTER64: 64}
_TEXT: Final = frozenset({OCTET_STRING, IP_ADDRESS, BIT_STRING, NSAP_ADDRESS})


def encode_length(length: int) -> bytes:
    """Encode a definite length, in the short form where it fits."""
    if length < 0x80:
        return bytes((length,))
    body = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((0x80 | len(body),)) + body


def encode_tlv(tag: int, content: bytes) -> bytes:
    """Encode one element."""
    return bytes((tag,)) + encode_length(len(content)) + content


def encode_integer(value: int) -> bytes:
    """Encode an INTEGER element, minimal two's complement."""
    return encode_tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def encode_oid(oid: Oid) -> bytes:
    """Encode an OID's content bytes (no tag, no length).

    Raises:
        SnmpError: fewer than two arcs, over 128 arcs, or an arc out of range.
    """
    if not 2 <= len(oid) <= 128 or oid[0] > 2 or (oid[0] < 2 and oid[1] > 39):
        raise SnmpError(f"OID {dotted(oid)!r} can't be encoded: its first two arcs are not valid or it is too long")
    if min(oid) < 0 or max(oid) > MAX_ARC:
        raise SnmpError(f"OID {dotted(oid)!r} can't be encoded: an arc is over 32 bits")
    return encode_arcs((oid[0] * 40 + oid[1], *oid[2:]))


def encode_arcs(arcs: Oid) -> bytes:
    """Encode arcs in base 128, without the packing of the first two: an index, or the rest of an OID."""
    return b"".join(map(_encode_arc, arcs))


def _encode_arc(arc: int) -> bytes:
    """Encode one arc: seven bits a byte, the high bit on all but the last."""
    if arc < 0x80:
        return bytes((arc,))
    groups = [arc & 0x7F]
    while arc := arc >> 7:
        groups.append(0x80 | (arc & 0x7F))
    return bytes(reversed(groups))


@lru_cache(maxsize=8192)
def decode_arcs(content: bytes) -> Oid:
    """Decode base-128 arcs; cached, since the same indexes come back each poll.

    Raises:
        SnmpError: an arc is cut off, padded (leading 0x80) or over 32 bits, or there are too many.
    """
    if len(content) > MAX_OID_BYTES:
        raise SnmpError(f"an OID of {len(content)} bytes is too long")
    arcs: list[int] = []
    arc = 0
    fresh = True
    for byte in content:
        if fresh and byte == 0x80:
            raise SnmpError("an OID's arc has superfluous leading bytes")
        arc = (arc << 7) | (byte & 0x7F)
        fresh = byte < 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
        elif arc > MAX_ARC >> 7:
            raise SnmpError("an OID's arc is over 32 bits")
    if not fresh:
        raise SnmpError("an OID ends within an arc")
    return tuple(arcs)


def decode_oid(content: bytes) -> Oid:
    """Decode an OID's content bytes; an empty one is the 0.0 that some agents mean by it."""
    if not content:
        return (0, 0)
    first, *rest = decode_arcs(content)
    top = min(first // 40, 2)
    return (top, first - 40 * top, *rest)


def dotted(oid: Oid) -> str:
    """Write an OID as text, without a leading dot."""
    return ".".join(map(str, oid))


@lru_cache(maxsize=8192)
def oid_text(content: bytes) -> str:
    """Decode an OID's content bytes to dotted text."""
    return dotted(decode_oid(content))


@lru_cache(maxsize=8192)
def index_text(content: bytes) -> str:
    """Decode a row's index (the bytes after the column's) to dotted text."""
    return dotted(decode_arcs(content))


def read_tlv(data: bytes, start: int, end: int) -> tuple[int, int, int]:
    """Read an element's head; returns (tag, where its content starts, where it ends), all within `end`.

    Raises:
        SnmpError: cut off, an indefinite or absurd length, a tag of several bytes.
    """
    if start + 2 > end:
        raise SnmpError(f"cut off at byte {start}")
    tag, length, at = data[start], data[start + 1], start + 2
    if tag & 0x1F == 0x1F:
        raise SnmpError(f"a tag of several bytes at byte {start}")
    if length >= 0x80:
        size = length & 0x7F
        if not 0 < size <= 8 or at + size > end:
            raise SnmpError(f"a length in {size} bytes at byte {start + 1}")
        length = int.from_bytes(data[at : at + size])
        at += size
    if at + length > end:
        raise SnmpError(f"an element of {length} bytes at byte {start} is cut off")
    return tag, at, at + length


def expect(data: bytes, start: int, end: int, tag: int) -> tuple[int, int]:
    """Read the head of an element that must have `tag`; returns (content start, content end)."""
    found, at, stop = read_tlv(data, start, end)
    if found != tag:
        raise SnmpError(f"tag 0x{found:02x} at byte {start} where 0x{tag:02x} belongs")
    return at, stop


def decode_integer(content: bytes, bits: int = 64, *, unsigned: bool = False) -> int:
    """Decode an integer's content.

    No bytes are 0 (seen in Counter64). An unsigned one with its sign bit set was sent without the leading zero:
    it is read modulo 2**bits, as net-snmp does. A larger one than its type allows is kept as it came, up to 64 bits.
    """
    value = int.from_bytes(content[-9:], signed=True)
    if len(content) > 9 and content[:-9].strip(b"\xff" if value < 0 else b"\x00"):
        raise SnmpError(f"an integer of {len(content)} bytes")
    if unsigned and value < 0:
        value += 1 << bits
        if value < 0:
            raise SnmpError(f"an unsigned integer below -2**{bits}")
    if not -(1 << 63) <= value < 1 << 64 or (value >= 1 << 63 and not unsigned):
        raise SnmpError("an integer over 64 bits")
    return value


def decode_value(tag: int, content: bytes) -> Wire:
    """Decode a value by its tag.

    Raises:
        SnmpError: the tag is none of SNMP's, or the content does not fit it.
    """
    if tag in _TEXT:
        return content
    bits = _BITS.get(tag)
    if bits:
        return decode_integer(content, bits, unsigned=tag != INTEGER)
    if tag == OBJECT_IDENTIFIER:
        return oid_text(content)
    if tag == OPAQUE:
        return _decode_opaque(content)
    absent = _ABSENT.get(tag)
    if absent is None:
        raise SnmpError(f"a value with the tag 0x{tag:02x} is none of SNMP")
    return absent


def _decode_opaque(content: bytes) -> float | bytes:
    """Decode net-snmp's floats inside Opaque (tags 9f78 and 9f79: UCD's laLoadFloat); others stay bytes."""
    if len(content) == 7 and content[:3] == b"\x9f\x78\x04":
        return float(struct.unpack(">f", content[3:])[0])
    if len(content) == 11 and content[:3] == b"\x9f\x79\x08":
        return float(struct.unpack(">d", content[3:])[0])
    return content
