"""Bytes on the wire between us and the simulated fleet, read off the loopback interface (packet(7); root may)."""

import socket
import struct
import time
from dataclasses import dataclass

_ALL, _OUTGOING = 0x0003, 4  # ETH_P_ALL; PACKET_OUTGOING: on loopback each packet is seen again as incoming
_UDP = 17
_BUFFER_BYTES = 8 << 20


@dataclass(slots=True)
class Wire:
    """IP packets to and from one UDP port: bytes with their IP and UDP headers, without those of a link."""

    requests: int = 0
    request_bytes: int = 0
    replies: int = 0
    reply_bytes: int = 0

    def note(self, packet: bytes, port: int) -> None:
        """Count an IPv4 packet with its link header if it is one of ours."""
        ip = packet[14:]
        if len(ip) < 28 or ip[0] >> 4 != 4 or ip[9] != _UDP:
            return
        size, header = struct.unpack_from("!H", ip, 2)[0], (ip[0] & 15) * 4
        source, target = struct.unpack_from("!HH", ip, header)
        if target == port:
            self.requests, self.request_bytes = self.requests + 1, self.request_bytes + size
        elif source == port:
            self.replies, self.reply_bytes = self.replies + 1, self.reply_bytes + size


def listen(port: int, seconds: float) -> Wire | None:
    """Count what passes for a while; None where we may not look."""
    try:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    except PermissionError:
        return None
    seen, until = Wire(), time.monotonic() + seconds
    with tap:
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        tap.bind(("lo", 0))
        tap.settimeout(0.2)
        while time.monotonic() < until:
            try:
                packet, (_, _, kind, *_) = tap.recvfrom(65_535)
            except TimeoutError:
                continue
            if kind == _OUTGOING:
                seen.note(packet, port)
    return seen
