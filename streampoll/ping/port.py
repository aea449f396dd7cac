"""The port of a pinger: one question to a host, one echo back, or none."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Echo:
    """What came of one question."""

    rtt_s: float | None  # round-trip time; None: no answer
    cause: str = ""  # why there is none, if the network said so


class Pinger(Protocol):
    """Asks hosts whether they are there; bound to the event loop it was made in."""

    @property
    def method(self) -> str:
        """How it asks: `icmp` or `tcp`."""

    async def ask(self, address: str, timeout_s: float) -> Echo:
        """Ask a numeric IPv4 or IPv6 address once. Raises for no host; OSError: this host can't ask."""

    async def close(self) -> None:
        """Give the sockets back."""
