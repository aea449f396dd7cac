"""What a protocol gives to polling: its poller.

A new protocol is a poller, the type of its plans, and a reader each for its profiles and its credentials.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from streampoll.model import Outcome, Target


class Poller(Protocol):
    """Polls devices over one protocol; made in the forked child, bound to its loop."""

    @property
    def wall_limit_s(self) -> float:
        """A poll ends after this, with what it has."""

    async def poll(self, target: Target, plan: Any, credential: Any, deadline: float) -> Outcome:
        """Poll a device until `deadline` (the loop's time); whatever the device does is an outcome.

        `plan` is of the type that the poller is known by; `credential` is one of its protocol, None if it needs none.
        """

    async def close(self) -> None:
        """Give sockets and connections back."""


class CredentialBook(Protocol):
    """The credentials that this process knows, by name. "" is the default's name."""

    def __getitem__(self, name: str) -> Any:
        """Return a credential. Raises KeyError: unknown; ConfigError: its secret can't be read."""

    def protocol(self, name: str) -> str:
        """Return what a credential is for. Raises KeyError: unknown."""

    def names(self) -> Sequence[str]:
        """Return all names, for messages."""
