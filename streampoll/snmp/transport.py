"""One unconnected UDP socket for all agents of an address family.

ICMP errors come through the socket's error queue (IP_RECVERR, ip(7)), each with the destination it is about. The
kernel also reports an error, once, from whichever call comes next, also from a `sendto` to somebody else: so after an
error the queue is read and the send repeated.

When a datagram arrived is the kernel's to say (SO_TIMESTAMPNS, socket(7)), however late it is read. So with many on
their way the socket is looked at now and then instead of watched: woken by each, at a thousand a second, a process
pays a sixth more for a poll, as nothing of it is left in the core's caches from one to the next.

The socket is watched through an epoll descriptor of its own: libuv stops watching a descriptor at its first EPOLLERR,
and every ICMP error is one. An epoll descriptor is only ever readable.
"""

import asyncio
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

_RECVERR: Final[dict[int, tuple[int, int]]] = {  # linux/in.h, linux/in6.h
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
_SO_RCVBUFFORCE: Final = 33  # asm-generic/socket.h; needs CAP_NET_ADMIN
_SO_MEMINFO: Final = 55
_MEMINFO_DROPS: Final = 8  # index into SO_MEMINFO's array of u32 (linux/sock_diag.h)
_SO_TIMESTAMPNS: Final = 35  # asm-generic/socket.h, the one whose struct has the machine's own long
_TIMESPEC: Final = struct.Struct("@ll")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_BURST: Final = 256  # datagrams read before the loop has its turn again
_GATHER_S: Final = 0.005  # between two looks, where many are on their way
_BUSY: Final = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EINTR})

_CAUSES: Final = {
    errno.ECONNREFUSED: "port unreachable (ICMP)",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.EACCES: "not permitted on the way (ICMP) or by this host",
    errno.EPERM: "not permitted by this host (firewall)",
    errno.ENOPROTOOPT: "protocol unreachable (ICMP)",
    errno.EHOSTDOWN: "host down",
}

OnDatagram = Callable[[bytes, tuple[Any, ...], float], None]
"""Takes a datagram, where it is from, and when it arrived (wall-clock seconds)."""

OnUnreachable = Callable[[tuple[Any, ...], str], None]


class DatagramSocket:
    """Sends datagrams; hands what arrives to `on_datagram` and ICMP errors to `on_unreachable`."""

    def __init__(
        self,
        opened: socket.socket,
        receive_buffer_bytes: int,
        on_datagram: OnDatagram,
        on_unreachable: OnUnreachable,
        expects_many: Callable[[], bool] = lambda: False,
    ) -> None:
        self._on_datagram = on_datagram
        self._on_unreachable = on_unreachable
        self._expects_many = expects_many
        self._look: asyncio.TimerHandle | None = None  # the next, where the socket is not watched
        self._socket = opened
        opened.setblocking(False)
        _enlarge(opened, receive_buffer_bytes)
        opened.setsockopt(*_RECVERR[opened.family], 1)
        with suppress(OSError):  # then it arrived when it is read
            opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        opened.bind(("::" if opened.family == socket.AF_INET6 else "0.0.0.0", 0))  # noqa: S104 - replies come by any way
        self._epoll = select.epoll()
        self._epoll.register(self._socket.fileno(), select.EPOLLIN)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._read)

    @property
    def port(self) -> int:
        """The local port that replies come to."""
        return int(self._socket.getsockname()[1])

    @property
    def receive_drops(self) -> int:
        """Datagrams that the kernel dropped because the receive buffer was full."""
        info = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
        return int(struct.unpack("=9I", info)[_MEMINFO_DROPS])

    def send(self, data: bytes, address: tuple[str, int]) -> str | None:
        """Send one datagram; returns None, or why it can't be sent.

        Raises:
            BlockingIOError: the kernel has no room now.
        """
        for _ in range(8):  # each try may be met by an ICMP error about another destination
            try:
                self._socket.sendto(data, address)
            except OSError as error:
                if error.errno in _BUSY:
                    raise BlockingIOError from None
                if not self._read_errors():
                    return _CAUSES.get(error.errno or 0) or os.strerror(error.errno or 0)
            else:
                return None
        return "the network keeps reporting errors"

    def _read(self) -> None:
        """Read what has arrived, and watch the socket, or look again in a moment: also after a bug in who takes it."""
        whole = False
        try:
            whole = self.drain()
        finally:
            if self._expects_many():
                if self._look is None:
                    self._loop.remove_reader(self._epoll.fileno())
                self._look = self._loop.call_later(_GATHER_S if whole else 0.0, self._read)
            elif self._look is not None:
                self._look = None
                self._loop.add_reader(self._epoll.fileno(), self._read)

    def drain(self, most: int = _BURST) -> bool:
        """Read what has arrived, at most so many datagrams; returns False if there may be more.

        An error is told before any datagram, and ends nothing: where they keep coming, nobody would be heard.
        """
        receive = self._socket.recvmsg
        on_datagram = self._on_datagram
        unexplained = 0
        for read in range(most):
            try:
                data, ancillary, _, source = receive(65535, _ANCILLARY_BYTES)
            except BlockingIOError:
                if not read:  # then it may be the error queue that there is something in
                    self._read_errors()
                return True
            except OSError:
                if not self._read_errors():  # for want of room it was not kept there, or is none of the network's
                    unexplained += 1
                if unexplained > 1:
                    return True
                continue
            unexplained = 0
            try:
                on_datagram(data, source, _arrival(ancillary))
            except Exception as error:  # noqa: BLE001 - a bug costs the datagram that meets it, and not the socket
                self._loop.call_exception_handler({"message": "a datagram met a bug", "exception": error})
        return False

    def _read_errors(self) -> int:
        """Empty the error queue; returns how many errors there were."""
        count = 0
        try:
            while True:
                _, ancillary, _, destination = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
                count += 1
                for _level, _kind, body in ancillary:
                    cause = _CAUSES.get(int.from_bytes(body[:4], "little" if _LITTLE else "big"))
                    if cause:
                        self._on_unreachable(destination, cause)
        except OSError:
            return count

    def close(self) -> None:
        """Stop reading and close."""
        if self._look is not None:
            self._look.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._socket.close()


class UdpSocket(DatagramSocket):
    """The same over UDP."""

    def __init__(
        self,
        family: socket.AddressFamily,
        receive_buffer_bytes: int,
        on_datagram: OnDatagram,
        on_unreachable: OnUnreachable,
        expects_many: Callable[[], bool],
    ) -> None:
        opened = socket.socket(family, socket.SOCK_DGRAM)
        super().__init__(opened, receive_buffer_bytes, on_datagram, on_unreachable, expects_many)


_LITTLE: Final = struct.pack("=H", 1) == b"\x01\x00"


def _arrival(ancillary: Sequence[tuple[int, int, bytes]]) -> float:
    """Return when a datagram arrived, as the kernel says; now, where it does not."""
    for _, kind, body in ancillary:
        if kind == _SO_TIMESTAMPNS and len(body) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(body)
            return float(seconds + nanoseconds * 1e-9)
    return time.time()


def _enlarge(sock: socket.socket, size: int) -> None:
    """Ask for a receive buffer; over rmem_max only root gets it, others get what the kernel gives."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
