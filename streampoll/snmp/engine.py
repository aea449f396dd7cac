"""The port of an SNMP engine: one request in, one reply or failure out, both values.

Two engines stand behind it: `client` (our own wire engine) and `pysnmp_engine`. What is built on the port (`collect`)
is the same for both.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from streampoll.model import Asked, Status
from streampoll.snmp.credential import Credential
from streampoll.snmp.message import Plain, Request, Varbind

Address = tuple[str, int]
"""A numeric IPv4 or IPv6 address and a UDP port."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How an agent is to be treated; one object serves all agents without overrides."""

    timeout_s: float = 2.0  # of the first sending; each further one waits half as long again
    retries: int = 1  # further sendings of a request
    window: int = 2  # requests in flight to one agent, over all jobs
    gap_s: float = 0.0  # least time between two sendings to one agent
    max_varbinds: int = 40  # in one GET
    max_repetitions: int = 25  # rows in one GETBULK
    max_reply_bytes: int = 1400  # what replies are kept under, by estimate
    follow_engine_id: bool = True  # v3: an agent that came back with another engine ID is believed once it proves it
    allow_boots_back: bool = False  # v3: so is one whose boots or time went back


class Agent(msgspec.Struct, gc=False):
    """Whom to ask, and as whom."""

    address: Address
    credential: Credential
    limits: Limits
    asked: Asked = msgspec.field(default_factory=Asked)  # engines note here when it was asked, and asked again


class Reply:
    """A response PDU that belongs to the request; it may still be a refusal (`error_status`)."""

    __slots__ = ("_varbinds", "at", "error_index", "error_status", "plain", "sent")

    def __init__(
        self, varbinds: list[Varbind] | Plain, error_status: int, error_index: int, at: float, sent: int
    ) -> None:
        self.plain = None if isinstance(varbinds, list) else varbinds  # where it has the form that was expected
        self._varbinds = varbinds
        self.error_status = error_status  # 0: none; ErrorStatus names the others
        self.error_index = error_index  # from 1; 0: none in particular
        self.at = at  # wall clock when it arrived, seconds since the epoch
        self.sent = sent  # messages it took, retries included

    @property
    def varbinds(self) -> list[Varbind]:
        """All that it holds."""
        if not isinstance(self._varbinds, list):
            self._varbinds = self._varbinds.varbinds()
        return self._varbinds

    @property
    def count(self) -> int:
        """How many varbinds it holds."""
        return len(self._varbinds) if isinstance(self._varbinds, list) else self._varbinds.count


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no reply: TIMEOUT, UNREACHABLE, AUTH, DECODE or ERROR, with one line of cause."""

    status: Status
    reason: str
    sent: int = 0  # messages sent, retries included


class Engine(Protocol):
    """Sends requests; bound to the event loop it was made in."""

    def request(self, agent: Agent, request: Request, deadline: float) -> Awaitable[Reply | Failure]:
        """Ask an agent, with retries, until `deadline` (the loop's clock) at the latest. Raises for no device."""

    def knows(self, agent: Agent) -> bool:
        """Tell whether what is asked next is all that is sent.

        In SNMPv3 an agent that did not answer this user before, or not lately, is asked first who it is.
        """

    async def close(self) -> None:
        """Fail what is in flight and give the sockets back."""
