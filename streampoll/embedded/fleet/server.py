"""The fleet on the network: requests in, replies out when their latency has passed.

Waking up costs more than answering. So after a turn that read something the fleet looks away for one tick (2 ms), and
then takes what has come together, which bounds the wake-ups to 500 a second; the latencies stay true to a few
milliseconds. It listens at once where latencies are shorter than that, or while nothing comes.
"""

import asyncio
import time
from types import TracebackType
from typing import Self

from streampoll.embedded.fleet.figures import Figures
from streampoll.embedded.fleet.population import make_population
from streampoll.embedded.fleet.responder import Pending, Responder
from streampoll.embedded.fleet.settings import FleetSettings, check
from streampoll.embedded.fleet.sockets import (
    CONTROL_BYTES,
    DESTINATION,
    REQUEST_BYTES,
    Control,
    Peer,
    dropped,
    open_socket,
)
from streampoll.embedded.fleet.wheel import TICK_S, Wheel

BURST = 256  # datagrams read in a turn, so that replies due are not held up by a flood


class Fleet:
    """A simulated fleet that answers inside an `async with` block.

    Raises:
        ConfigError: the settings, a recording or the port can't be used.
    """

    def __init__(self, settings: FleetSettings) -> None:
        self.settings = check(settings)
        self.figures = Figures()
        self.population = make_population(settings)
        self._responder = Responder(settings, self.population, self.figures)
        self._wheel: Wheel[tuple[Pending, Control, Peer]] = Wheel()
        self._may_pause = settings.latency_ms[0] / 1000 > 2 * TICK_S
        self._listening = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """The UDP port that it answers on, also where 0 was asked for."""
        port: int = self._socket.getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._socket = open_socket(self.settings.port)
        self._loop = asyncio.get_running_loop()
        self._listen(True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._listen(False)
        self._set_timer(None)
        self.count()
        self._socket.close()

    async def serve(self) -> None:
        """Answer until cancelled."""
        async with self:
            await asyncio.get_running_loop().create_future()

    def count(self) -> Figures:
        """Bring the figures that are not counted as they happen up to date, and return all."""
        self.figures.waiting = len(self._wheel)
        self.figures.overflowed = dropped(self._socket)
        return self.figures

    def _turn(self) -> None:
        """Read what has come, send what is due, and decide what to wake up for next."""
        requests = self.figures.requests
        self._drain()
        self._send_due()
        if self._may_pause and self.figures.requests > requests:
            self._listen(False)
            self._set_timer(TICK_S)
            return
        self._listen(True)
        due_s = self._wheel.next_due_s()
        self._set_timer(None if due_s is None else max(due_s - time.monotonic(), 0))

    def _drain(self) -> None:
        """Read requests until there are no more, or a burst is full."""
        receive, accept, add = self._socket.recvmsg, self._responder.accept, self._wheel.add
        now_s = time.monotonic()
        try:
            for _ in range(BURST):
                data, control, _, peer = receive(REQUEST_BYTES, CONTROL_BYTES)
                pending = accept(data, control[0][2][DESTINATION])
                if pending is not None:
                    add(now_s + pending.device.latency_s, (pending, control, peer))
        except BlockingIOError:
            pass

    def _send_due(self) -> None:
        now_cs = int(time.time() * 100)
        for pending, control, peer in self._wheel.take_due(time.monotonic()):
            reply = self._responder.reply(pending, now_cs)
            if reply is not None:
                self._send(reply, control, peer)

    def _send(self, reply: bytes, control: Control, peer: Peer) -> None:
        """Send a reply; one that the system does not take is dropped and counted, as a network would."""
        try:
            self._socket.sendmsg((reply,), control, 0, peer)
            self.figures.replies += 1
        except OSError:  # its buffer is full, or the poller is gone
            self.figures.unsent += 1

    def _listen(self, listening: bool) -> None:
        """Have a turn when something comes, or not."""
        if listening is not self._listening:
            self._listening = listening
            if listening:
                self._loop.add_reader(self._socket.fileno(), self._turn)
            else:
                self._loop.remove_reader(self._socket.fileno())

    def _set_timer(self, delay_s: float | None) -> None:
        """Have a turn after a time, whatever was set before; None: no timer."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if delay_s is None else self._loop.call_later(delay_s, self._turn)
