"""Looks at entries of one kind that are not finished: waiting, held by a worker, or delayed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from streampoll.errors import EntryError
from streampoll.model import QueueClass
from streampoll.shards.connection import raise_errors
from streampoll.shards.entries import Entry, decode_fields
from streampoll.shards.keys import Keys
from streampoll.shards.topology import Command, Topology, no_group


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An entry and where it is."""

    queue: QueueClass
    shard: int
    state: str  # waiting, running, delayed
    at: float  # when it was added, or is due (delayed): seconds of Redis
    entry: Entry
    consumer: str = ""  # who holds it


class Lookout:
    """Reads entries without touching them."""

    def __init__(self, topology: Topology, keys: Keys, shards: int) -> None:
        self._topology = topology
        self._keys = keys
        self._shards = shards

    async def unfinished(self, kind: str, queues: Sequence[QueueClass], most: int) -> list[Unfinished]:
        """Return entries of a kind, the oldest of each shard and class first, at most so many of each."""
        places = [(queue, shard, self._keys.shard(shard)) for queue in queues for shard in range(self._shards)]
        commands = [
            Command(key, words)
            for queue, _, keys in places
            for key, words in (
                (keys.stream(queue), ("XRANGE", keys.stream(queue), "-", "+", "COUNT", most)),
                (keys.stream(queue), ("XPENDING", keys.stream(queue), queue.value, "-", "+", most)),
                (keys.delayed(queue), _oldest(keys.delayed(queue), most)),
            )
        ]
        replies = await self._topology.run(commands)
        raise_errors(reply for reply in replies if not no_group(reply))
        found: list[Unfinished] = []
        for number, (queue, shard, _) in enumerate(places):
            entries, pending, delayed = replies[3 * number : 3 * number + 3]
            holders = {} if no_group(pending) else {each[0]: each[1].decode() for each in pending}
            found += _in_stream(queue, shard, entries, holders)
            found += _delayed(queue, shard, delayed)
        return [each for each in found if each.entry.kind == kind]


def _oldest(delayed: str, most: int) -> Sequence[Any]:
    return ("ZRANGEBYSCORE", delayed, "-inf", "+inf", "WITHSCORES", "LIMIT", 0, most)


def _in_stream(queue: QueueClass, shard: int, entries: Any, holders: dict[bytes, str]) -> Iterable[Unfinished]:
    for entry_id, fields in entries:
        try:
            entry = decode_fields(fields)
        except EntryError:
            continue
        added = int(entry_id.partition(b"-")[0]) / 1000
        holder = holders.get(entry_id)
        yield Unfinished(queue, shard, "waiting" if holder is None else "running", added, entry, holder or "")


def _delayed(queue: QueueClass, shard: int, members: Any) -> Iterable[Unfinished]:
    for member, due_ms in zip(members[0::2], members[1::2], strict=True):
        _, kind, job, slot, expiry, body = msgpack.unpackb(member, raw=True)[:6]
        entry = Entry(kind.decode(), job.decode(), int(slot), int(expiry), body)
        yield Unfinished(queue, shard, "delayed", float(due_ms) / 1000, entry)
