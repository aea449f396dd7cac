"""The nouns of the consume loop: an attempt, what a process's consumers share, and what one of them has done."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import msgspec

from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered
from streampoll.shards.port import WorkStreams
from streampoll.worker.quarantine import Care, Solitude
from streampoll.worker.slots import Slots


class Ended(Enum):
    """Why we cancelled an attempt."""

    SOFT_LIMIT = auto()
    LOST = auto()  # the lease went to somebody else, or could not be renewed in time
    DRAIN = auto()


class Attempt(msgspec.Struct, eq=False):
    """A batch that the handler is at."""

    batch: Sequence[Delivered]
    started: float  # monotonic
    care: Care = Care.NONE
    task: "asyncio.Task[None] | None" = None
    ended: Ended | None = None
    begun: bool = False  # its task has taken its first step

    def cancel(self, why: Ended) -> None:
        """End it early; the first reason counts.

        One that has not begun ends as it begins: a task that is cancelled before its first step runs nothing at all,
        not even what gives its slot back.
        """
        if self.ended is None and self.task is not None:
            self.ended = why
            if self.begun:
                self.task.cancel()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the consumers of one process share."""

    consumer: str
    streams: WorkStreams
    slots: Slots
    homes: Callable[[QueueClass], Sequence[int]]  # shards this process is the home of, now
    live: Callable[[], Sequence[str]]  # consumers that may still read
    beat: Callable[[], None]  # the loop lives: called whenever a read or renewal returns or fails
    monotonic: Callable[[], float] = time.monotonic
    solitude: Solitude = field(default_factory=Solitude)


@dataclass(slots=True)
class Counts:
    """What a consumer has done since it started."""

    read: int = 0
    done: int = 0
    claimed: int = 0
    lost: int = 0  # leases lost; what had been done for them was thrown away
    payloads_lost: int = 0
    failed: int = 0  # attempts that did not run to their end
    read_at: float = 0.0  # monotonic, when a read last came back; 0.0: none has
    by_shard: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # rows done
    claimed_by_shard: dict[int, int] = field(default_factory=lambda: defaultdict(int))
