"""What a protocol gives to profiles: how its part of a file is read, and compiled to what its poller works by."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from streampoll.config.convert import Place


class PollPlan(Protocol):
    """A compiled profile: what to ask of a device. Each protocol has its own type, by which its poller is found."""

    @property
    def profile(self) -> str:
        """The profile's name."""


class ProfileReader(Protocol):
    """Reads and compiles the profiles of one protocol. A draft is one file by itself, before `extends` is followed."""

    def read(self, data: Mapping[str, Any], place: Place) -> Any:
        """Return a file's draft (`data` is without the keys that all profiles have), or None with faults."""

    def compile(self, name: str, drafts: Sequence[Any], place: Place) -> PollPlan | None:
        """Return the plan of drafts, each over those before it, or None with faults."""
