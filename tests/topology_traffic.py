"""Work going through all shards while a test harms the servers: dispatched, polled, stored, counted at every step."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import msgpack

from streampoll.errors import UnavailableError
from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered, Entry, Kind
from streampoll.shards.port import Answer, Dispatch, Settled
from streampoll.shards.rows import rows_in
from streampoll.shards.streams import RedisStreams
from tests.shards_support import EPOCH, HIGH_WATER, POLLING, RESULTS, TICK, rows_of, sweep_one
from tests.waiting import eventually_async

SHARDS = range(24)
POLLS = 5  # a tick and shard
IDLE_MS = 2_000
JOB = "traffic"


@dataclass
class Line:
    """The dispatch of one shard."""

    shard: int
    tick: int = TICK
    mark: int = 0
    due: int = 0  # polls that Redis has confirmed
    setbacks: int = 0

    def part(self) -> Dispatch:
        """The next part."""
        polls = [(self.tick + 60, f"{self.shard}/{self.tick}/{n}".encode()) for n in range(POLLS)]
        return Dispatch(self.shard, JOB, self.tick, 0, self.mark, 1, 10**6, 0, polls)

    def heard(self, answer: Answer, stored: int) -> None:
        """Go on as a leader does."""
        part = self.part()
        if answer is Answer.OK or (answer is Answer.DONE and stored == part.mark):
            self.mark, self.tick, self.due = part.mark, self.tick + 1, self.due + POLLS
        elif answer is Answer.GAP:
            assert stored < self.mark, "somebody else dispatches"
            self.setbacks += 1
            self.mark = stored
            self.tick = (stored >> 16) + 1 if stored else TICK
            self.due = POLLS * (self.tick - TICK)
        else:
            assert answer is Answer.AWAY, answer


@dataclass
class Traffic:
    """The work, and what came of it."""

    streams: RedisStreams
    lines: list[Line] = field(default_factory=lambda: [Line(shard) for shard in SHARDS])
    stored: Counter[bytes] = field(default_factory=Counter)  # body -> times a result of it was taken for good
    away: int = 0  # calls that failed
    dispatching: bool = True
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    async def __aenter__(self) -> "Traffic":
        parts: dict[str, Coroutine[Any, Any, None]] = {
            "dispatch": self._dispatch(),
            "poll": self._consume(POLLING),
            "store": self._consume(RESULTS),
            "sweep polling": self._sweep(POLLING),
            "sweep results": self._sweep(RESULTS),
        }
        self.tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self.tasks:
            task.cancel()
        done = await asyncio.gather(*self.tasks, return_exceptions=True)
        if exc[0] is None:
            assert [one for one in done if not isinstance(one, asyncio.CancelledError)] == []

    @property
    def due(self) -> int:
        """Polls that were dispatched."""
        return sum(line.due for line in self.lines)

    @property
    def lost(self) -> int:
        """Shards in which Redis forgot what it had confirmed."""
        return sum(line.setbacks for line in self.lines)

    async def more(self, ticks: int = 3, deadline_s: float = 15.0) -> None:
        """Wait until every shard has had so many more ticks, and something was stored meanwhile."""
        goals = [line.tick + ticks for line in self.lines]
        stored = self.stored.total()

        def reached() -> bool:
            assert all(not task.done() for task in self.tasks), [task for task in self.tasks if task.done()]
            enough = all(line.tick >= goal for line, goal in zip(self.lines, goals, strict=True))
            return enough and self.stored.total() > stored

        await eventually_async(reached, deadline_s)

    async def drained(self, deadline_s: float = 15.0) -> None:
        """Dispatch nothing more, and wait until nothing is open."""
        self.dispatching = False

        async def nothing_open() -> bool:
            try:
                return not any(shard.open for shard in await self.streams.figures(SHARDS))
            except UnavailableError:
                return False

        await eventually_async(nothing_open, deadline_s)

    async def _dispatch(self) -> None:
        while True:
            if self.dispatching:
                try:
                    answers = await self.streams.dispatch(EPOCH, HIGH_WATER, [line.part() for line in self.lines])
                    for line, said in zip(self.lines, answers, strict=True):
                        self.away += said.answer is Answer.AWAY
                        line.heard(said.answer, said.stored)
                except UnavailableError:
                    self.away += 1
            await asyncio.sleep(0.1)

    async def _consume(self, queue: QueueClass) -> None:
        while True:
            try:
                taken = await self.streams.read(queue, SHARDS, f"w-{queue}", 50, 200)
            except UnavailableError:
                self.away += 1
                await asyncio.sleep(0.05)
                continue
            await self._finish(queue, f"w-{queue}", taken)

    async def _finish(self, queue: QueueClass, consumer: str, taken: list[Delivered]) -> None:
        by_shard: dict[int, list[Delivered]] = {}
        for one in taken:
            by_shard.setdefault(one.shard, []).append(one)
        for shard, ones in by_shard.items():
            ours = await self._settled(queue, consumer, shard, ones)
            if queue is RESULTS:
                self.stored.update(row for one in ours if one.entry for row in rows_of(one.entry))

    async def _settled(self, queue: QueueClass, consumer: str, shard: int, ones: list[Delivered]) -> list[Delivered]:
        """Finish until Redis answers. After a lost answer nobody knows whether it was done: the results are a set."""
        settled = [_settled(queue, one) for one in ones]
        unsure = False
        while True:
            try:
                gone = await self.streams.finish(queue, consumer, {shard: settled})
            except UnavailableError:
                self.away += 1
                unsure = True
                await asyncio.sleep(0.05)
                continue
            if unsure:  # done the first time, or lost with its server and delivered again
                return [one for one in ones if (shard, one.id) not in gone or self._new(one)]
            return [one for one in ones if (shard, one.id) not in gone]

    def _new(self, one: Delivered) -> bool:
        return one.entry is not None and any(row not in self.stored for row in rows_of(one.entry))

    async def _sweep(self, queue: QueueClass) -> None:
        while True:
            await asyncio.sleep(0.5)
            for shard in SHARDS:  # one by one, as what is claimed and not done yet looks lost to who had it
                try:
                    swept = await sweep_one(self.streams, queue, f"s-{queue}", shard, IDLE_MS, b"0-0", 100)
                except UnavailableError:
                    self.away += 1
                    continue
                await self._finish(queue, f"s-{queue}", list(swept.entries))


def _settled(queue: QueueClass, one: Delivered) -> Settled:
    assert one.entry is not None
    emits = []
    if queue is POLLING:
        emits = [(RESULTS, Entry(Kind.RESULT, one.entry.job, one.entry.slot, 0, msgpack.packb(one.entry.body)))]
    return Settled(one.id, one.entry.job, one.entry.slot, emits, rows=rows_in(one.entry))
