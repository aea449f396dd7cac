"""SNMP requests as the fleet reads them (RFC 1157, RFC 1901, RFC 3416).

A poller asks thousands of devices the same thing; only the request-id differs. So a request is first split into its
request-id and the rest, which is looked up; only a rest never seen before is parsed.
"""

from dataclasses import dataclass
from enum import IntEnum

from streampoll.embedded.fleet import ber
from streampoll.embedded.fleet.ber import MalformedError, Oid


class Pdu(IntEnum):
    """The PDU tags that an agent of v1 and v2c meets."""

    GET = 0xA0
    GETNEXT = 0xA1
    RESPONSE = 0xA2
    SET = 0xA3
    GETBULK = 0xA5


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed request."""

    version: int  # as on the wire: 0 is v1, 1 is v2c
    community: bytes
    pdu: Pdu
    request_id: bytes  # content of the INTEGER
    request_id_at: int  # where that content begins
    non_repeaters: int  # GETBULK; else error-status
    max_repetitions: int  # GETBULK; else error-index
    oids: tuple[Oid, ...]
    varbinds: bytes  # the variable-bindings as they came, for replies that repeat them


def split(data: bytes) -> tuple[bytes, bytes, int]:
    """Split a message into (everything but the request-id, request-id, where it was) without checking it.

    The place is to be compared with the one `parse` finds: they differ in messages that this short cut can't read.

    Raises:
        IndexError: the message is too short.
    """
    community = (2 if data[1] < 128 else 2 + (data[1] & 127)) + 3
    pdu = community + 2 + data[community + 1]
    number = pdu + (2 if data[pdu + 1] < 128 else 2 + (data[pdu + 1] & 127))
    begin = number + 2
    end = begin + data[number + 1]
    return data[:begin] + data[end:], data[begin:end], begin


def parse(data: bytes) -> Request:
    """Read a message.

    Raises:
        MalformedError: it is not an SNMP v1 or v2c request, or has bytes left over.
    """
    begin, end = ber.decode(data, 0, ber.SEQUENCE)
    _require(end == len(data), "bytes after the message")
    version, at = ber.decode_integer(data, begin)
    _require(version in (0, 1), f"version {version}")
    community_at, at = ber.decode(data, at, ber.OCTETS)
    community = data[community_at:at]
    _require(at < end and data[at] in _ASKABLE[version], "not a request of this version")
    pdu = Pdu(data[at])
    at, pdu_end = ber.decode(data, at)
    _require(pdu_end == end, "bytes after the PDU")
    id_at, id_end = ber.decode(data, at, ber.INTEGER)
    _require(1 <= id_end - id_at <= 8, "request-id")
    first, at = ber.decode_integer(data, id_end)
    second, at = ber.decode_integer(data, at)
    list_at, list_end = ber.decode(data, at, ber.SEQUENCE)
    _require(list_end == end, "bytes after the variable-bindings")
    oids = _parse_names(data, list_at, list_end)
    return Request(
        version, community, pdu, data[id_at:id_end], id_at, max(first, 0), max(second, 0), oids, data[list_at:list_end]
    )


_ASKABLE = (
    (Pdu.GET, Pdu.GETNEXT, Pdu.SET),
    (Pdu.GET, Pdu.GETNEXT, Pdu.SET, Pdu.GETBULK),
)


def _parse_names(data: bytes, at: int, end: int) -> tuple[Oid, ...]:
    """Read the names of a list of variable bindings; values in a request mean nothing."""
    oids = []
    while at < end:
        name_at, at = ber.decode(data, at, ber.SEQUENCE)
        oid, value_at = ber.decode_oid(data, name_at)
        _, value_end = ber.decode(data, value_at)
        _require(value_end == at <= end, "a variable binding")
        oids.append(oid)
    return tuple(oids)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise MalformedError(what)
