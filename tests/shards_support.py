"""What the tests of shards share: benches (streams with hooks for mischief) and short ways to make work."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from types import ModuleType
from typing import Any, Protocol

import msgpack

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings
from streampoll.model import QueueClass
from streampoll.shards.connection import raise_errors
from streampoll.shards.entries import Delivered, Entry, Kind
from streampoll.shards.keys import Keys
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_server import MemoryServer
from streampoll.shards.memory_stream import id_of
from streampoll.shards.open import open_topology
from streampoll.shards.port import Dispatch, Dispatched, Portion, QueueFigures, Released, Settled, Swept, WorkStreams
from streampoll.shards.streams import RedisStreams
from streampoll.shards.topology import Command
from tests.waiting import eventually_async

POLLING, RESULTS, WORKFLOWS = QueueClass.POLLING, QueueClass.RESULTS, QueueClass.WORKFLOWS
JOB = "core.interfaces-60s"
SHARD = 7
TICK = 1_700_000_000
EPOCH = 1_700_000_000_000
HIGH_WATER = 1_000_000
IDLE_MS = 3_600_000  # nothing gets this idle in a test, unless it is released or made so
START = b"0-0"

Letter = tuple[bytes, str, int, list[bytes]]  # id, cause, delivery, fields


def wall_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


class Bench(Protocol):
    """Streams under test, and what only a hand on the server can do to them."""

    streams: RedisStreams | MemoryStreams

    async def add_fields(self, queue: QueueClass, shard: int, fields: Sequence[bytes]) -> None:
        """Add an entry of any fields."""

    async def delete_group(self, queue: QueueClass, shard: int) -> None:
        """Delete the consumer group."""

    async def delete_consumer(self, queue: QueueClass, shard: int, consumer: str) -> None:
        """Delete a consumer with what it holds."""

    async def delete_payload(self, queue: QueueClass, shard: int, entry_id: bytes) -> None:
        """Delete an entry, leaving it pending."""

    async def make_idle(self, queue: QueueClass, shard: int, consumer: str, entry_id: bytes) -> None:
        """Let a held entry look idle for `2 * IDLE_MS`."""

    async def in_quarantine(self, queue: QueueClass, shard: int) -> set[bytes]:
        """The ids that are noted to run in quarantine."""

    async def letters(self, queue: QueueClass, shard: int) -> list[Letter]:
        """The dead letters."""

    async def age_once(self, shard: int) -> None:
        """Let a day pass for the keys of what is added once."""

    async def flush(self) -> None:
        """Lose everything."""

    async def until_blocked(self) -> None:
        """Wait until a reader waits in the server."""


class MemoryBench:
    """The model on a bench."""

    def __init__(self) -> None:
        self.server = MemoryServer(wall_ms)
        self.streams = MemoryStreams(self.server)

    async def add_fields(self, queue: QueueClass, shard: int, fields: Sequence[bytes]) -> None:
        self.server.shard(shard).streams[queue].add(fields)

    async def delete_group(self, queue: QueueClass, shard: int) -> None:
        self.server.shard(shard).streams[queue].delete_group()

    async def delete_consumer(self, queue: QueueClass, shard: int, consumer: str) -> None:
        self.server.shard(shard).streams[queue].delete_consumer(consumer)

    async def delete_payload(self, queue: QueueClass, shard: int, entry_id: bytes) -> None:
        del self.server.shard(shard).streams[queue].entries[id_of(entry_id)]

    async def make_idle(self, queue: QueueClass, shard: int, consumer: str, entry_id: bytes) -> None:
        held = self.server.shard(shard).streams[queue].pending[id_of(entry_id)]
        assert held.consumer == consumer
        held.since_ms -= 2 * IDLE_MS

    async def in_quarantine(self, queue: QueueClass, shard: int) -> set[bytes]:
        return set(self.server.shard(shard).crashes[queue])

    async def letters(self, queue: QueueClass, shard: int) -> list[Letter]:
        return [(letter.id, letter.cause, letter.delivery, list(letter.fields))
                for letter in self.server.shard(shard).dead[queue]]  # fmt: skip

    async def age_once(self, shard: int) -> None:
        self.server.shard(shard).once = dict.fromkeys(self.server.shard(shard).once, 1)

    async def flush(self) -> None:
        self.server.flush()

    async def until_blocked(self) -> None:
        await asyncio.sleep(0)


class RedisBench:
    """A Redis on a bench, its connections closed at the end of `async with`."""

    def __init__(self, url: str, prefix: str = "sp", read_timeout_s: float = 10.0, **settings: Any) -> None:
        self.keys = Keys(prefix)
        self.settings = RedisSettings(url=Secret(url), prefix=prefix, **settings)
        self.topology = open_topology(self.settings, read_timeout_s)
        self.streams = RedisStreams(self.topology, self.keys)

    async def __aenter__(self) -> "RedisBench":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.topology.close()

    async def run(self, *command: Any) -> Any:
        """Run any command; its first argument is its key, if it has one."""
        key = str(command[1]) if len(command) > 1 else ""
        if not key.startswith(self.keys.prefix):
            return (await self.topology.everywhere(*command))[0]
        [reply] = raise_errors(await self.topology.run([Command(key, command)]))
        return reply

    async def add_fields(self, queue: QueueClass, shard: int, fields: Sequence[bytes]) -> None:
        await self.run("XADD", self.keys.shard(shard).stream(queue), "*", *fields)

    async def delete_group(self, queue: QueueClass, shard: int) -> None:
        await self.run("XGROUP", "DESTROY", self.keys.shard(shard).stream(queue), queue.value)

    async def delete_consumer(self, queue: QueueClass, shard: int, consumer: str) -> None:
        await self.run("XGROUP", "DELCONSUMER", self.keys.shard(shard).stream(queue), queue.value, consumer)

    async def delete_payload(self, queue: QueueClass, shard: int, entry_id: bytes) -> None:
        await self.run("XDEL", self.keys.shard(shard).stream(queue), entry_id)

    async def make_idle(self, queue: QueueClass, shard: int, consumer: str, entry_id: bytes) -> None:
        stream = self.keys.shard(shard).stream(queue)
        await self.run("XCLAIM", stream, queue.value, consumer, 0, entry_id, "IDLE", 2 * IDLE_MS, "JUSTID")

    async def in_quarantine(self, queue: QueueClass, shard: int) -> set[bytes]:
        return set(await self.run("HKEYS", self.keys.shard(shard).crashes(queue)))

    async def letters(self, queue: QueueClass, shard: int) -> list[Letter]:
        entries = await self.run("XRANGE", self.keys.shard(shard).dead(queue), "-", "+")
        return [(said[1], said[3].decode(), int(said[5]), said[6:]) for _, said in entries]

    async def age_once(self, shard: int) -> None:
        once = self.keys.shard(shard).once
        for member in await self.run("ZRANGE", once, 0, -1):
            await self.run("ZADD", once, 1, member)

    async def flush(self) -> None:
        await self.run("FLUSHALL")

    async def until_blocked(self) -> None:
        async def one_is() -> bool:
            return b"blocked_clients:1" in await self.run("INFO", "clients")

        await eventually_async(one_is)


Check = Callable[[Bench], Awaitable[None]]


def checks_of(module: ModuleType) -> list[Check]:
    """The sentences of a contract module: its own coroutine functions that take a bench and nothing else."""
    found = [one for _, one in inspect.getmembers(module, inspect.iscoroutinefunction)]
    alone = {"bench": Bench, "return": None}
    return [one for one in found if one.__module__ == module.__name__ and inspect.get_annotations(one) == alone]


def bodies(count: int, first: int = 0) -> list[bytes]:
    """Distinct bodies, in order."""
    return [b"body-%d" % n for n in range(first, first + count)]


def part_of(polls: int = 3, tick: int = TICK, previous: int = 0, **other: Any) -> Dispatch:
    """A part of a tick; its polls have distinct bodies and expire a minute later."""
    known: dict[str, Any] = {"shard": SHARD, "job": JOB, "part": 0, "plan": 2**64 - 1, "devices": 10, "hash_sum": 2**63}
    return Dispatch(
        tick=tick, previous=previous, polls=[(tick + 60, body) for body in bodies(polls)], **(known | other)
    )


async def dispatch(
    bench: Bench, *parts: Dispatch, epoch: int = EPOCH, high_water: int = HIGH_WATER
) -> list[Dispatched]:
    """Dispatch parts as the leader."""
    return await bench.streams.dispatch(epoch, high_water, parts)


async def read(bench: Bench, queue: QueueClass = POLLING, consumer: str = "a", count: int = 10_000) -> list[Delivered]:
    """Read one shard without waiting; the group is made first, so that nothing hides behind its absence."""
    await bench.streams.make_groups(queue, [SHARD])
    return await bench.streams.read(queue, [SHARD], consumer, count, 0)


async def held(bench: Bench, count: int = 3, consumer: str = "a") -> list[Delivered]:
    """Dispatch polls and let a consumer read them."""
    [answer] = await dispatch(bench, part_of(count, previous=await previous_mark(bench), tick=await next_tick(bench)))
    assert answer.answer == "ok"
    return await read(bench, consumer=consumer)


async def previous_mark(bench: Bench) -> int:
    """The mark that the shard holds of the job; 0 if none."""
    [progress] = await bench.streams.progress([SHARD])
    return progress[JOB].mark if JOB in progress else 0


async def next_tick(bench: Bench) -> int:
    """A tick after all that were dispatched."""
    return max(TICK, (await previous_mark(bench) >> 16) + 1)


async def sweep_one(
    streams: WorkStreams, queue: QueueClass, consumer: str, shard: int, idle_ms: int, cursor: bytes, count: int
) -> Swept:
    """Sweep one shard, which must be there."""
    return (await streams.sweep(queue, consumer, idle_ms, [Portion(shard, count, cursor)]))[shard]


async def swept(bench: Bench, consumer: str = "b", idle_ms: int = 0) -> list[Delivered]:
    """Claim everything that is idle enough."""
    return list((await sweep_one(bench.streams, POLLING, consumer, SHARD, idle_ms, START, 1_000)).entries)


async def finish(bench: Bench, settled: Sequence[Settled], consumer: str = "a") -> set[bytes]:
    """Finish polls of the one shard; return the ids that were not ours."""
    return {gone for _, gone in await bench.streams.finish(POLLING, consumer, {SHARD: settled})}


async def release(bench: Bench, taken: Sequence[Delivered], consumer: str = "a", counted: bool = False) -> list[bytes]:
    """Hand polls back."""
    return await bench.streams.release(POLLING, consumer, Released(SHARD, ids(taken), counted), IDLE_MS)


async def queue_figures(bench: Bench, queue: QueueClass = POLLING) -> QueueFigures:
    """The figures of one queue of the one shard."""
    [figures] = await bench.streams.figures([SHARD])
    return figures.queues[queue]


def settled(taken: Sequence[Delivered], emits: int = 0, cause: str = "") -> list[Settled]:
    """Settle deliveries, each with so many results emitted."""
    return [
        Settled(one.id, one.entry.job, one.entry.slot, [(RESULTS, result_of(one, n)) for n in range(emits)], cause)
        for one in taken
        if one.entry
    ]


def result_of(one: Delivered, number: int = 0) -> Entry:
    """A result's entry that says which poll it came of."""
    assert one.entry is not None
    body = msgpack.packb(b"%s/%d" % (one.entry.body, number))
    return Entry(Kind.RESULT, one.entry.job, one.entry.slot, 0, body)


def rows_of(entry: Entry) -> list[bytes]:
    """What an entry of such results says, one or several; nothing for one of another kind."""
    if entry.kind == Kind.RESULTS:
        return list(msgpack.unpackb(entry.body))
    return [msgpack.unpackb(entry.body)] if entry.kind == Kind.RESULT else []


def ids(taken: Sequence[Delivered]) -> list[bytes]:
    """The ids of deliveries, in order."""
    return [one.id for one in taken]


def contents(taken: Sequence[Delivered]) -> list[bytes]:
    """The bodies of deliveries, in order."""
    return [one.entry.body if one.entry else b"?" for one in taken]
