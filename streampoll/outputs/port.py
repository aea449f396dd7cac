"""What an output is to whoever feeds it: results in; nothing, "later" or "never" out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streampoll.config.profile_port import PollPlan
from streampoll.errors import StreampollError, UnavailableError
from streampoll.model import Outcome, Result, Trace


class OutputAway(UnavailableError):  # noqa: N818 - reads as the state it is
    """The other side can't be reached, is too slow or asks to wait; the same results may be sent later."""

    def __init__(self, text: str, wait_s: float = 0.0) -> None:
        super().__init__(text)
        self.wait_s = wait_s  # what it asks for (Retry-After); 0.0: nothing


class OutputRefused(StreampollError):  # noqa: N818
    """The other side does not want these results, and never will."""

    def __init__(self, cause: str, text: str) -> None:
        super().__init__(text)
        self.cause = cause  # a word for counters: refused, unreadable


@dataclass(frozen=True, slots=True)
class Decoded:
    """A result with what is in its payload."""

    result: Result
    outcome: Outcome
    trace: Trace

    @property
    def at(self) -> float:
        """When its values arrived, wall-clock seconds; when the poll ended, where nobody says."""
        return self.outcome.at or self.trace.done or float(self.result.slot)


Plans = Mapping[str, PollPlan]
"""Profiles by name, as this process knows them now."""


class Sink(Protocol):
    """Writes results somewhere."""

    async def send(self, results: Sequence[Decoded]) -> None:
        """Write them all; they may have been written before. None at all asks whether the other side is there.

        Raises:
            OutputAway: later.
            OutputRefused: never.
        """

    async def close(self) -> None:
        """Close connections and files."""
