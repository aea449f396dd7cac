"""One address: does it answer an echo, does it speak SNMP, and as whom.

Credentials are tried in the order given until one is answered.
A port that is closed (ICMP says so) is not asked again with another credential.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from streampoll.model import Outcome, Status, Target, Value
from streampoll.ping.port import Pinger
from streampoll.snmp.plan import CollectPlan, Kind, Metric

_SYSTEM: Final = (1, 3, 6, 1, 2, 1, 1)
WHO: Final = CollectPlan(
    "discover",
    (
        Metric("sysObjectID", (*_SYSTEM, 2, 0), Kind.OID),
        Metric("sysDescr", (*_SYSTEM, 1, 0), Kind.TEXT),
        Metric("sysName", (*_SYSTEM, 5, 0), Kind.TEXT),
        Metric("snmpEngineID", (1, 3, 6, 1, 6, 3, 10, 2, 1, 1, 0), Kind.BYTES),  # SNMP-FRAMEWORK-MIB
    ),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered."""

    address: str
    credential: str
    object_id: str  # sysObjectID, dotted; "" if it has none
    name: str  # sysName
    description: str  # sysDescr
    engine_id: bytes  # b"" where it has none


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that speaks SNMP, and to none of our credentials."""

    address: str
    why: str


@dataclass(frozen=True, slots=True)
class Alive:
    """A host that answers echoes and no SNMP."""

    address: str


Answer = Found | Refused | Alive | None
"""What came of one address; None: nothing answered."""

Ask = Callable[[Target, CollectPlan, str, float], Awaitable[Outcome]]
"""Collects a plan from a target with a credential of this name, until a deadline in the loop's time."""


@dataclass(frozen=True, slots=True)
class Prober:
    """Asks one address after the other; any number at a time."""

    ask: Ask
    credentials: Sequence[str]
    pinger: Pinger | None  # None: every address is asked over SNMP, whether it answers echoes or not
    port: int
    timeout_s: float  # of one echo
    limit_s: float  # of one address with one credential

    async def probe(self, address: str) -> Answer:
        """Find out who is at an address."""
        if self.pinger is not None and (await self.pinger.ask(address, self.timeout_s)).rtt_s is None:
            return None
        refused = ""
        for name in self.credentials:
            target = Target(address, address, self.port, WHO.profile, name, {})
            outcome = await self.ask(target, WHO, name, asyncio.get_running_loop().time() + self.limit_s)
            if outcome.status.answered:
                return found_of(address, name, outcome)
            if outcome.status is Status.UNREACHABLE:
                break
            if outcome.status is not Status.TIMEOUT:
                refused = outcome.error
        if refused:
            return Refused(address, refused)
        return Alive(address) if self.pinger is not None else None


def found_of(address: str, credential: str, outcome: Outcome) -> Found:
    """Return the device that an answer to `WHO` is of."""
    values = outcome.values
    engine_id = values.get("snmpEngineID")
    return Found(
        address, credential, _text(values.get("sysObjectID")), _text(values.get("sysName")),
        _text(values.get("sysDescr")), engine_id if isinstance(engine_id, bytes) else b"",
    )  # fmt: skip


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return " ".join(value.split()) if isinstance(value, str) else ""
