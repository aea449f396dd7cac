"""A request on its way, and the two sides it joins.

`courier` knows sockets and time and no version of SNMP; a `Speech` knows what the bytes mean, and neither.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from streampoll.snmp.engine import Agent, Failure, Reply
from streampoll.snmp.message import Request
from streampoll.snmp.window import Window


@dataclass(slots=True)
class Counters:
    """What the engine has seen since it was made."""

    sent: int = 0  # datagrams, retries included
    retries: int = 0
    received: int = 0
    late: int = 0  # replies to what nobody waits for any more: after the time-out, or a second copy
    foreign: int = 0  # from an address that was not asked, or to a request-id never used
    decode_errors: int = 0
    timeouts: int = 0  # requests that ended without an answer
    unreachable: int = 0  # requests that ended by an ICMP error
    unauthentic: int = 0  # v3: in answer to a request, and not signed, encrypted or addressed as it must be
    reports: int = 0  # v3: reports in answer to a request
    discoveries: int = 0  # v3: engine IDs asked for
    resyncs: int = 0  # v3: clocks set right within a request
    engine_id_changes: int = 0  # v3: agents that came back with another engine ID
    shared_engine_ids: int = 0  # v3: agents whose engine ID another address has as well
    boots_back: int = 0  # v3: agents whose boots or time went back, and who were allowed to


@dataclass(frozen=True, slots=True)
class Drop(Failure):
    """A datagram that answers nothing, as anybody could have sent it; the failure if nothing better comes."""


class Speech(Protocol):
    """One version of SNMP as it is spoken to one agent, or to all."""

    def encode(self, request: Request, request_id: int, now: float) -> bytes:
        """Encode a request under an id (as msgID too, in v3). `now` is the loop's clock."""

    def read(self, data: bytes, head: Any, request: Request, sent: int, now: float, at: float) -> Reply | Failure:
        """Read what came in answer to it from the right address, and arrived `at` (wall clock).

        A `Drop` leaves the request waiting.
        """


class Exchange:
    """A request on its way."""

    __slots__ = (
        "agent", "deadline", "future", "request", "request_id", "sendings", "speech", "unsent", "window"
    )  # fmt: skip

    def __init__(
        self,
        speech: Speech,
        agent: Agent,
        request: Request,
        window: "Window[Exchange]",
        deadline: float,
        future: "asyncio.Future[Reply | Failure]",
    ) -> None:
        self.speech = speech
        self.agent = agent
        self.request = request
        self.window = window
        self.deadline = deadline
        self.future = future
        self.request_id = 0
        self.sendings = 0
        self.unsent = False  # waits for the window, the pacer or the kernel
