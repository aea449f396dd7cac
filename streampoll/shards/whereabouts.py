"""Where in Redis one poll is: in a stream, with a worker, delayed, or among the dead letters. Touches nothing.

An entry's id tells the time, and no tick is dispatched more than two seconds early: so of a stream only what was added
since the slot is read. Everything is read in pages, and of each place so many entries at the most: a backlog of results
has its payloads with it, and a person who asks must not be what fills Redis' buffers.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

import msgpack

from streampoll.errors import EntryError
from streampoll.model import QueueClass
from streampoll.shards.connection import raise_errors
from streampoll.shards.entries import Entry, Kind, decode_fields, decode_result, decode_results, decode_target
from streampoll.shards.keys import Keys
from streampoll.shards.letters import Letters
from streampoll.shards.topology import Command, Topology, no_group

_EARLY_S: Final = 3  # before its slot nothing of it is added
_PAGE: Final = 500
MOST: Final = 20_000  # entries read of a stream, a delayed set or dead letters: of results some 80 MB
_KINDS: Final = {QueueClass.POLLING: Kind.POLL, QueueClass.RESULTS: Kind.RESULT}


class State(StrEnum):
    """Where an entry is."""

    WAITING = "waiting"  # in its stream, with nobody
    HELD = "held"  # delivered to a worker
    DELAYED = "delayed"  # to be tried again
    DEAD = "dead"  # a dead letter
    UNREAD = "unread"  # not among those that were read, and there are more


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
            if entry.kind == Kind.RESULTS:
                return any(result.device == self.device for result in decode_results(entry))
            return entry.kind == Kind.RESULT and decode_result(entry).device == self.device
        except EntryError:
            return False


class _TooManyError(Exception):
    """A place has more entries than are read."""


_Each = TypeVar("_Each")
_Look = Callable[[int, QueueClass, PollKey], Awaitable[Found | None]]


class Whereabouts:
    """Looks for polls."""

    def __init__(self, topology: Topology, keys: Keys, letters: Letters, most: int = MOST) -> None:
        self._topology = topology
        self._keys = keys
        self._letters = letters
        self._most = most

    async def find(self, shard: int, poll: PollKey) -> Found | None:
        """Return where a poll is; None if nothing of it is in Redis, UNREAD if there is too much to tell.

        The classes are read in the order of its way, so that one that moves on meanwhile is not missed.
        """
        unread = None
        for queue, look in self._places():
            try:
                found = await look(shard, queue, poll)
            except _TooManyError:
                unread = Found(queue, State.UNREAD, 0.0)
                continue
            if found is not None:
                return found
        return unread

    def _places(self) -> list[tuple[QueueClass, _Look]]:
        on_its_way = [(queue, look) for queue in _KINDS for look in (self._in_stream, self._delayed)]
        return [*on_its_way, *((queue, self._dead) for queue in _KINDS)]

    async def _in_stream(self, shard: int, queue: QueueClass, poll: PollKey) -> Found | None:
        stream = self._keys.shard(shard).stream(queue)
        async for entry_id, fields in self._bounded(self._entries(stream, poll.slot - _EARLY_S)):
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
        async for member, due_ms in self._bounded(self._members(key)):
            _, kind, job, slot, expiry, body = msgpack.unpackb(member, raw=True)[:6]
            if poll.is_of(Entry(kind.decode(), job.decode(), int(slot), int(expiry), body)):
                return Found(queue, State.DELAYED, float(due_ms) / 1000)
        return None

    async def _members(self, key: str) -> AsyncGenerator[tuple[bytes, bytes]]:
        """Yield (member, score), the lowest first: by score, for ranks move while those that are due are taken out."""
        lowest, seen = b"-inf", 0  # a page begins behind those of the lowest score that were seen
        while True:
            flat = await self._one(key, "ZRANGEBYSCORE", key, lowest, "+inf", "WITHSCORES", "LIMIT", seen, _PAGE)
            page = list(zip(flat[0::2], flat[1::2], strict=True))
            for each in page:
                yield each
            if len(page) < _PAGE:
                return
            last = page[-1][1]
            seen = sum(score == last for _, score in page) + (seen if last == lowest else 0)
            lowest = last

    async def _dead(self, shard: int, queue: QueueClass, poll: PollKey) -> Found | None:
        async for letter in self._bounded(self._letters.of_shard(queue, shard)):
            if letter.entry is not None and poll.is_of(letter.entry):
                return Found(
                    queue, State.DEAD, letter.buried, delivery=letter.delivery, cause=letter.cause, letter=letter.name
                )
        return None

    async def _bounded(self, entries: AsyncIterator[_Each]) -> AsyncGenerator[_Each]:
        """Yield what there is; raise _TooManyError instead of one more than is read."""
        left = self._most
        async for each in entries:
            if not left:
                raise _TooManyError
            left -= 1
            yield each

    async def _one(self, key: str, *words: Any) -> Any:
        return raise_errors(await self._topology.run([Command(key, words)]))[0]


def _found(queue: QueueClass, added: float, pending: Sequence[Any]) -> Found:
    """Say where an entry in a stream is, by what its group says of it."""
    if not pending:
        return Found(queue, State.WAITING, added)
    _, consumer, idle_ms, delivery = pending[0]
    return Found(queue, State.HELD, added, consumer.decode(), int(idle_ms) / 1000, int(delivery))
