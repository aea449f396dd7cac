"""What a protocol gives to polling: its poller.

A new protocol is a poller, the type of its plans, and a reader each for its profiles and its credentials.
"""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from streampoll.model import Outcome, Target


class Poller(Protocol):
    """Polls devices over one protocol; made in the forked child, bound to its loop."""

    @property
    def wall_limit_s(self) -> float:
        """A poll ends after this, with what it has."""

    def poll(self, target: Target, plan: Any, credential: Any, deadline: float) -> Awaitable[Outcome]:
        """Poll a device until `deadline` (the loop's time); whatever the device does is an outcome.

        `plan` is of the type that the poller is known by; `credential` is one of its protocol, None if it needs none.
        """

    async def close(self) -> None:
        """Give sockets and connections back."""


@runtime_checkable
class Learner(Protocol):
    """A poller that learns about devices what is worth keeping, also for the process that polls them next."""

    def learned(self, target: Target) -> Mapping[str, int]:
        """Return what is not as usual with a device, by names of its own; nothing if all is. Called after each poll.

        "silent" counts the polls in a row that a device did not answer, once it is treated otherwise for that.
        """

    async def recall(self, target: Target, learned: Mapping[str, int]) -> None:
        """Take over what another process had learned, before the next poll of the device."""


class CredentialBook(Protocol):
    """The credentials that this process knows, by name. "" is the default's name."""

    @property
    def revision(self) -> int:
        """Goes up when names or protocols may have changed."""

    def __getitem__(self, name: str) -> Any:
        """Return a credential. Raises KeyError: unknown; ConfigError: its secret can't be read."""

    def held(self, name: str) -> Any:
        """Return a credential whose secret needs no reading; None if it does, or there is none of that name."""

    async def fetch(self, name: str) -> Any:
        """Return a credential, its secrets read off the loop. Raises as `[name]` does."""

    async def look_again(self, names: Iterable[str]) -> None:
        """Read again, now and then, the secrets of credentials that a device does not accept."""

    def protocol(self, name: str) -> str:
        """Return what a credential is for. Raises KeyError: unknown."""

    def names(self) -> Sequence[str]:
        """Return all names, for messages."""
