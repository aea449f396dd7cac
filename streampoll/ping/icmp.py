"""ICMP echo to any number of hosts over one socket an address family.

Datagram sockets of ICMP need no privilege where `net.ipv4.ping_group_range` lets the group (icmp(7)); raw ones need
CAP_NET_RAW. A library's socket a host would have each of them read the replies of all on raw sockets, which is
quadratic; here one socket is read and a reply finds its question by the token in it.
"""

import asyncio
import secrets
import socket
import struct
from dataclasses import dataclass
from typing import Any, Final

from streampoll.ping.packet import encode_echo, read_reply, without_ip_header
from streampoll.ping.port import Echo
from streampoll.snmp.transport import DatagramSocket

_BUFFER_BYTES: Final = 1 << 20
_PROTOCOL: Final = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_FAMILY: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_SOL_RAW, _ICMP_FILTER = 255, 1  # linux/icmp.h: types that are *not* handed over
_ICMP6_FILTER: Final = 1  # linux/icmpv6.h
_ROOM_AGAIN_S: Final = 0.005


def may_ping(version: int = 4) -> bool:
    """Return True if this process may open an ICMP socket."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(_FAMILY[version], kind, _PROTOCOL[version]).close()
        except OSError:
            continue
        return True
    return False


class IcmpPinger:
    """Asks by ICMP echo."""

    method: Final = "icmp"

    def __init__(self, size_bytes: int = 56) -> None:
        self._size_bytes = size_bytes
        self._loop = asyncio.get_running_loop()
        self._lines: dict[int, _Line] = {}

    async def ask(self, address: str, timeout_s: float) -> Echo:
        """Ask a numeric IPv4 or IPv6 address once.

        Raises:
            PermissionError: this process may not open an ICMP socket.
        """
        version = 6 if ":" in address else 4
        line = self._lines.get(version)
        if line is None:
            line = self._lines[version] = _Line(version)
        return await line.ask(address, timeout_s, self._size_bytes)

    async def close(self) -> None:
        """Close the sockets; what is in flight is unanswered."""
        while self._lines:
            self._lines.popitem()[1].close()


class _Line:
    """The socket of one IP version, and what is in flight on it."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._loop = asyncio.get_running_loop()
        self._flying: dict[str, dict[int, _Question]] = {}  # by address and token
        self._token = secrets.randbits(63)
        self._raw, opened = _open(version)
        self._socket = DatagramSocket(opened, _BUFFER_BYTES, self._arrived, self._unreachable)

    async def ask(self, address: str, timeout_s: float, size_bytes: int) -> Echo:
        """Send one echo request and wait for what comes of it."""
        self._token += 1
        token = self._token
        question = _Question(self._loop.create_future(), self._loop.time())
        expiry = self._loop.call_later(timeout_s, question.settle, Echo(None))
        packet = encode_echo(self._version, token & 0xFFFF, token >> 16 & 0xFFFF, token, size_bytes)
        asked = self._flying.setdefault(address, {})
        asked[token] = question
        try:
            await self._send(packet, address, question)
            return await question.answer
        finally:
            expiry.cancel()
            del asked[token]
            if not asked:
                self._flying.pop(address, None)

    async def _send(self, packet: bytes, address: str, question: "_Question") -> None:
        while not question.answer.done():
            try:
                refused = self._socket.send(packet, (address, 0))
            except BlockingIOError:
                await asyncio.sleep(_ROOM_AGAIN_S)
                continue
            if refused:
                question.settle(Echo(None, refused))
            return

    def _arrived(self, packet: bytes, source: tuple[Any, ...], _at: float) -> None:
        """Settle the question that a reply belongs to: by its token and its source."""
        token = read_reply(self._version, without_ip_header(packet) if self._raw and self._version == 4 else packet)
        if token is not None and (question := self._flying.get(source[0], {}).get(token)):
            question.settle(Echo(self._loop.time() - question.sent))

    def _unreachable(self, destination: tuple[Any, ...], cause: str) -> None:
        for question in self._flying.get(destination[0], {}).values():
            question.settle(Echo(None, cause))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        for asked in self._flying.values():
            for question in asked.values():
                question.settle(Echo(None, "closed"))


@dataclass(slots=True)
class _Question:
    """One echo request that is in flight."""

    answer: asyncio.Future[Echo]
    sent: float  # the loop's time

    def settle(self, echo: Echo) -> None:
        if not self.answer.done():
            self.answer.set_result(echo)


def _open(version: int) -> tuple[bool, socket.socket]:
    """Return whether the socket is a raw one, and it. Raises PermissionError if neither kind is allowed."""
    try:
        return False, socket.socket(_FAMILY[version], socket.SOCK_DGRAM, _PROTOCOL[version])
    except PermissionError:
        raw = socket.socket(_FAMILY[version], socket.SOCK_RAW, _PROTOCOL[version])
    if version == 4:
        raw.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~(1 << 0) & 0xFFFFFFFF))  # echo replies only
    else:
        blocked = bytearray(b"\xff" * 32)
        struct.pack_into("=I", blocked, 129 // 32 * 4, ~(1 << 129 % 32) & 0xFFFFFFFF)
        raw.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, bytes(blocked))
    return True, raw
