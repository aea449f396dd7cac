"""What is known of the SNMPv3 engines that agents are: ID, boots and time, per address (RFC 3414 2.2 and 2.3).

An engine is remembered under the address it was found at, and shares nothing with any other, whatever ID it claims:
cloned devices with one ID would otherwise throw each other's clocks off.

A clock is learned twice. Discovery gives a *hint*, which is not authentic: good enough to send the first request with
(we only ever ask), never remembered as true. The *proven* one comes from messages whose signature is right, and moves
only forwards.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from streampoll.snmp.engine import Address

WINDOW_S: Final = 150  # RFC 3414 2.2.3
LAST_BOOTS: Final = 0x7FFFFFFF  # an engine that has booted so often accepts nothing any more
_MOST: Final = 200_000  # engines remembered; the oldest is forgotten


class Clock(NamedTuple):
    """An engine's boots and time at a moment of ours."""

    boots: int
    time_s: int
    anchor: float  # our monotonic clock when the engine said so

    def at(self, now: float) -> tuple[int, int]:
        """Return boots and time now, the time advanced by our own clock."""
        return self.boots, min(self.time_s + int(now - self.anchor), LAST_BOOTS)


class Learned(Enum):
    """What an authentic boots and time turned out to be."""

    FORWARD = "newer than what was known"
    KNOWN = "within the window of what was known"
    BACK = "older than the window allows"


@dataclass(slots=True)
class RemoteEngine:
    """One agent's engine, at one address."""

    engine_id: bytes
    hint: Clock | None  # sent instead of the proven clock while there is one
    proven: Clock | None = None
    has_answered: bool = False  # a request, so that the ID is more than a claim
    is_doubtful: bool = False  # the next request begins with a discovery

    def clock(self, now: float) -> tuple[int, int]:
        """Return the boots and time to send."""
        clock = self.hint or self.proven
        return clock.at(now) if clock else (0, 0)

    def learn(self, boots: int, time_s: int, now: float) -> Learned:
        """Take over an authentic boots and time (RFC 3414 3.2 7b); one from the past changes nothing."""
        known = self.proven
        if known is None or boots > known.boots or (boots == known.boots and time_s > known.time_s):
            self.proven = Clock(boots, time_s, now)
            self.hint = None
            return Learned.FORWARD
        if boots < known.boots or time_s < known.at(now)[1] - WINDOW_S:
            return Learned.BACK
        self.hint = None
        return Learned.KNOWN

    def go_back(self, boots: int, time_s: int, now: float) -> None:
        """Take over an authentic boots and time although they went back."""
        self.proven = Clock(boots, time_s, now)
        self.hint = None


@dataclass(slots=True)
class Engines:
    """The engines of one process by address, and who else claims an ID."""

    by_address: dict[Address, RemoteEngine] = field(default_factory=dict)
    _first: dict[bytes, Address] = field(default_factory=dict)  # who was the first to prove an engine ID
    _shared: set[bytes] = field(default_factory=set)

    def keep(self, address: Address, engine: RemoteEngine) -> None:
        """Remember an engine in the place of the one before it."""
        before = self.by_address.pop(address, None)
        if before is not None and before is not engine:
            before.is_doubtful = True  # for those who still hold it
            self._unclaim(address, before)
        if len(self.by_address) >= _MOST:
            oldest = next(iter(self.by_address))
            self._unclaim(oldest, self.by_address.pop(oldest))
        self.by_address[address] = engine

    def _unclaim(self, address: Address, engine: RemoteEngine) -> None:
        if self._first.get(engine.engine_id) == address:
            del self._first[engine.engine_id]

    def claim(self, address: Address, engine_id: bytes) -> tuple[Address, bool] | None:
        """Note that an address proved an ID; returns the other address that has, and whether that is new for the ID."""
        other = self._first.setdefault(engine_id, address)
        if other == address:
            return None
        is_new = engine_id not in self._shared
        self._shared.add(engine_id)
        return other, is_new
