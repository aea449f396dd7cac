"""The stream operations on Redis. Each is one script call a shard, and calls for several shards share a round trip.

Where the shards are is the topology's business. In a Cluster some of them may be out of reach while others are not:
then dispatch answers `away` for those, a read and a promotion pass them by, and everything else says so by raising.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis import exceptions

from streampoll.errors import RedisPartlyUnavailable, RedisUnavailable, UnavailableError
from streampoll.model import QueueClass
from streampoll.shards.calls import (
    CLASSES,
    depth_keys,
    depths_of,
    dispatch_call,
    dispatched,
    figures_call,
    figures_of,
    finish_call,
    ghosts_of,
    pairs,
    reconcile_call,
)
from streampoll.shards.connection import raise_errors, translate
from streampoll.shards.entries import Delivered, Entry, deliver
from streampoll.shards.keys import Keys, ShardKeys
from streampoll.shards.port import (
    Dispatch,
    Dispatched,
    Ghost,
    Portion,
    Postponed,
    Progress,
    QueueFigures,
    Released,
    Settled,
    ShardFigures,
    Swept,
)
from streampoll.shards.scripts import Call, Scripts
from streampoll.shards.server import facts_of
from streampoll.shards.topology import Command, GroupRead, Topology

log = logging.getLogger(__name__)

_RECALLED_AT_ONCE = 500
_RENEWED_AT_ONCE = 100
_DEPTHS_AT_ONCE = 16  # shards a script, which takes a server half a millisecond then
_LOOKED_AT = 100  # of the oldest entries, for those that nobody holds


class RedisStreams:
    """`WorkStreams` and `DispatchStreams` on Redis."""

    def __init__(self, topology: Topology, keys: Keys) -> None:
        self._topology = topology
        self._keys = keys
        self._scripts = Scripts(topology)
        self._shards: dict[int, ShardKeys] = {}

    def _shard(self, number: int) -> ShardKeys:
        keys = self._shards.get(number)
        if keys is None:
            keys = self._shards[number] = self._keys.shard(number)
        return keys

    # -- reading

    async def read(
        self, queue: QueueClass, shards: Sequence[int], consumer: str, count: int, block_ms: int
    ) -> list[Delivered]:
        """Take up to `count` new entries from each shard, waiting up to `block_ms` for the first (0: no wait).

        A group that is not there (first use, FLUSHALL, deleted by hand) is made at 0 and nothing returned: whatever is
        in the stream is unfinished, so starting at its beginning loses nothing and repeats nothing.
        """
        streams = [self._shard(shard).stream(queue) for shard in shards]
        numbers = {stream.encode(): shard for stream, shard in zip(streams, shards, strict=True)}
        leased = time.monotonic()
        read = await self._topology.read(GroupRead(queue.value, consumer, count, block_ms), streams)
        if read.without_group:
            without = set(read.without_group)
            await self.make_groups(queue, [shard for stream, shard in zip(streams, shards, strict=True)
                                           if stream in without])  # fmt: skip
        return [
            deliver(queue, numbers[stream], entry_id, fields, 1, leased)
            for stream, entries in read.found
            for entry_id, fields in entries
        ]

    async def make_groups(self, queue: QueueClass, shards: Iterable[int]) -> None:
        """Make the consumer group of a class in each shard, where it is missing."""
        calls = [("group", [self._shard(shard).stream(queue)], [queue.value]) for shard in shards]
        raise_errors(await self._scripts.run(calls))

    # -- settling

    async def finish(
        self, queue: QueueClass, consumer: str, settled: Mapping[int, Sequence[Settled]]
    ) -> frozenset[tuple[int, bytes]]:
        """Finish entries by shard, write and add what comes of them; return those (shard, id) that are not done."""
        calls = [finish_call(self._shard(shard), queue, consumer, entries) for shard, entries in settled.items()]
        return await self._by_shard(settled, calls)

    async def recall(self, space: str, names: Mapping[int, Sequence[str]]) -> dict[int, dict[str, bytes]]:
        """Read records of the shards' state by name; one that is not there is left out."""
        slices = [
            (shard, wanted[first : first + _RECALLED_AT_ONCE])
            for shard, wanted in names.items()
            for first in range(0, len(wanted), _RECALLED_AT_ONCE)
        ]
        keys = [self._shard(shard).state(space) for shard, _ in slices]
        commands = [Command(key, ("HMGET", key, *wanted)) for key, (_, wanted) in zip(keys, slices, strict=True)]
        found: dict[int, dict[str, bytes]] = {shard: {} for shard in names}
        replies = raise_errors(await self._topology.run(commands)) if commands else []
        for (shard, wanted), reply in zip(slices, replies, strict=True):
            found[shard].update((name, record) for name, record in zip(wanted, reply, strict=True) if record)
        return found

    async def renew(
        self, queue: QueueClass, consumer: str, held: Mapping[int, Sequence[bytes]]
    ) -> frozenset[tuple[int, bytes]]:
        """Reset the idle time of held entries by shard; return those that are lost."""
        slices = [
            (shard, ids[first : first + _RENEWED_AT_ONCE])
            for shard, ids in held.items()
            for first in range(0, len(ids), _RENEWED_AT_ONCE)
        ]
        calls = [("renew", [self._shard(shard).stream(queue)], [queue.value, consumer, *ids]) for shard, ids in slices]
        return await self._by_shard([shard for shard, _ in slices], calls)

    async def _by_shard(self, shards: Iterable[int], calls: Sequence[Call]) -> frozenset[tuple[int, bytes]]:
        """Run calls of which each answers the ids that are gone; a shard that is away does not cost the others theirs.

        Raises:
            RedisPartlyUnavailable: some were answered.
        """
        answers = [_said(reply) for reply in await self._scripts.run(calls)] if calls else []
        by_shard = list(zip(shards, answers, strict=True))
        away = {shard: answer for shard, answer in by_shard if isinstance(answer, UnavailableError)}
        told = [(shard, answer) for shard, answer in by_shard if shard not in away]
        gone = frozenset((shard, entry_id) for shard, ids in told for entry_id in raise_errors([ids])[0])
        for error in away.values():
            raise RedisPartlyUnavailable(str(error), gone, frozenset(away)) if told else error
        return gone

    async def retry(self, queue: QueueClass, consumer: str, shard: int, entries: Sequence[Postponed]) -> list[bytes]:
        """Put entries among the delayed; return the ids that were not ours any more."""
        keys = self._shard(shard)
        arguments: list[Any] = [queue.value, consumer]
        for item in entries:
            entry = item.entry
            arguments += (item.id, item.delay_ms, entry.kind, entry.job, entry.slot, entry.expiry, entry.body)
        gone: list[bytes] = await self._scripts.one(
            "retry", [keys.stream(queue), keys.delayed(queue), keys.crashes(queue)], arguments
        )
        return gone

    async def release(self, queue: QueueClass, consumer: str, released: Released, idle_ms: int) -> list[bytes]:
        """Hand entries back to the group, claimable by a sweep for `idle_ms`; return the ids not ours any more."""
        keys = self._shard(released.shard)
        gone: list[bytes] = await self._scripts.one(
            "release",
            [keys.stream(queue), keys.crashes(queue)],
            [queue.value, consumer, idle_ms + 1, int(not released.counted), *released.ids],
        )
        return gone

    async def sweep(
        self, queue: QueueClass, consumer: str, idle_ms: int, portions: Sequence[Portion]
    ) -> dict[int, Swept]:
        """Claim entries idle for at least `idle_ms`, a portion of each shard; one that can't be asked is left out.

        Raises:
            RedisUnavailable: none could.
        """
        together = [portions] if self._topology.one_server else [[each] for each in portions]  # no node's for another
        answers: dict[int, Swept | Exception] = {}
        for some in together:
            answers |= await self._sweep(queue, consumer, idle_ms, some)
        found = {shard: answer for shard, answer in answers.items() if isinstance(answer, Swept)}
        for shard, wrong in answers.items():
            if isinstance(wrong, Exception):
                if not found:
                    raise wrong
                if not isinstance(wrong, UnavailableError):
                    log.error("%s: shard %d can't be swept: %s", queue, shard, wrong)
        return found

    async def _sweep(
        self, queue: QueueClass, consumer: str, idle_ms: int, portions: Sequence[Portion]
    ) -> dict[int, Swept | Exception]:
        """Sweep shards in one round trip; return what each brought, or why it brought nothing."""
        leased = time.monotonic()
        calls: list[Call] = []
        for portion in portions:
            keys = self._shard(portion.shard)
            claim = [queue.value, consumer, idle_ms, portion.cursor, portion.count]
            calls.append(("sweep", [keys.stream(queue), keys.crashes(queue)], claim))
            calls.append(("adopt", [keys.stream(queue)], [queue.value, idle_ms, _LOOKED_AT]))
        try:
            replies = [_said(reply) for reply in await self._scripts.run(calls)]
        except RedisUnavailable as error:
            return {portion.shard: error for portion in portions}
        return {
            portion.shard: _swept(queue, portion.shard, claimed, adopted, leased)
            for portion, claimed, adopted in zip(portions, replies[::2], replies[1::2], strict=True)
        }

    async def mark(self, queue: QueueClass, consumer: str, shard: int, entry_id: bytes, alone: bool = False) -> bool:
        """Note that an entry starts in quarantine, `alone` or beside others; False if it is not ours any more."""
        keys = self._shard(shard)
        ours = await self._scripts.one(
            "mark", [keys.stream(queue), keys.crashes(queue)], [queue.value, consumer, entry_id, int(alone)]
        )
        return bool(ours)

    async def promote(self, queue: QueueClass, shards: Sequence[int], count: int) -> int:
        """Move the delayed entries that are due into the streams, up to `count` a shard; return how many."""
        calls = [("promote", [keys.delayed(queue), keys.stream(queue)], [count]) for keys in map(self._shard, shards)]
        replies = await self._scripts.run(calls)
        return sum(raise_errors(reply for reply in replies if not isinstance(reply, RedisUnavailable)))

    async def retire(self, queue: QueueClass, shard: int, live: Sequence[str]) -> int:
        """Delete the group's consumers that are not among the living and hold nothing; return how many."""
        deleted: int = await self._scripts.one("retire", [self._shard(shard).stream(queue)], [queue.value, *live])
        return deleted

    # -- dispatching

    async def dispatch(self, epoch: int, high_water: int, parts: Sequence[Dispatch]) -> list[Dispatched]:
        """Dispatch parts in order, pipelined; answers in the same order."""
        calls = [dispatch_call(self._shard(part.shard), epoch, high_water, part) for part in parts]
        replies = await self._scripts.run(calls)
        raise_errors(reply for reply in replies if not isinstance(reply, RedisUnavailable))
        return [dispatched(reply) for reply in replies]

    async def add(
        self, queue: QueueClass, shard: int, entries: Sequence[Entry], delay_s: float = 0.0, unique: Sequence[str] = ()
    ) -> list[bytes]:
        """Add ad hoc entries, to the delayed if told so; return their ids, b"" for a key added before."""
        keys = self._shard(shard)
        arguments: list[Any] = [queue.value, int(delay_s * 1000)]
        for entry, key in zip(entries, unique or [""] * len(entries), strict=True):
            arguments += (entry.kind, entry.job, entry.slot, entry.expiry, entry.body, key)
        names = [keys.stream(queue), keys.open, keys.backlog, keys.delayed(queue), keys.once]
        ids: list[bytes] = await self._scripts.one("add", names, arguments)
        return ids

    # -- looking

    async def figures(self, shards: Sequence[int]) -> list[ShardFigures]:
        """Read what shards hold, one script a shard, one round trip."""
        replies = raise_errors(await self._scripts.run([figures_call(self._shard(shard)) for shard in shards]))
        return [figures_of(shard, reply) for shard, reply in zip(shards, replies, strict=True)]

    async def depths(self, shards: Sequence[int]) -> list[Mapping[QueueClass, QueueFigures]]:
        """Read how much shards hold by class, in one round trip, whatever jobs and slots there are."""
        keys = [depth_keys(self._shard(shard)) for shard in shards]
        return [depths_of(reply) for reply in await self._scripts.each("depths", keys, CLASSES, _DEPTHS_AT_ONCE)]

    async def reconcile(self, shards: Sequence[int]) -> list[Ghost]:
        """Forget what is counted as open where nothing is left to do, and say what it was: data that Redis lost."""
        replies = raise_errors(await self._scripts.run([reconcile_call(self._shard(shard)) for shard in shards]))
        return [ghost for shard, reply in zip(shards, replies, strict=True) for ghost in ghosts_of(shard, reply)]

    async def fence(self, epoch: int, shards: Sequence[int]) -> bool:
        """Have the shards refuse leaders of older epochs from now on; False if one has seen a newer one."""
        calls = [("fence", [self._shard(shard).epoch], [epoch]) for shard in shards]
        return all(int(stored) == epoch for stored in raise_errors(await self._scripts.run(calls)))

    async def epochs(self, shards: Sequence[int]) -> list[int]:
        """Read the highest leader epoch that each shard has seen; 0 where none has."""
        keys = [self._shard(shard).epoch for shard in shards]
        replies = await self._topology.run([Command(key, ("GET", key)) for key in keys])
        return [int(reply or 0) for reply in raise_errors(replies)]

    async def progress(self, shards: Sequence[int]) -> list[dict[str, Progress]]:
        """Read, for each shard, how far each job's dispatch has come."""
        keys = [key for keys in map(self._shard, shards) for key in (keys.dispatched, keys.plans)]
        replies = raise_errors(await self._topology.run([Command(key, ("HGETALL", key)) for key in keys]))
        plans = [dict(pairs(reply)) for reply in replies[1::2]]
        return [
            {job.decode(): Progress(int(mark), int(plan.get(job, 0))) for job, mark in pairs(marks)}
            for marks, plan in zip(replies[0::2], plans, strict=True)
        ]

    async def fill(self) -> float:
        """Return the share of maxmemory that is used, on the fullest server; 0.0 without a bound."""
        return max(facts_of(info).fill for info in await self._topology.everywhere("INFO", "memory"))


def _swept(queue: QueueClass, shard: int, reply: Any, adopted: Any, leased: float) -> Swept | Exception:
    """Read what a shard's scripts answered, or why it can't be swept: no error loses what was claimed."""
    if isinstance(reply, exceptions.ResponseError) and "NOGROUP" in str(reply):
        return Swept(b"0-0")
    if isinstance(reply, Exception):
        return reply
    if isinstance(adopted, Exception) and not reply[1]:
        return adopted
    cursor, claimed, lost = reply
    return Swept(
        cursor,
        [deliver(queue, shard, entry_id, fields, deliveries, leased) for entry_id, deliveries, _, fields in claimed],
        frozenset(entry_id for entry_id, _, died, _ in claimed if died == 2),
        lost,
        adopted if isinstance(adopted, int) else 0,
        frozenset(entry_id for entry_id, _, died, _ in claimed if died == 1),
    )


def _said(reply: Any) -> Any:
    """Return a reply, an error in it as ours."""
    return (translate(reply) or reply) if isinstance(reply, Exception) else reply
