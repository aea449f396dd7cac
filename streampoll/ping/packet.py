"""ICMP echo (RFC 792) and ICMPv6 echo (RFC 4443, 4.1) as bytes.

An echo's data begins with a token of ours, and a reply counts by that: identifiers are the kernel's on datagram
sockets, and on raw sockets every process of the host sees every reply.
"""

import struct
from typing import Final

TOKEN_BYTES: Final = 8

_HEADER: Final = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence number
_TOKEN: Final = struct.Struct("!Q")
_REQUEST: Final = {4: 8, 6: 128}  # IP version -> type
_REPLY: Final = {4: 0, 6: 129}


def encode_echo(version: int, identifier: int, sequence: int, token: int, size_bytes: int) -> bytes:
    """Return an echo request with `size_bytes` of data, at least those of the token.

    The checksum is that of IPv4; the kernel replaces that of ICMPv6, which covers addresses, and that of datagram
    sockets.
    """
    data = _TOKEN.pack(token).ljust(size_bytes, b"\0")
    head = _HEADER.pack(_REQUEST[version], 0, 0, identifier, sequence)
    return _HEADER.pack(_REQUEST[version], 0, checksum(head + data), identifier, sequence) + data


def read_reply(version: int, packet: bytes) -> int | None:
    """Return the token of an echo reply; None for every other packet. `packet` begins with the ICMP header."""
    if len(packet) < _HEADER.size + TOKEN_BYTES or packet[0] != _REPLY[version]:
        return None
    token: int = _TOKEN.unpack_from(packet, _HEADER.size)[0]
    return token


def without_ip_header(packet: bytes) -> bytes:
    """Return what an IPv4 packet carries; raw sockets of IPv4 hand over the header too (raw(7))."""
    return packet[(packet[0] & 0x0F) * 4 :] if packet else b""


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
