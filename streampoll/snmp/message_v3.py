"""SNMPv3 messages (RFC 3412 6, RFC 3414 2.4); bytes in, bytes out, no state.

    message = version 3
            | msgID, the size we can take, flags, security model 3          what v3 adds to v2c, in clear
            | engine ID, boots, time, user, signature, salt                 the security parameters of the USM
            | scoped PDU: engine ID, context name, PDU                      in clear, or encrypted in an OCTET STRING

A signature covers the whole message with zeros in its own place; `Envelope` keeps what does not change from message to
message of one user on one engine. msgID and request-id of what we send are one number, of four bytes always.

What is read here has not been authenticated; `session` does that, and it alone. As in `message`, a fast path reads the
form that nearly all messages have, and the complete decoder the rest.
"""

from typing import Final, NamedTuple

from streampoll.errors import SnmpError
from streampoll.snmp.ber import (
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    encode_integer,
    encode_length,
    encode_tlv,
    expect,
    read_tlv,
)
from streampoll.snmp.message import Form, PduType, Plain, Varbind, read_integer, read_varbinds, spans

AUTH: Final = 0x01  # msgFlags
PRIV: Final = 0x02
REPORTABLE: Final = 0x04
LEVEL: Final = AUTH | PRIV

MAX_ENGINE_ID_BYTES: Final = 32  # SnmpEngineID: 5 to 32 (RFC 3411 5)
MAX_USER_BYTES: Final = 32
MAX_TIME: Final = 0x7FFFFFFF  # of boots and time

_USM: Final = 3
_ID: Final = b"\x02\x04"  # head of msgID and request-id
_SIZE: Final = b"\x02\x03\x00\xff\xe3"  # msgMaxSize: 65,507 bytes, what a datagram holds
_VERSION: Final = b"\x02\x01\x03"
_VERSION_AND_HEADER: Final = b"\x02\x01\x03\x30"
_MODEL: Final = b"\x02\x01\x03"
_FIRST_PDU: Final = int(PduType.GET)
_RESPONSE: Final = int(PduType.RESPONSE)
_LAST_PDU: Final = int(PduType.REPORT)
_LENGTHS: Final = tuple(map(encode_length, range(2048)))


def _length(length: int) -> bytes:
    return _LENGTHS[length] if length < 2048 else encode_length(length)


class Envelope:
    """How one user's messages to one engine are put together."""

    __slots__ = ("_engine", "_global", "_mac_bytes", "_scope", "_user")

    def __init__(self, engine_id: bytes, user: bytes, context: bytes, level: int, mac_bytes: int) -> None:
        engine = encode_tlv(OCTET_STRING, engine_id)
        self._engine = engine
        self._user = encode_tlv(OCTET_STRING, user) + bytes((OCTET_STRING, mac_bytes)) + bytes(mac_bytes)
        self._scope = engine + encode_tlv(OCTET_STRING, context)
        self._global = _SIZE + bytes((OCTET_STRING, 1, REPORTABLE | level)) + _MODEL
        self._mac_bytes = mac_bytes

    def scoped(self, pdu: PduType, request_id: int, tail: bytes) -> bytes:
        """Encode a scoped PDU around a request's tail."""
        pdu_bytes = 6 + len(tail)
        head = bytes((pdu,)) + _length(pdu_bytes) + _ID
        size = len(self._scope) + len(head) - 2 + pdu_bytes
        return b"".join((b"\x30", _length(size), self._scope, head, request_id.to_bytes(4), tail))

    def seal(self, msg_id: int, moment: bytes, salt: bytes, data: bytes) -> tuple[bytes, int]:
        """Encode a message around a scoped PDU; returns it with zeros for its signature, and where that stands.

        `moment` is what `encode_moment` made, `salt` msgPrivacyParameters, `data` the scoped PDU or the element of its
        ciphertext.
        """
        salt_bytes = len(salt)
        size = len(self._engine) + len(moment) + len(self._user) + 2 + salt_bytes
        size_head = _length(size)
        inside = 1 + len(size_head) + size
        inside_head = _length(inside)
        total = 3 + 19 + 1 + len(inside_head) + inside + len(data)
        message = b"".join(
            (
                b"\x30", _length(total), _VERSION, b"\x30\x11\x02\x04", msg_id.to_bytes(4), self._global,
                b"\x04", inside_head, b"\x30", size_head, self._engine, moment, self._user,
                b"\x04", _LENGTHS[salt_bytes], salt, data,
            )
        )  # fmt: skip
        return message, len(message) - len(data) - salt_bytes - 2 - self._mac_bytes


def encode_moment(boots: int, time_s: int) -> bytes:
    """Encode an engine's boots and time as they stand in the security parameters."""
    return encode_integer(boots) + encode_integer(time_s)


def encode_ciphertext(data: bytes) -> bytes:
    """Encode the element that stands where the scoped PDU would, if it is encrypted."""
    return b"\x04" + _length(len(data)) + data


class HeadV3(NamedTuple):
    """A message up to its scoped PDU. Nothing of it is authentic yet."""

    msg_id: int
    version: int  # 3; here for what reads heads of all versions
    flags: int
    engine_id: bytes
    boots: int
    time_s: int
    user: bytes
    mac_at: int  # where the signature stands
    mac_bytes: int
    salt: bytes
    data_at: int  # where the scoped PDU's element starts; it ends with the message


def is_v3(data: bytes) -> bool:
    """Tell whether a datagram calls itself SNMPv3; of one in an unusual form, whatever else can't be read, False."""
    try:
        length = data[1]
        at = 2 if length < 0x80 else length - 0x7E
        return data[at : at + 3] == _VERSION
    except IndexError:
        return False


def read_head_v3(data: bytes) -> HeadV3:
    """Read a message up to its scoped PDU.

    Raises:
        SnmpError: no SNMPv3 message of the user-based model, cut off, followed by other bytes, or out of range.
    """
    try:
        return _read_plain(data) or _read_head(data)
    except IndexError:
        return _read_head(data)


def _read_plain(data: bytes) -> HeadV3 | None:
    """Read a head of the plain form (short lengths, a four-byte msgID, no sign bits); None if it is not of it."""
    length = data[1]
    at = 2 if length < 0x80 else length - 0x7E  # the version
    inner = at + 5  # msgID, size, flags, model
    flags = inner + 8 + data[inner + 7]
    outer = flags + 6  # the security parameters' OCTET STRING
    start = outer + 2 if data[outer + 1] < 0x80 else outer + 3
    data_at = start + data[start - 1]
    engine = start + 2 if data[start + 1] < 0x80 else start + 3  # inside their SEQUENCE
    boots = engine + 2 + data[engine + 1]
    time_s = boots + 2 + data[boots + 1]
    user = time_s + 2 + data[time_s + 1]
    mac = user + 2 + data[user + 1]
    salt = mac + 2 + data[mac + 1]
    if (
        data[0] != SEQUENCE or not spans(data, 1, at) or data[at : at + 4] != _VERSION_AND_HEADER
        or data[at + 4] != outer - inner or data[inner : inner + 2] != _ID
        or data[inner + 6] != INTEGER or data[flags : flags + 2] != b"\x04\x01"
        or data[flags + 3 : outer] != _MODEL or data[flags + 2] & LEVEL == PRIV
        or data[outer] != OCTET_STRING or not _is_plain(data, outer + 1, start)
        or data[start] != SEQUENCE or not _is_plain(data, start + 1, engine) or engine + data[engine - 1] != data_at
        or not data[engine] == data[user] == data[mac] == data[salt] == OCTET_STRING
        or not data[boots] == data[time_s] == INTEGER
        or not (0 < data[inner + 7] <= 4 and 0 < data[boots + 1] <= 4 and 0 < data[time_s + 1] <= 4)
        or data[engine + 1] > MAX_ENGINE_ID_BYTES or data[user + 1] > MAX_USER_BYTES or data[salt + 1] > MAX_USER_BYTES
        or data[mac + 1] | data[inner + 2] | data[boots + 2] | data[time_s + 2] >= 0x80
        or salt + 2 + data[salt + 1] != data_at or data_at > len(data)
    ):  # fmt: skip
        return None
    return HeadV3(
        int.from_bytes(data[inner + 2 : inner + 6]), 3, data[flags + 2], data[engine + 2 : boots],
        int.from_bytes(data[boots + 2 : time_s]), int.from_bytes(data[time_s + 2 : user]),
        data[user + 2 : mac], mac + 2, data[mac + 1], data[salt + 2 : data_at], data_at,
    )  # fmt: skip


def _is_plain(data: bytes, at: int, start: int) -> bool:
    """Tell whether the length at `at` is of the one-byte form, or of the two-byte one with `start` after it."""
    return start == at + 1 or data[at] == 0x81


def _read_head(data: bytes) -> HeadV3:
    """Read a head in whatever form it has."""
    end = len(data)
    at, stop = expect(data, 0, end, SEQUENCE)
    if stop != end:
        raise SnmpError(f"{end - stop} bytes after the message")
    version, at = read_integer(data, at, end)
    head, at = expect(data, at, end, SEQUENCE)
    msg_id, flags = _read_global(data, head, at)
    start, data_at = expect(data, at, end, OCTET_STRING)
    at, stop = expect(data, start, data_at, SEQUENCE)
    if stop != data_at or version != 3:
        raise SnmpError("security parameters that are not the user-based model's")
    engine_id, at = _read_octets(data, at, stop, MAX_ENGINE_ID_BYTES)
    boots, at = read_integer(data, at, stop)
    time_s, at = read_integer(data, at, stop)
    user, at = _read_octets(data, at, stop, MAX_USER_BYTES)
    mac_at, mac_end = expect(data, at, stop, OCTET_STRING)
    salt, at = _read_octets(data, mac_end, stop, MAX_USER_BYTES)
    if at != stop or not 0 <= boots <= MAX_TIME or not 0 <= time_s <= MAX_TIME:
        raise SnmpError("security parameters out of range")
    return HeadV3(msg_id, 3, flags, engine_id, boots, time_s, user, mac_at, mac_end - mac_at, salt, data_at)


def _read_global(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read the header that all security models have; returns msgID and flags."""
    msg_id, at = read_integer(data, at, end)
    _, at = read_integer(data, at, end)  # what the agent can take; ours is the smaller
    flags, at = _read_octets(data, at, end, 1)
    model, at = read_integer(data, at, end)
    if at != end or model != _USM or len(flags) != 1:
        raise SnmpError(f"a message of security model {model}")
    if flags[0] & LEVEL == PRIV:
        raise SnmpError("privacy without authentication")
    return msg_id, flags[0]


def _read_octets(data: bytes, start: int, end: int, most: int) -> tuple[bytes, int]:
    """Read an OCTET STRING of at most `most` bytes; returns it and where the next element starts."""
    at, stop = expect(data, start, end, OCTET_STRING)
    if stop - at > most:
        raise SnmpError(f"{stop - at} bytes at byte {start}, where at most {most} belong")
    return data[at:stop], stop


def ciphertext(data: bytes, at: int) -> bytes:
    """Return what is inside the element at `at`, which must end with the message.

    Raises:
        SnmpError: no OCTET STRING, or other bytes after it.
    """
    start, stop = expect(data, at, len(data), OCTET_STRING)
    if stop != len(data):
        raise SnmpError(f"{len(data) - stop} bytes after the ciphertext")
    return data[start:stop]


class Pdu(NamedTuple):
    """What a scoped PDU says."""

    kind: int  # a PDU's tag
    request_id: int
    error_status: int
    error_index: int
    varbinds: list[Varbind]
    plain: Plain | None = None  # a response of the form that was expected; then there are no varbinds


def read_scoped(data: bytes, start: int, padding: int = 0, form: Form | None = None) -> Pdu:
    """Read the scoped PDU at `start`, which ends with the data but for up to `padding` bytes of a cipher's padding.

    Raises:
        SnmpError: no scoped PDU, cut off, or followed by other bytes; what a wrong key makes of one, too.
    """
    at, end = expect(data, start, len(data), SEQUENCE)
    if len(data) - end > padding:
        raise SnmpError(f"{len(data) - end} bytes after the scoped PDU")
    _, at = expect(data, at, end, OCTET_STRING)  # engine ID and name of the context: those of the request, since
    _, at = expect(data, at, end, OCTET_STRING)  # the message's ids are
    kind, at, stop = read_tlv(data, at, end)
    if stop != end or not _FIRST_PDU <= kind <= _LAST_PDU:
        raise SnmpError(f"tag 0x{kind:02x} where a PDU belongs, or bytes after it")
    request_id, at = read_integer(data, at, end)
    status, at = read_integer(data, at, end)
    index, at = read_integer(data, at, end)
    if end < len(data):
        data = data[:end]
    plain = form.read(data, at) if form is not None and kind == _RESPONSE and not status else None
    return Pdu(kind, request_id, status, index, read_varbinds(data, at) if plain is None else [], plain)
