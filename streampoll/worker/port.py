"""What a queue class hands to the consume loop: a handler and its limits. The loop knows no class by name.

A handler is given a batch of entries this process holds a lease on and answers, for each, what is to become of it. It
returns values; an exception out of it is a bug, and costs only its batch (each entry ends as the class says).
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import msgspec

from streampoll.model import QueueClass, Status
from streampoll.shards.entries import Delivered, Entry, Log
from streampoll.shards.port import Write

__all__ = [
    "Bury",
    "Conclusion",
    "Disposition",
    "Draft",
    "Emit",
    "Finish",
    "Handler",
    "Limits",
    "Release",
    "Retry",
    "Write",
]  # fmt: skip


LONE_S: Final = 0.005  # the longest that a lone entry or decision is held up, in case more come


class Emit(msgspec.Struct, gc=False):
    """A new entry that is added, in the same shard, in the same script call that finishes its cause."""

    queue: QueueClass | Log
    entry: Entry
    delay_s: float = 0.0  # above 0: it is added among the delayed, and due so much later
    unique: str = ""  # not added if one with this key was added to the class in this shard within a day


class Finish(msgspec.Struct, gc=False):
    """Done, whatever the outcome: acknowledge, delete, write, emit.

    If a record it writes has changed since it was read, nothing of this happens: the entry is served again.
    """

    emits: Sequence[Emit] = ()
    writes: Sequence[Write] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """A handler failure worth another attempt: back into the stream after `delay_s`, with this entry."""

    entry: Entry
    delay_s: float


@dataclass(frozen=True, slots=True)
class Release:
    """Not ours to do now (a drain, an infrastructure error): back to the group."""

    reason: str
    counted: bool = False  # True: the delivery counts, so that whoever gets it next knows it was handed back


@dataclass(frozen=True, slots=True)
class Bury:
    """It can't be served by anybody: to the dead letters with the cause, and emit (its poll's row says so).

    What of an entry of several could be served is written all the same, as `Finish` has it.
    """

    cause: str
    emits: Sequence[Emit] = ()
    writes: Sequence[Write] = ()


Disposition = Finish | Retry | Release | Bury

Draft = partial[Disposition]
"""A disposition that is made when Redis is told, with many others, one after the other.

What a poll leaves to do, made after each of them, took half as long again: nothing of it was left in the core's caches.
"""

Conclusion = Disposition | Draft


class Handler(Protocol):
    """Serves the entries of one queue class."""

    async def ready(self) -> None:
        """Return once work can be taken on; wait (visibly: log it once) while what it needs is away."""

    def handle(self, batch: Sequence[Delivered]) -> Awaitable[Sequence[Conclusion]]:
        """Serve a batch and answer with one disposition an entry, or the draft of it, in the same order."""

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """Say what becomes of an entry whose attempt did not run to its end: soft limit, a crash, a bug of ours."""

    async def close(self) -> None:
        """Close connections; called once, after the last `handle`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process allows one queue class."""

    concurrency: int  # entries being handled at a time
    prefetch: int  # entries held beyond those
    batch: int  # entries in one call of the handler: 1 for polls, hundreds for the store
    soft_limit_s: float  # a batch is cancelled after this; 0: never
    hard_limit_s: float  # a loop blocked this long gets its process killed; 0: never
    claim_idle_s: float  # an entry idle this long may be claimed by another process
    gather_s: float = LONE_S  # on a busy stream, how long more is waited for: entries to read, decisions to tell
