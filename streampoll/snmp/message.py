"""SNMP v1 and v2c messages (RFC 1157, RFC 1901, RFC 3416).

A request is encoded once. What changes from sending to sending is the request-id, always four bytes long, so a message
is `prefix + request-id + tail`: the tail (error fields or repetitions, and the varbinds) belongs to the request, the
prefix (lengths, version, community, PDU type) to a credential and a tail's length.

A reply is read in two steps: the head, which says whose it is, and the varbinds, only once somebody waits for them.
Each step has a fast path for the form that nearly all replies have (plain lengths, a four-byte request-id) and falls
back to the complete decoder, which is also the one that words the errors.
"""

from enum import IntEnum
from typing import Final, Protocol

from streampoll.errors import SnmpError
from streampoll.snmp.ber import (
    COUNTER32,
    COUNTER64,
    GAUGE32,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    TIME_TICKS,
    Wire,
    decode_integer,
    decode_value,
    encode_integer,
    encode_length,
    encode_tlv,
    expect,
    read_tlv,
)
from streampoll.snmp.credential import Community, Version, has_bulk

FIRST_ID: Final = 0x01000000  # request-ids are four bytes: 0x01000000 … 0x7fffffff
LAST_ID: Final = 0x7FFFFFFF

Varbind = tuple[bytes, int, Wire]
"""An OID's content bytes, the value's tag, the value."""


class PduType(IntEnum):
    """The tags of PDUs that we send or read."""

    GET = 0xA0
    GETNEXT = 0xA1
    RESPONSE = 0xA2
    GETBULK = 0xA5
    REPORT = 0xA8


_FIRST_PDU: Final = int(PduType.GET)
_LAST_PDU: Final = int(PduType.REPORT)


class ErrorStatus(IntEnum):
    """RFC 3416 3: why an agent refused a request."""

    noError = 0  # noqa: N815 - the RFC's names
    tooBig = 1  # noqa: N815
    noSuchName = 2  # noqa: N815
    badValue = 3  # noqa: N815
    readOnly = 4  # noqa: N815
    genErr = 5  # noqa: N815
    noAccess = 6  # noqa: N815
    wrongType = 7  # noqa: N815
    resourceUnavailable = 13  # noqa: N815
    authorizationError = 16  # noqa: N815

    @classmethod
    def name_of(cls, status: int) -> str:
        """Name an error-status, also one that nobody has defined."""
        return cls(status).name if status in cls._value2member_map_ else f"error-status {status}"


class Plain(Protocol):
    """What an engine has read of a reply at once, without making varbinds of it."""

    @property
    def count(self) -> int:
        """How many varbinds the reply holds."""

    def varbinds(self) -> list[Varbind]:
        """Return all that the reply holds, as any other's."""


class Form(Protocol):
    """The form that nearly all replies to a request have."""

    def read(self, data: bytes, start: int) -> Plain | None:
        """Read the varbind list that starts at `start` and must end with the data; None if it has another form."""


class Request:
    """What is asked: immutable, encoded once, shared by all polls that ask it."""

    __slots__ = ("form", "max_repetitions", "non_repeaters", "oids", "once", "pdu", "tail")

    def __init__(
        self,
        pdu: PduType,
        oids: tuple[bytes, ...],
        *,
        non_repeaters: int = 0,
        max_repetitions: int = 0,
        form: Form | None = None,
        once: bool = False,
    ) -> None:
        self.pdu = pdu
        self.oids = oids  # content bytes
        self.non_repeaters = non_repeaters  # of GETBULK, 0 for others
        self.max_repetitions = max_repetitions
        self.once = once  # it is not sent again: silence says enough
        self.form = form  # where one is expected: an engine may give the reply as such
        self.tail = _encode_tail(oids, non_repeaters, max_repetitions)

    @property
    def expected(self) -> int:
        """How many varbinds a full reply has."""
        if self.pdu is not PduType.GETBULK:
            return len(self.oids)
        return self.non_repeaters + (len(self.oids) - self.non_repeaters) * self.max_repetitions


def _encode_tail(oids: tuple[bytes, ...], non_repeaters: int, max_repetitions: int) -> bytes:
    """Encode what follows the request-id: two integers and the varbinds, whose values are NULL."""
    varbinds = b"".join(encode_tlv(SEQUENCE, encode_tlv(OBJECT_IDENTIFIER, oid) + b"\x05\x00") for oid in oids)
    return encode_integer(non_repeaters) + encode_integer(max_repetitions) + encode_tlv(SEQUENCE, varbinds)


def encode_prefix(credential: Community, pdu: PduType, tail_bytes: int) -> bytes:
    """Encode what precedes the four bytes of the request-id. The community is revealed here and nowhere else.

    Raises:
        SnmpError: v1 has no GETBULK.
    """
    if pdu is PduType.GETBULK and not has_bulk(credential):
        raise SnmpError("SNMPv1 has no GETBULK")
    community = credential.community.reveal().encode()
    pdu_bytes = 2 + 4 + tail_bytes
    pdu_head = bytes((pdu,)) + encode_length(pdu_bytes)
    head = encode_integer(0 if credential.version is Version.V1 else 1) + encode_tlv(OCTET_STRING, community)
    total = len(head) + len(pdu_head) + pdu_bytes
    return bytes((SEQUENCE,)) + encode_length(total) + head + pdu_head + b"\x02\x04"


Head = tuple[int, int, int, int, int, int]
"""(request-id, version on the wire, PDU tag, error-status, error-index, where the varbind list starts)."""


def read_head(data: bytes) -> Head:
    """Read a message up to its varbinds.

    Raises:
        SnmpError: no SNMP message, cut off, or followed by other bytes.
    """
    try:
        length = data[1]
        at = 2 if length < 0x80 else length - 0x7E  # the version, after a length of one, two or three bytes
        pdu = at + 5 + data[at + 4]
        length = data[pdu + 1]
        inner = pdu + 2 if length < 0x80 else pdu + length - 0x7E  # the request-id
        if (
            data[inner : inner + 2] == b"\x02\x04"
            and data[inner + 6 : inner + 8] == b"\x02\x01"
            and data[inner + 9 : inner + 11] == b"\x02\x01"
            and data[at : at + 2] == b"\x02\x01"
            and spans(data, 1, at)
            and spans(data, pdu + 1, inner)
            and data[0] == SEQUENCE
            and data[at + 3] == OCTET_STRING
            and data[at + 4] < 0x80
            and _FIRST_PDU <= data[pdu] <= _LAST_PDU
            and data[at + 2] | data[inner + 2] | data[inner + 8] | data[inner + 11] < 0x80
        ):
            return (
                int.from_bytes(data[inner + 2 : inner + 6]), data[at + 2], data[pdu],
                data[inner + 8], data[inner + 11], inner + 12,
            )  # fmt: skip
    except IndexError:
        pass
    return _read_head(data)


def spans(data: bytes, at: int, start: int) -> bool:
    """Tell whether the length at `at` is of a plain form and reaches from `start` to the end of the data."""
    length = len(data) - start
    if start == at + 1:
        return data[at] == length
    if start == at + 2:
        return data[at + 1] == length
    return start == at + 3 and data[at + 1] << 8 | data[at + 2] == length


def _read_head(data: bytes) -> Head:
    """Read a message's head in whatever form it has."""
    end = len(data)
    at, stop = expect(data, 0, end, SEQUENCE)
    if stop != end:
        raise SnmpError(f"{end - stop} bytes after the message")
    version, at = read_integer(data, at, end)
    _, at = expect(data, at, end, OCTET_STRING)
    pdu, at, stop = read_tlv(data, at, end)
    if stop != end:
        raise SnmpError(f"{end - stop} bytes after the PDU")
    if not _FIRST_PDU <= pdu <= _LAST_PDU:
        raise SnmpError(f"tag 0x{pdu:02x} where a PDU belongs")
    request_id, at = read_integer(data, at, end)
    status, at = read_integer(data, at, end)
    index, at = read_integer(data, at, end)
    return request_id, version, pdu, status, index, at


def read_integer(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Read an INTEGER element; returns its value and where the next element starts."""
    at, stop = expect(data, start, end, INTEGER)
    return decode_integer(data[at:stop]), stop


def read_varbinds(data: bytes, start: int) -> list[Varbind]:
    """Read the varbind list that starts at `start` and must end with the data.

    Raises:
        SnmpError: cut off, followed by other bytes, or holding what is no varbind.
    """
    try:
        return read_plain(data, list_start(data, start))
    except IndexError:
        return _read_varbinds(data, start)


def list_start(data: bytes, start: int) -> int:
    """Return where the first varbind of the list at `start` is.

    Raises:
        IndexError: the list is cut off, is followed by other bytes, or has no plain length.
    """
    length = data[start + 1]
    at = start + 2 if length < 0x80 else start + length - 0x7E
    if data[start] == SEQUENCE and spans(data, start + 1, at):
        return at
    raise IndexError


def read_plain(data: bytes, at: int) -> list[Varbind]:
    """Read varbinds to the end of the data. The hot loop of the engine: half a microsecond each.

    A varbind that is not of the plain form (one-byte lengths, at most eight bytes of integer, no sign bit) is left to
    the complete decoder.

    Raises:
        IndexError: the data is cut off.
        SnmpError: what the complete decoder can't read.
    """
    varbinds: list[Varbind] = []
    append = varbinds.append
    from_bytes = int.from_bytes
    end = len(data)
    while at < end:
        size = data[at + 3]
        where = at + 4 + size  # the value's tag
        length = data[where + 1]
        total = data[at + 1]
        if total >= 0x80 or total != size + length + 4 or data[at] != SEQUENCE or data[at + 2] != OBJECT_IDENTIFIER:
            at = _read_varbind(data, at, end, varbinds)
            continue
        stop = where + 2 + length
        tag = data[where]
        content = data[where + 2 : stop]
        if tag in _INTEGERS and 0 < length <= 8 and content[0] < 0x80:
            append((data[at + 4 : where], tag, from_bytes(content)))
        elif tag == OCTET_STRING:
            append((data[at + 4 : where], tag, content))
        else:
            append((data[at + 4 : where], tag, decode_value(tag, content)))
        at = stop
    if at > end:
        raise IndexError  # the last value is cut off
    return varbinds


_INTEGERS: Final = frozenset({INTEGER, COUNTER32, GAUGE32, TIME_TICKS, COUNTER64})


def _read_varbinds(data: bytes, start: int) -> list[Varbind]:
    """Read a varbind list in whatever form it has."""
    end = len(data)
    at, stop = expect(data, start, end, SEQUENCE)
    if stop != end:
        raise SnmpError(f"{end - stop} bytes after the varbinds")
    varbinds: list[Varbind] = []
    while at < stop:
        at = _read_varbind(data, at, stop, varbinds)
    return varbinds


def _read_varbind(data: bytes, start: int, end: int, varbinds: list[Varbind]) -> int:
    """Read one varbind in whatever form it has and append it; returns where the next starts."""
    at, stop = expect(data, start, end, SEQUENCE)
    oid, at = expect(data, at, stop, OBJECT_IDENTIFIER)
    name = data[oid:at]
    tag, at, value_end = read_tlv(data, at, stop)
    if value_end != stop:
        raise SnmpError(f"{stop - value_end} bytes after a value")
    varbinds.append((name, tag, decode_value(tag, data[at:value_end])))
    return stop
