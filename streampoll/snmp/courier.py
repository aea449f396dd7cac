"""Carries requests over one socket an address family, shared by all agents of the process, whatever they speak.

A request is an `Exchange`. It passes: the agent's window -> the pacer -> the socket -> a reply, an ICMP error, or
expiry (then the next sending with a new id, or the end). Whatever ends it goes through `_settle`, which answers the
caller's future and lets the next one of the window go. No task and no timer is made for a request: it costs a future,
an exchange, a dict entry and a place in the timer wheel.

What a turn of the loop has to send goes out at its end, one after the other: sent each where it was made, a request
took an eighth longer. `_pending` maps a request-id (in v3 the msgID, which is the same number) to its exchange, also
while it waits unsent for longer than that turn (the id then only serves as the wheel's token): so the deadline bounds
every state.
"""

import asyncio
import random
import socket
import time
from collections import deque
from typing import Any, Final

from streampoll.config.settings import SnmpSettings
from streampoll.errors import SnmpError
from streampoll.model import Status
from streampoll.snmp.engine import Address, Agent, Failure, Reply
from streampoll.snmp.exchange import Counters, Drop, Exchange, Speech
from streampoll.snmp.message import FIRST_ID, LAST_ID, Request, read_head
from streampoll.snmp.message_v3 import is_v3, read_head_v3
from streampoll.snmp.pacing import Pacer
from streampoll.snmp.transport import UdpSocket
from streampoll.snmp.wheel import TimerWheel
from streampoll.snmp.window import Window

_BACK_OFF: Final = 1.5  # each further sending waits this much longer
_RECENT: Final = 1 << 20  # an unknown request-id this close to the newest one was ours
_MANY: Final = 32  # requests in flight: of fewer, each reply is read as it comes
_BACKLOG: Final = 16_384  # datagrams, about what the receive buffer holds
_PACE_S: Final = 0.001  # how often unsent requests are tried again


class Courier:
    """Sends requests and matches what comes back. Make it inside the running loop that uses it."""

    def __init__(self, settings: SnmpSettings) -> None:
        self.counters = Counters()
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._wheel = TimerWheel(self._loop, self._expire)
        self._pacer = Pacer(settings.packets_per_s)
        self._sockets: dict[bool, UdpSocket] = {}  # by "is IPv6"; the second exists once it is needed
        self._pending: dict[int, Exchange] = {}
        self._windows: dict[Address, Window[Exchange]] = {}
        self._outbox: deque[Exchange] = deque()  # holds a place in its window, is sent when its turn comes
        self._outbox_look: asyncio.Handle | None = None  # when it is looked at
        self._is_behind = False  # the pacer or the kernel has kept some of it
        self._next_id = random.randint(FIRST_ID, LAST_ID)

    @property
    def receive_drops(self) -> int:
        """Replies dropped by the kernel because the receive buffer was full."""
        return sum(sock.receive_drops for sock in self._sockets.values())

    def ask(
        self, speech: Speech, agent: Agent, request: Request, deadline: float
    ) -> "asyncio.Future[Reply | Failure]":  # fmt: skip
        """Ask an agent; see `Engine`. A cancelled request's place in the window is free at its next expiry."""
        now = self._loop.time()
        if deadline <= now:
            return self.refuse(Failure(Status.TIMEOUT, "the deadline had passed before the request was sent"))
        window = self._windows.get(agent.address)
        if window is None:
            window = self._windows[agent.address] = Window(agent.address, agent.limits.window)
        exchange = Exchange(speech, agent, request, window, deadline, self._loop.create_future())
        if not window.waiting and window.open(now):
            self._launch(exchange, window, now)
        else:
            window.waiting.append(exchange)
            self._park(exchange)
            self._wake(window, now)
        return exchange.future

    def refuse(self, failure: Failure) -> "asyncio.Future[Reply | Failure]":
        """Answer without asking anybody."""
        future: asyncio.Future[Reply | Failure] = self._loop.create_future()
        future.set_result(failure)
        return future

    async def close(self) -> None:
        """Fail what is in flight, close the sockets."""
        for exchange in [*self._pending.values(), *self._outbox]:
            exchange.window.waiting.clear()
            self._settle(exchange, Failure(Status.ERROR, "the engine was closed", exchange.sendings))
        self._windows.clear()
        self._outbox.clear()
        self._wheel.close()
        if self._outbox_look is not None:
            self._outbox_look.cancel()
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()

    # ---- the way out

    def _new_id(self) -> int:
        """Take the next request-id; ids are four bytes long and come round after two thousand million."""
        request_id = self._next_id
        self._next_id = request_id + 1 if request_id < LAST_ID else FIRST_ID
        return request_id

    def _park(self, exchange: Exchange) -> None:
        """Have an unsent exchange expire at its deadline."""
        exchange.unsent = True
        exchange.request_id = token = self._new_id()
        self._pending[token] = exchange
        self._wheel.add(token, exchange.deadline)

    def _launch(self, exchange: Exchange, window: Window[Exchange], now: float) -> None:
        """Give an exchange its place in the window and in line for the socket."""
        window.in_flight.append(exchange)
        gap_s = exchange.agent.limits.gap_s
        if gap_s:
            window.not_before = now + gap_s
        self._post(exchange)

    def _post(self, exchange: Exchange) -> None:
        """Put an exchange in line for the socket."""
        self._outbox.append(exchange)
        if self._is_behind:
            self._park(exchange)
        elif self._outbox_look is None:
            self._outbox_look = self._loop.call_soon(self._empty_outbox)

    def _empty_outbox(self) -> None:
        """Send those in line whose turn it is; what has to wait for longer expires at its deadline."""
        now = time.monotonic()  # uvloop's own clock stands still within an iteration
        outbox = self._outbox
        while outbox and (outbox[0].future.done() or self._pacer.take(now)):
            exchange = outbox.popleft()
            if exchange.future.done():  # cancelled, or given up
                self._release(exchange)
            elif not self._send(exchange, now):
                outbox.appendleft(exchange)
                break
        if outbox and not self._is_behind:
            for exchange in outbox:
                self._park(exchange)
        self._is_behind = bool(outbox)
        self._outbox_look = self._loop.call_later(_PACE_S, self._empty_outbox) if outbox else None

    def _send(self, exchange: Exchange, now: float) -> bool:
        """Send one datagram under a new request-id; False: the kernel has no room."""
        request_id = self._new_id()
        agent = exchange.agent
        try:
            message = exchange.speech.encode(exchange.request, request_id, now)
            refusal = self._socket(agent.address).send(message, agent.address)
        except BlockingIOError:
            return False
        except OSError as error:  # no socket of this family, or no descriptor left
            refusal = str(error)
        except Exception as error:  # noqa: BLE001 - a bug costs the request that meets it, and not the socket
            refusal = str(error)
            if not exchange.future.done():
                exchange.future.set_exception(error)
        if exchange.unsent:
            exchange.unsent = False
            self._pending.pop(exchange.request_id, None)
        exchange.request_id = request_id
        if refusal is not None:
            self._settle(exchange, Failure(Status.UNREACHABLE, refusal, exchange.sendings))
            return True
        self._pending[request_id] = exchange
        self.counters.sent += 1
        wait_s, asked = agent.limits.timeout_s, agent.asked
        if exchange.sendings:
            asked.note_retry(time.time())
            wait_s *= _BACK_OFF**exchange.sendings * random.uniform(0.85, 1.15)
        elif not asked.first:
            asked.first = time.time()
        exchange.sendings += 1
        expiry = now + wait_s
        self._wheel.add(request_id, expiry if expiry < exchange.deadline else exchange.deadline)
        return True

    def _socket(self, address: Address) -> UdpSocket:
        """Find the socket of an address' family, or open it."""
        is_v6 = ":" in address[0]
        sock = self._sockets.get(is_v6)
        if sock is None:
            family = socket.AF_INET6 if is_v6 else socket.AF_INET
            sock = self._sockets[is_v6] = UdpSocket(
                family, self._settings.receive_buffer_bytes, self._on_datagram, self._on_unreachable, self._expects_many
            )
        return sock

    def _expects_many(self) -> bool:
        return len(self._pending) >= _MANY

    # ---- the way back

    def _on_datagram(self, data: bytes, source: tuple[Any, ...], at: float) -> None:
        """Match a datagram with its exchange: by id, and source address and port; the rest its speech judges."""
        counters = self.counters
        counters.received += 1
        try:
            head = read_head_v3(data) if is_v3(data) else read_head(data)
        except SnmpError as error:
            self._drop(source, Drop(Status.DECODE, f"the reply can't be read: {error}"))
            return
        exchange = self._pending.get(head[0])
        if exchange is None or exchange.unsent:
            self._unmatched(head[0])
            return
        agent = exchange.agent
        if source != agent.address and source[:2] != agent.address:
            counters.foreign += 1
            return
        result = exchange.speech.read(data, head, exchange.request, exchange.sendings, self._loop.time(), at)
        if type(result) is Drop:
            self._drop(source, result)
            return
        if type(result) is Failure:
            counters.decode_errors += 1
        self._settle(exchange, result)

    def _unmatched(self, request_id: int) -> None:
        """Count a reply that nobody waits for."""
        age = (self._next_id - request_id) % (LAST_ID - FIRST_ID + 1)
        if FIRST_ID <= request_id <= LAST_ID and 0 < age <= _RECENT:
            self.counters.late += 1
        else:
            self.counters.foreign += 1

    def _drop(self, source: tuple[Any, ...], drop: Drop) -> None:
        """Count what answers nothing. It ends nothing (anybody could have sent it), but says why a time-out came."""
        if drop.status is Status.AUTH:
            self.counters.unauthentic += 1
        else:
            self.counters.decode_errors += 1
        window = self._windows.get(source[:2])
        if window is not None:
            window.dropped = drop

    def _on_unreachable(self, destination: tuple[Any, ...], cause: str) -> None:
        """End all that was sent to an agent: the network says it can't be reached."""
        window = self._windows.get(destination[:2])
        if window is None:
            return
        for exchange in [e for e in window.in_flight if e.sendings]:
            self.counters.unreachable += 1
            self._settle(exchange, Failure(Status.UNREACHABLE, cause, exchange.sendings))

    def _expire(self, tokens: list[int]) -> None:
        """Send again, or give up, those of `tokens` that are still pending.

        A reply that has arrived and was not read yet, since the loop was late, is one in time.
        """
        due = [token for token in tokens if token in self._pending]
        if due:
            for sock in [*self._sockets.values()]:
                sock.drain(_BACKLOG)
        now = self._loop.time()
        for token in due:
            exchange = self._pending.get(token)
            if exchange is None:
                continue
            retries = 0 if exchange.request.once else exchange.agent.limits.retries
            if exchange.future.done() or now >= exchange.deadline or exchange.sendings > retries:
                self._give_up(exchange)
            else:
                del self._pending[token]
                self.counters.retries += 1
                self._post(exchange)

    def _give_up(self, exchange: Exchange) -> None:
        """End an exchange that got no answer."""
        sendings = exchange.sendings
        self.counters.timeouts += 1
        dropped = exchange.window.dropped
        if dropped is not None:
            failure = Failure(dropped.status, dropped.reason, sendings)
        elif sendings == 0:
            failure = Failure(Status.TIMEOUT, "not sent before the deadline: the agent's window or the pacer was busy")
        else:
            failure = Failure(Status.TIMEOUT, f"no answer to {sendings} requests", sendings)
        self._settle(exchange, failure)

    def _settle(self, exchange: Exchange, result: Reply | Failure) -> None:
        """End an exchange: answer its caller, give its place in the window to the next."""
        if not exchange.future.done():
            exchange.future.set_result(result)
        self._release(exchange)

    def _release(self, exchange: Exchange) -> None:
        """Forget an exchange, and give its place in the window to the next."""
        self._pending.pop(exchange.request_id, None)
        window = exchange.window
        if exchange in window.in_flight:
            window.in_flight.remove(exchange)
            self._next(window)

    def _next(self, window: Window[Exchange]) -> None:
        """Let the next ones of a window go; forget a window with nothing in it."""
        waiting = window.waiting
        now = self._loop.time()
        while waiting and (waiting[0].future.done() or window.open(now)):
            exchange = waiting.pop(0)
            if not exchange.future.done():
                self._launch(exchange, window, now)
        if waiting or now < window.not_before:
            self._wake(window, now)
        elif not window.in_flight and self._windows.get(window.address) is window:
            del self._windows[window.address]

    def _wake(self, window: Window[Exchange], now: float) -> None:
        """Look at a window again when its least gap has passed, if that is what it waits for."""
        if now < window.not_before and len(window.in_flight) < window.size:
            self._loop.call_at(window.not_before, self._next, window)
