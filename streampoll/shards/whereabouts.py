"""Where in Redis one poll is: in a stream, with a worker, delayed, or among the dead letters. Touches nothing.

An entry's id tells the time, and no tick is dispatched more than two seconds early: so of a stream only what was added
since the slot is read, in pages.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgpack

from streampoll.errors import EntryError
from streampoll.model import QueueClass
from streampoll.shards.connection import raise_errors
from streampoll.shards.entries import Entry, Kind, decode_fields, decode_result, decode_target
from streampoll.shards.keys import Keys
from streampoll.shards.letters import Letters
from streampoll.shards.topology import Command, Topology, no_group

_EARLY_S: Final = 3  # before its slot nothing of it is added
_PAGE: Final = 500
_KINDS: Final = {QueueClass.POLLING: Kind.POLL, QueueClass.RESULTS: Kind.RESULT}


class State(StrEnum):
    """Where an entry is."""

    WAITING = "waiting"  # in its stream, with nobody
    HELD = "held"  # delivered to a worker
    DELAYED = "delayed"  # to be tried again
    DEAD = "dead"  # a dead letter


@dataclass(frozen=True, slots=True)
class Found:
    """A poll (class polling) or its result (class results) in Redis."""

    queue: QueueClass
    state: State
    at: float  # added, due again (delayed) or buried: seconds of Redis
    consumer: str = ""  # who holds it
    idle_s: float = 0.0  # since it was delivered, or its holder last renewed it
    delivery: int = 0
    cause: str = ""  # why it was given up
    letter: str = ""  # the dead letter's name


@dataclass(frozen=True, slots=True)
class PollKey:
    """Which poll."""

    job: str
    device: str
    slot: int

    def is_of(self, entry: Entry) -> bool:
        """Return True if an entry is this poll, or its result."""
        if entry.job != self.job or entry.slot != self.slot:
            return False
        try:
            if entry.kind == Kind.POLL:
                return decode_target(entry.body)[0].device == self.device
            return entry.kind == Kind.RESULT and decode_result(entry).device == self.device
        except EntryError:
            return False


class Whereabouts:
    """Looks for polls."""

    def __init__(self, topology: Topology, keys: Keys, letters: Letters) -> None:
        self._topology = topology
        self._keys = keys
        self._letters = letters

    async def find(self, shard: int, poll: PollKey) -> Found | None:
        """Return where a poll is; None if nothing of it is in Redis.

        The classes are read in the order of its way, so that one that moves on meanwhile is not missed.
        """
        for queue in _KINDS:
            found = await self._in_stream(shard, queue, poll) or await self._delayed(shard, queue, poll)
            if found is not None:
                return found
        return await self._dead(shard, poll)

    async def _in_stream(self, shard: int, queue: QueueClass, poll: PollKey) -> Found | None:
        stream = self._keys.shard(shard).stream(queue)
        async for entry_id, fields in self._entries(stream, poll.slot - _EARLY_S):
            try:
                entry = decode_fields(fields)
            except EntryError:
                continue
            if poll.is_of(entry):
                added = int(entry_id.partition(b"-")[0]) / 1000
                words = ("XPENDING", stream, queue.value, entry_id, entry_id, 1)
                [pending] = await self._topology.run([Command(stream, words)])
                return _found(queue, added, [] if no_group(pending) else raise_errors([pending])[0])
        return None

    async def _entries(self, stream: str, since: int) -> AsyncIterator[tuple[bytes, Sequence[bytes]]]:
        first = f"{max(0, since) * 1000}"
        while True:
            page = await self._one(stream, "XRANGE", stream, first, "+", "COUNT", _PAGE)
            for entry_id, fields in page:
                yield entry_id, fields
            if len(page) < _PAGE:
                return
            first = f"({page[-1][0].decode()}"

    async def _delayed(self, shard: int, queue: QueueClass, poll: PollKey) -> Found | None:
        key = self._keys.shard(shard).delayed(queue)
        flat = await self._one(key, "ZRANGEBYSCORE", key, "-inf", "+inf", "WITHSCORES")
        for member, due_ms in zip(flat[0::2], flat[1::2], strict=True):
            _, kind, job, slot, expiry, body = msgpack.unpackb(member, raw=True)[:6]
            if poll.is_of(Entry(kind.decode(), job.decode(), int(slot), int(expiry), body)):
                return Found(queue, State.DELAYED, float(due_ms) / 1000)
        return None

    async def _dead(self, shard: int, poll: PollKey) -> Found | None:
        for queue in _KINDS:
            async for letter in self._letters.of_shard(queue, shard):
                if letter.entry is not None and poll.is_of(letter.entry):
                    return Found(
                        queue, State.DEAD, letter.buried, delivery=letter.delivery, cause=letter.cause,
                        letter=letter.name,
                    )  # fmt: skip
        return None

    async def _one(self, key: str, *words: Any) -> Any:
        return raise_errors(await self._topology.run([Command(key, words)]))[0]


def _found(queue: QueueClass, added: float, pending: Sequence[Any]) -> Found:
    """Say where an entry in a stream is, by what its group says of it."""
    if not pending:
        return Found(queue, State.WAITING, added)
    _, consumer, idle_ms, delivery = pending[0]
    return Found(queue, State.HELD, added, consumer.decode(), int(idle_ms) / 1000, int(delivery))
