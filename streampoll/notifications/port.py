"""The port of a channel: one message out, or why not. Adapters map whatever their library raises to `NotSent`."""

from typing import Protocol

from streampoll.notifications.channel import Style
from streampoll.notifications.compose import Text
from streampoll.notifications.message import Message


class NotSent(Exception):  # noqa: N818 - a service that is away is data: it becomes a retry
    """A channel did not take a message. `cause` has no secret and nothing that stands in an address."""

    def __init__(self, cause: str, wait_s: float = 0.0, final: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.wait_s = wait_s  # that it asked to be left alone for
        self.final = final  # this message will never be taken


class Sender(Protocol):
    """One channel."""

    async def send(self, message: Message, text: Text, style: Style) -> str:
        """Send a message and return what the service said of it, in a few words. Raises NotSent: it may not have been.

        The same message may come again, with the same key.
        """

    async def close(self) -> None:
        """Close connections and end processes."""
