"""The fleet on the network: one UDP socket that is every device.

It is bound to 0.0.0.0 with IP_PKTINFO, so the kernel says to which address a datagram went; the same control message,
handed back with the reply, makes that address its source. Datagrams to addresses outside 127.0.0.0/8 are dropped: the
fleet is for this machine only. The socket is drained at each wake-up, but in bursts, so that replies due are not held
up. Replies that the system does not take (buffer full) are dropped and counted, as a network would.
"""

import asyncio
import socket
import struct
import time
from types import TracebackType
from typing import Any, Self

from streampoll.embedded.fleet.figures import Figures
from streampoll.embedded.fleet.population import make_population
from streampoll.embedded.fleet.responder import Pending, Responder
from streampoll.embedded.fleet.settings import FleetSettings, check
from streampoll.embedded.fleet.wheel import Wheel
from streampoll.errors import ConfigError, Fault

IP_PKTINFO = 8  # Linux; Python's socket module has it from 3.13 on
SO_MEMINFO, MEMINFO_DROPS = 55, 8  # Linux; unsigned 32-bit words, of which the ninth counts drops
PKTINFO_BYTES = socket.CMSG_SPACE(12)
DESTINATION = slice(8, 12)  # of struct in_pktinfo
BUFFER_BYTES = 16 << 20  # asked; the system gives what rmem_max and wmem_max allow
REQUEST_BYTES = 8192  # a longer request is malformed
BURST = 128  # datagrams read before replies due are looked at

Waiting = tuple[Pending, list[tuple[int, int, bytes]], Any]


class Fleet:
    """A simulated fleet that answers from `async with` on until the block ends.

    Raises:
        ConfigError: the settings, a recording or the port can't be used.
    """

    def __init__(self, settings: FleetSettings) -> None:
        self.settings = check(settings)
        self.figures = Figures()
        self._responder = Responder(settings, make_population(settings), self.figures)
        self._wheel: Wheel[Waiting] = Wheel()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_s = 0.0

    @property
    def port(self) -> int:
        """The UDP port that it answers on, also where 0 was asked for."""
        port: int = self._socket.getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._socket = _open_socket(self.settings.port)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._drain)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._loop.remove_reader(self._socket.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self.count()
        self._socket.close()

    async def serve(self) -> None:
        """Answer until cancelled."""
        async with self:
            await asyncio.get_running_loop().create_future()

    def count(self) -> Figures:
        """Bring the figures that are not counted as they happen up to date, and return all."""
        self.figures.waiting = len(self._wheel)
        words = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (MEMINFO_DROPS + 1))
        self.figures.overflowed = struct.unpack("=9I", words)[MEMINFO_DROPS]
        return self.figures

    def _drain(self) -> None:
        """Read what has come; the loop calls again while there is more."""
        receive, accept, add = self._socket.recvmsg, self._responder.accept, self._wheel.add
        now_s = time.monotonic()
        try:
            for _ in range(BURST):
                data, control, _, peer = receive(REQUEST_BYTES, PKTINFO_BYTES)
                pending = accept(data, control[0][2][DESTINATION])
                if pending is not None:
                    add(now_s + pending.device.latency_s, (pending, control, peer))
        except BlockingIOError:
            pass
        self._send_due()

    def _send_due(self) -> None:
        """Send what is due, and set the timer for what is not."""
        now_cs = int(time.time() * 100)
        for pending, control, peer in self._wheel.take_due(time.monotonic()):
            self._send(self._responder.reply(pending, now_cs), control, peer)
        self._set_timer()

    def _send(self, reply: bytes, control: list[tuple[int, int, bytes]], peer: Any) -> None:
        try:
            self._socket.sendmsg((reply,), control, 0, peer)
            self.figures.replies += 1
        except OSError:  # EAGAIN, or the poller is gone
            self.figures.unsent += 1

    def _set_timer(self) -> None:
        """Have one timer, at the earliest time that something is due."""
        due_s = self._wheel.next_due_s()
        if due_s is None or (self._timer is not None and self._timer_due_s <= due_s):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due_s = due_s
        self._timer = self._loop.call_later(max(due_s - time.monotonic(), 0), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._send_due()


def _open_socket(port: int) -> socket.socket:
    """Open the one socket.

    Raises:
        ConfigError: the port is taken or not allowed.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        opened.bind(("0.0.0.0", port))  # noqa: S104 - datagrams to other than 127.0.0.0/8 are dropped
    except OSError as error:
        opened.close()
        raise ConfigError(
            [Fault("--port", f"UDP port {port} can't be used: {error.strerror}", "0 takes one that is free")]
        ) from None
    return opened
