"""BER as far as an SNMP agent needs it, on purpose not shared with `streampoll.snmp`.

The fleet is what the poller's own codec is tried against; two readings of the standard find what one hides.
Lengths are definite, integers minimal (RFC 3417 section 8, X.690 8.3.2).
"""

Oid = tuple[int, ...]

INTEGER, OCTETS, NULL, OBJECT_ID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
IP_ADDRESS, COUNTER32, GAUGE32, TIMETICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46
NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW = b"\x80\x00", b"\x81\x00", b"\x82\x00"


class MalformedError(ValueError):
    """The bytes are not the BER that was expected; never leaves the fleet."""


def encode_length(length: int) -> bytes:
    """Encode a length: short form below 128, else the fewest bytes."""
    if length < 128:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    return bytes((128 | size,)) + length.to_bytes(size, "big")


def encode(tag: int, content: bytes) -> bytes:
    """Encode one tag, length and content."""
    length = len(content)
    if length < 128:
        return bytes((tag, length)) + content
    return bytes((tag,)) + encode_length(length) + content


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """Encode an integer (signed, so an unsigned type gets its leading zero where it needs one)."""
    magnitude = value if value >= 0 else ~value
    return encode(tag, value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def encode_text(value: str) -> bytes:
    """Encode text as an OCTET STRING in UTF-8."""
    return encode(OCTETS, value.encode())


def encode_oid(oid: Oid) -> bytes:
    """Encode an OBJECT IDENTIFIER.

    Raises:
        ValueError: fewer than two parts, or parts that no OBJECT IDENTIFIER has.
    """
    if len(oid) < 2 or oid[0] > 2 or (oid[0] < 2 and oid[1] > 39) or min(oid) < 0:
        raise ValueError(f"not an OBJECT IDENTIFIER: {'.'.join(map(str, oid))}")
    return encode(OBJECT_ID, b"".join(map(_encode_arc, (oid[0] * 40 + oid[1], *oid[2:]))))


def _encode_arc(arc: int) -> bytes:
    if arc < 128:
        return bytes((arc,))
    groups = [arc & 127]
    while arc := arc >> 7:
        groups.append(128 | arc & 127)
    return bytes(reversed(groups))


def decode(data: bytes, start: int, tag: int | None = None) -> tuple[int, int]:
    """Return where the content at `start` begins and ends.

    Raises:
        MalformedError: another tag than `tag`, or a length that is not there, not definite or past the end.
    """
    if len(data) < start + 2 or (tag is not None and data[start] != tag):
        raise MalformedError(f"no tag {tag} at byte {start}")
    length, begin = data[start + 1], start + 2
    if length >= 128:
        size = length & 127
        if not 1 <= size <= 4:
            raise MalformedError(f"a length of {size} bytes at byte {start}")
        length, begin = int.from_bytes(data[begin : begin + size], "big"), begin + size
    if begin + length > len(data):
        raise MalformedError(f"{length} bytes announced at byte {start}, {len(data) - begin} left")
    return begin, begin + length


def decode_integer(data: bytes, start: int) -> tuple[int, int]:
    """Return an INTEGER and where it ends.

    Raises:
        MalformedError: it is not one, or of more than eight bytes.
    """
    begin, end = decode(data, start, INTEGER)
    if not 1 <= end - begin <= 8:
        raise MalformedError(f"an integer of {end - begin} bytes at byte {start}")
    return int.from_bytes(data[begin:end], "big", signed=True), end


def decode_oid(data: bytes, start: int) -> tuple[Oid, int]:
    """Return an OBJECT IDENTIFIER and where it ends.

    Raises:
        MalformedError: it is not one, or has a part above 32 bits.
    """
    begin, end = decode(data, start, OBJECT_ID)
    if begin == end or data[end - 1] & 128:
        raise MalformedError(f"an unfinished OBJECT IDENTIFIER at byte {start}")
    arcs, arc = [], 0
    for byte in data[begin:end]:
        arc = arc << 7 | byte & 127
        if arc >= 1 << 32:
            raise MalformedError(f"a part above 32 bits at byte {start}")
        if byte < 128:
            arcs.append(arc)
            arc = 0
    root = min(arcs[0] // 40, 2)
    return (root, arcs[0] - root * 40, *arcs[1:]), end
