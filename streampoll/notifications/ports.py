"""What the parts of the handler work with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streampoll.config.notifications import Notifications
from streampoll.model import QueueClass
from streampoll.shards.entries import Entry


class GroupStreams(Protocol):
    """What of the streams is used: records by name, and entries of other shards."""

    async def recall(self, space: str, names: Mapping[int, Sequence[str]]) -> dict[int, dict[str, bytes]]:
        """Read records by shard and name; those that are not there are left out."""

    async def add(
        self, queue: QueueClass, shard: int, entries: Sequence[Entry], delay_s: float = 0.0, unique: Sequence[str] = ()
    ) -> list[bytes]:
        """Add entries, each unless one with its key was added within a day."""


@dataclass(frozen=True, slots=True)
class NotifyPorts:
    """What the handler works with."""

    streams: GroupStreams
    known: Callable[[], Notifications]  # notifications.toml, as it is now
    now: Callable[[], float]  # wall-clock seconds of Redis
    shards: int


SPACE = "group"
"""The space of the shard's records that groups and channels' paces are kept in."""
