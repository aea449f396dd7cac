"""Redis as a process sees it: the streams' model behind a network, and a server that can lose what it was told.

Every operation is journaled as a function of the state; to lose the last ones is to play the others again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from streampoll.errors import RedisUnavailable
from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_presence import MemoryLease
from streampoll.shards.memory_server import MemoryServer
from streampoll.shards.port import (
    Dispatch,
    Dispatched,
    DispatchStreams,
    Postponed,
)
from tests.simulation.choices import Choices
from tests.simulation.laws import NO_BUGS, Broken, Laws
from tests.simulation.loop import SimLoop
from tests.simulation.nemesis import Nemesis

T = TypeVar("T")
_LATENCIES_MS = (1, 1, 1, 2, 5, 20, 80)
_LOOK_S = 0.05  # how often a blocked read looks


class SimRedis:
    """One server."""

    def __init__(self, loop: SimLoop, start_ms: int, kind: type[MemoryStreams], idle_ms: int, grace_s: int) -> None:
        self._loop = loop
        self._start_ms = start_ms
        self._replayed_ms = 0
        self._journal: list[tuple[int, Callable[[], Awaitable[Any]]]] = []
        self.skew_ms = 0
        self.server = MemoryServer(self.now_ms, loop.time)
        self.streams = kind(self.server)
        self.laws = Laws(self.server, idle_ms, grace_s)

    def now_ms(self) -> int:
        """TIME."""
        return self._replayed_ms or self._start_ms + self.skew_ms + int(self._loop.time() * 1000)

    def now(self) -> float:
        """TIME, in seconds."""
        return self.now_ms() / 1000

    def carry_out(self, what: str, operation: Callable[[], Awaitable[T]]) -> T:
        """Do an operation, whole."""
        before = self.laws.owners()
        answer = _driven(operation())
        self._journal.append((self.now_ms(), operation))
        try:
            self.laws.check(what, before)
        except Broken as broken:
            self._loop.found(broken)
        return answer

    def found(self, broken: Broken) -> None:
        """End the run."""
        self._loop.found(broken)

    def check_dispatch(self, epoch: int, parts: Sequence[Dispatch], answers: Sequence[Dispatched]) -> None:
        """Have the laws look at what a leader got accepted."""
        if self._replayed_ms:
            return
        try:
            self.laws.check_dispatch(epoch, parts, answers)
        except Broken as broken:
            self._loop.found(broken)

    def step_clock(self, by_ms: int) -> None:
        """Let the clock jump."""
        self.laws.note_time()
        self.skew_ms += by_ms
        if by_ms < 0:
            self.laws.clock_went_back = True

    def lose(self, count: int) -> None:
        """Come back without the last operations; 0: without any."""
        kept = self._journal[:-count] if count else []
        away, self.server.away = self.server.away, False
        self.laws.data_lost = True
        self.server.flush()
        self._journal.clear()
        for at_ms, operation in kept:
            self._replayed_ms = at_ms
            _driven(operation())
            self._journal.append((at_ms, operation))
        self._replayed_ms = 0
        self.server.away = away


class Client:
    """`WorkStreams` and `DispatchStreams` of one process."""

    def __init__(self, redis: SimRedis, choices: Choices, nemesis: Nemesis) -> None:
        self._redis = redis
        self._choices = choices
        self._nemesis = nemesis

    async def _call(self, what: str, operation: Callable[[], Awaitable[T]]) -> T:
        """Send, have it carried out, hear of it: each may go wrong, in time or for ever."""
        await self._travel()
        if await self._nemesis.before(what) or self._redis.server.away:
            raise RedisUnavailable("Redis is away")
        answer = self._redis.carry_out(what, operation)
        lost = await self._nemesis.after(what)
        await self._travel()
        if lost or self._redis.server.away:
            raise RedisUnavailable("the answer was lost")
        return answer

    async def _travel(self) -> None:
        await asyncio.sleep(_LATENCIES_MS[self._choices.below("net", len(_LATENCIES_MS))] / 1000)

    # -- work

    async def read(
        self, queue: QueueClass, shards: Sequence[int], consumer: str, count: int, block_ms: int
    ) -> list[Delivered]:
        loop = asyncio.get_running_loop()
        leased = loop.time()
        until = leased + block_ms / 1000
        while not self._readable(queue, shards) and loop.time() < until and not self._redis.server.away:
            await asyncio.sleep(_LOOK_S)
        said = f"read {queue}"
        return await self._call(said, lambda: self._redis.streams.read(queue, shards, consumer, count, 0))

    def _readable(self, queue: QueueClass, shards: Sequence[int]) -> bool:
        """True if a read has something to answer."""
        known = self._redis.server.shards
        for shard in shards:
            stream = known[shard].streams[queue] if shard in known else None
            if stream is None or not stream.grouped:
                return True
            newest = next(reversed(stream.entries), (0, 0))
            if newest > stream._delivered:
                return True
        return False

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Any other operation is the model's, called over the network."""
        operation = getattr(self._redis.streams, name)

        def call(*arguments: Any) -> Awaitable[Any]:
            said = " ".join([name, *(argument for argument in arguments if isinstance(argument, QueueClass))])
            return self._call(said, lambda: operation(*arguments))

        return call

    async def renew(
        self, queue: QueueClass, consumer: str, held: Mapping[int, Sequence[bytes]]
    ) -> frozenset[tuple[int, bytes]]:
        """Like the real one, it asks nothing about nothing."""
        if not held:
            return frozenset()
        return await self._call(f"renew {queue}", lambda: self._redis.streams.renew(queue, consumer, held))

    async def retry(self, queue: QueueClass, consumer: str, shard: int, entries: Sequence[Postponed]) -> list[bytes]:
        """Neither class retries, unless its handler failed."""
        self._redis.found(Broken(NO_BUGS, f"{consumer} wants to retry {len(entries)} {queue}: its handler failed"))
        return []

    async def promote(self, queue: QueueClass, shards: Sequence[int], count: int) -> int:
        """Not over the network: nothing is delayed in these runs, and a sweep has steps enough."""
        return await self._redis.streams.promote(queue, shards, count)

    async def retire(self, queue: QueueClass, shard: int, live: Sequence[str]) -> int:
        """Nobody's business here."""
        return 0

    # -- dispatch

    async def dispatch(self, epoch: int, high_water: int, parts: Sequence[Dispatch]) -> list[Dispatched]:
        ticks = sorted({(part.tick, part.tick_to or part.tick, part.cause) for part in parts})
        said = f"dispatch {epoch}: " + ", ".join(f"{tick}-{to} {cause}".strip() for tick, to, cause in ticks)

        async def operation() -> list[Dispatched]:
            answers = await self._redis.streams.dispatch(epoch, high_water, parts)
            self._redis.check_dispatch(epoch, parts, answers)
            return answers

        return await self._call(said, operation)

    async def fence(self, epoch: int, shards: Sequence[int]) -> bool:
        async def operation() -> bool:
            fenced = await self._redis.streams.fence(epoch, shards)
            self._redis.laws.note_fence(epoch, shards)
            return fenced

        return await self._call(f"fence {epoch}", operation)

    async def fill(self) -> float:
        return 0.0


class SimLease(MemoryLease):
    """The lease over the network: `held` by the process's own monotonic clock, from when it was asked for."""

    def __init__(self, redis: SimRedis, client: Client, own_id: str, lease_s: float) -> None:
        super().__init__(redis.server, own_id, lease_s)
        self._redis = redis
        self._client = client
        self._lease_s = lease_s
        self._until = 0.0

    @property
    def held(self) -> bool:
        return self.epoch > 0 and asyncio.get_running_loop().time() < self._until

    async def take(self, streams: DispatchStreams, shards: Sequence[int], newer: bool = False) -> bool:
        least = max(await streams.epochs(shards), default=0) + 1 if newer or not self.held else 0
        sent = asyncio.get_running_loop().time()

        async def operation() -> tuple[str, int]:
            server = self._redis.server
            now_ms = server.now_ms()
            holder, epoch, until_ms = server.leader or ("", 0, 0)
            if now_ms >= until_ms:
                holder = ""
            if holder and holder != self._id:
                return holder, 0
            if not holder or newer:
                epoch = max(now_ms, least)
            server.leader = self._id, epoch, now_ms + self._lease_ms
            return self._id, epoch

        self.holder, self.epoch = await self._client._call("take the lease", operation)
        if self.epoch:
            self._until = sent + self._lease_s
        return self.epoch > 0

    async def resign(self) -> None:
        self._until = 0.0


def _driven(coroutine: Awaitable[T]) -> T:
    """Run a coroutine that does not wait."""
    iterator = coroutine.__await__()
    try:
        next(iterator)
    except StopIteration as done:
        answer: T = done.value
        return answer
    raise AssertionError("an operation of the model waited")
