"""Random operations on the model and on Redis side by side: every answer and everything left behind must be the same.

Ids differ between the two, so an entry is known by its key: queue, shard and all that it says. Every body is made once.
Three consumers name any entry that was ever delivered, so stale owners and calls sent again come by themselves. Time is
kept out: idle times are nothing or hours, delays long past or far ahead.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import structs

from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered, Entry, Kind, encode_fields
from streampoll.shards.memory_stream import id_of, text_of
from streampoll.shards.port import (
    Dispatch,
    Later,
    Postponed,
    Released,
    Settled,
    ShardFigures,
    Write,
    mark_of,
    tick_of,
)
from streampoll.shards.rows import JOINED, rows_in
from tests.shards_support import (
    IDLE_MS,
    POLLING,
    RESULTS,
    START,
    TICK,
    WORKFLOWS,
    Bench,
    MemoryBench,
    RedisBench,
    sweep_one,
    wall_ms,
)

SHARDS = (0, 1)
FAR_MS = 10**9
Key = tuple[QueueClass, int, bytes]  # queue, shard, fields
Pair = tuple[bytes, bytes]  # of one entry: its id in the model, its id in Redis

ANALYSIS = QueueClass.ANALYSIS
queues = [POLLING] * 4 + [RESULTS, WORKFLOWS]  # most meet in one stream
shards = [0, 0, 0, 1]
consumers = ["a", "b", "c"]
small = range(4)


OPERATIONS: dict[str, tuple[Callable[..., None], dict[str, Sequence[Any]]]] = {}


def operation(**arguments: Sequence[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Note a method as an operation, with what its arguments may be."""

    def named(method: Callable[..., None]) -> Callable[..., None]:
        OPERATIONS[method.__name__] = method, arguments
        return method

    return named


class StreamsMachine(RuleBasedStateMachine):
    """Two benches in step."""

    def __init__(self, runner: asyncio.Runner, bench: RedisBench) -> None:
        super().__init__()
        self.runner = runner
        self.model = MemoryBench()
        self.benches: tuple[Bench, Bench] = (self.model, bench)
        self.made = 0
        self.keys: dict[tuple[int, QueueClass, int, bytes], Key] = {}  # (side, queue, shard, id) -> entry
        self.ids: dict[Key, Pair] = {}
        self.entries: dict[Key, Entry] = {}
        self.cursors: dict[tuple[QueueClass, int], Pair] = {}
        self.last: Dispatch | None = None

    def both(self, call: Callable[[Bench, int], Awaitable[Any]]) -> list[Any]:
        """Do the same on the model (side 0) and on Redis (side 1)."""

        async def one_after_the_other() -> list[Any]:
            return [await call(bench, side) for side, bench in enumerate(self.benches)]

        return self.runner.run(one_after_the_other())

    def agreed(self, call: Callable[[Bench, int], Awaitable[Any]]) -> Any:
        """Do the same on both, and have the same answer."""
        model, redis = self.both(call)
        assert model == redis
        return model

    def body(self) -> bytes:
        """A body that no other entry has."""
        self.made += 1
        return b"body-%d" % self.made

    def known(self, side: int, queue: QueueClass, shard: int, gone: Sequence[bytes]) -> list[Key]:
        """The entries of ids."""
        return [self.keys[side, queue, shard, one] for one in gone]

    def remember(self, deliveries: Sequence[Sequence[Delivered]]) -> None:
        """Learn both ids of entries that were delivered on both sides."""
        for pair in zip(*deliveries, strict=True):
            told = [(one.queue, one.shard, one.entry, one.delivery) for one in pair]
            assert told[0] == told[1]
            entry = pair[0].entry
            assert entry is not None
            key = (pair[0].queue, pair[0].shard, b"|".join(encode_fields(entry)))
            self.ids[key] = (pair[0].id, pair[1].id)
            self.entries[key] = entry
            for side, one in enumerate(pair):
                self.keys[side, one.queue, one.shard, one.id] = key

    def settled(self, key: Key, side: int) -> Settled:
        """An entry that is done with."""
        entry = self.entries[key]
        return Settled(self.ids[key][side], entry.job, entry.slot, rows=rows_in(entry))

    def entries_for(self, random: Random, queue: QueueClass, shard: int, consumer: str) -> tuple[str, list[Key]]:
        """Choose entries, with repetitions, and who names them: mostly who holds them, else a consumer at random."""
        there = [key for key in self.ids if key[:2] == (queue, shard)]
        stream = self.model.server.shard(shard).streams[queue]
        holders = {key: held.consumer for key in there if (held := stream.pending.get(id_of(self.ids[key][0])))}
        holders = {key: holder for key, holder in holders.items() if holder in consumers}  # 'released' acts for nobody
        if holders and random.choice([True, True, False]):
            consumer = holders[random.choice(list(holders))]
            there = [key for key, holder in holders.items() if holder == consumer]
        return consumer, random.choices(there, k=random.randint(1, 3)) if there else []

    @initialize()
    def begin(self) -> None:
        self.runner.run(self.benches[1].flush())
        self.both(lambda bench, _: bench.streams.make_groups(POLLING, SHARDS))
        self.add(POLLING, 0, 10)
        for consumer in ("a", "b", "c"):
            self.read(POLLING, SHARDS, consumer, 3)

    @rule(seed=st.integers(0, 2**24 - 1))
    def do(self, seed: int) -> None:
        """Do one operation, all of it chosen by the seed.

        Hypothesis, left to choose itself, leaves operations out and repeats others: too few entries live a whole life.
        """
        random = Random(seed)
        method, arguments = OPERATIONS[random.choice(sorted(OPERATIONS))]
        chosen = {argument: random.choice(values) for argument, values in arguments.items()}
        note(f"{method.__name__}({chosen})")
        method(self, **({"random": random} if "random" in method.__annotations__ else {}), **chosen)

    # -- the coordinator

    @operation(shard=shards, job=["j", "k.2-x"], polls=small, epoch=range(1, 4))
    def dispatch(self, random: Random, shard: int, job: str, polls: int, epoch: int) -> None:
        [progress] = self.runner.run(self.model.streams.progress([shard]))
        stored = progress[job].mark if job in progress else mark_of(TICK, 0)
        tick, part = random.choice([(tick_of(stored) + 1, 0), (tick_of(stored), stored % 65_536 + 1)])
        self.last = Dispatch(
            shard, job, tick, part, stored if job in progress else 0, epoch << 60, random.choice(small), 2**64 - epoch,
            [(tick + n, self.body()) for n in range(polls)], cause=random.choice(["", "", "", "late"]),
        )  # fmt: skip
        self._dispatch(self.last, epoch, random.choice([2, 1_000]))

    @operation(epoch=range(1, 4))
    def fence(self, epoch: int) -> None:
        self.agreed(lambda bench, _: bench.streams.fence(epoch, SHARDS))

    @operation(epoch=range(1, 4))
    def dispatch_again(self, epoch: int) -> None:
        if self.last:
            self._dispatch(self.last, epoch, 1_000)

    @operation(tick=[TICK + 500, wall_ms() // 1000 + 10_000], fits=[True, False])
    def dispatch_out_of_turn(self, tick: int, fits: bool) -> None:
        if self.last is None:
            return
        [progress] = self.runner.run(self.model.streams.progress([self.last.shard]))
        previous = progress[self.last.job].mark if fits and self.last.job in progress else mark_of(tick - 1, 0)
        self._dispatch(replace(self.last, tick=tick, previous=previous, polls=[(tick, self.body())]), 3, 1_000)

    def _dispatch(self, part: Dispatch, epoch: int, high_water: int) -> None:
        self.agreed(lambda bench, _: bench.streams.dispatch(epoch, high_water, [part]))

    @operation(queue=queues, shard=shards, count=range(1, 6))
    def add(self, queue: QueueClass, shard: int, count: int) -> None:
        entries = [Entry(Kind.TASK, "adhoc", TICK + n % 2, 0, self.body()) for n in range(count)]
        self.both(lambda bench, _: bench.streams.add(queue, shard, entries))

    # -- the workers

    @operation(queue=queues, where=[(0,), (1,), SHARDS], consumer=consumers, count=range(1, 5))
    def read(self, queue: QueueClass, where: Sequence[int], consumer: str, count: int) -> None:
        self.remember(self.both(lambda bench, _: bench.streams.read(queue, where, consumer, count, 0)))

    @operation(queue=queues, shard=shards, unique=[("k",), ("l",), ()], delay_s=[0.0, FAR_MS / 1000])
    def add_later_or_once(self, queue: QueueClass, shard: int, unique: Sequence[str], delay_s: float) -> None:
        entry = Entry(Kind.TASK, "adhoc", TICK, 0, self.body())

        async def call(bench: Bench, _: int) -> list[bool]:
            return [one != b"" for one in await bench.streams.add(queue, shard, [entry], delay_s, unique)]

        self.agreed(call)

    @operation(queue=queues, shard=shards, consumer=consumers)
    def finish_with_state(self, random: Random, queue: QueueClass, shard: int, consumer: str) -> None:
        """Writes that build on what is there, on one another, or on what is not; and emits for later, or once."""
        consumer, keys = self.entries_for(random, queue, shard, consumer)
        later = [
            Later(to, Entry(Kind.RESULT, "j", TICK, 0, self.body()), random.choice([0, FAR_MS]), random.choice("klm"))
            for to in random.choices(queues, k=random.randint(0, 2))
        ]
        versions = [b"", b"version1", b"version2"]
        writes = [
            [Write("device", name, random.choice(versions), random.choice(versions)) for name in random.sample("de", 1)]
            for _ in keys
        ]

        async def call(bench: Bench, side: int) -> tuple[list[Key], Any]:
            settled = [
                structs.replace(self.settled(key, side), later=later, writes=its)
                for key, its in zip(keys, writes, strict=True)
            ]
            gone = await bench.streams.finish(queue, consumer, {shard: settled})
            names = await bench.streams.recall("device", {shard: ["d", "e"]})
            return sorted(self.known(side, queue, shard, [entry_id for _, entry_id in gone])), names

        self.agreed(call)

    @operation(queue=queues, shard=shards, consumer=consumers, cause=["", "", "crashed"])
    def finish(self, random: Random, queue: QueueClass, shard: int, consumer: str, cause: str) -> None:
        consumer, keys = self.entries_for(random, queue, shard, consumer)
        chosen = [(key, random.choices(queues, k=random.randint(0, 2))) for key in keys]
        emits = [[(to, Entry(Kind.RESULT, "j", TICK, 0, self.body())) for to in targets] for _, targets in chosen]

        async def call(bench: Bench, side: int) -> list[Key]:
            settled = [
                structs.replace(self.settled(key, side), emits=emitted, cause=cause)
                for (key, _), emitted in zip(chosen, emits, strict=True)
            ]
            gone = await bench.streams.finish(queue, consumer, {shard: settled})
            return sorted(self.known(side, queue, shard, [entry_id for _, entry_id in gone]))

        self.agreed(call)

    @operation(shard=shards, consumer=consumers)
    def finish_polls(self, random: Random, shard: int, consumer: str) -> None:
        """Rows of a few jobs and slots, to be stored and analysed, and something else among them."""
        consumer, keys = self.entries_for(random, POLLING, shard, consumer)
        slots, kinds = [TICK, TICK, TICK + 1], [(RESULTS, Kind.RESULT), (ANALYSIS, Kind.ANALYZE)] * 4
        kinds += [(RESULTS, Kind.RATES), (RESULTS, Kind.EVENT), (ANALYSIS, Kind.TASK)]

        def row() -> tuple[QueueClass, Entry]:
            to, kind = random.choice(kinds)
            return to, Entry(kind, random.choice("jk"), random.choice(slots), 0, self.body())

        emits = [[row() for _ in range(random.randint(1, 4))] for _ in keys]
        self._finish_all(POLLING, shard, consumer, keys, emits)

    @operation(queue=[RESULTS, ANALYSIS], shard=shards, consumer=consumers)
    def serve(self, queue: QueueClass, shard: int, consumer: str) -> None:
        """Take what is to be stored or analysed, and be done with it."""
        self.read(queue, [shard], consumer, 10)
        pending = self.model.server.shard(shard).streams[queue].pending
        keys = [self.keys[0, queue, shard, text_of(one)] for one, held in pending.items() if held.consumer == consumer]
        self._finish_all(queue, shard, consumer, keys, [[] for _ in keys])

    def _finish_all(
        self,
        queue: QueueClass,
        shard: int,
        consumer: str,
        keys: Sequence[Key],
        emits: Sequence[Sequence[tuple[QueueClass, Entry]]],
    ) -> None:
        async def call(bench: Bench, side: int) -> list[Key]:
            settled = [
                structs.replace(self.settled(key, side), emits=its) for key, its in zip(keys, emits, strict=True)
            ]
            gone = await bench.streams.finish(queue, consumer, {shard: settled} if settled else {})
            return sorted(self.known(side, queue, shard, [entry_id for _, entry_id in gone]))

        self.agreed(call)

    @operation(queue=queues, shard=shards, consumer=consumers)
    def renew(self, random: Random, queue: QueueClass, shard: int, consumer: str) -> None:
        consumer, chosen = self.entries_for(random, queue, shard, consumer)

        async def call(bench: Bench, side: int) -> list[Key]:
            lost = await bench.streams.renew(queue, consumer, {shard: [self.ids[key][side] for key in chosen]})
            return sorted(self.known(side, queue, shard, [entry_id for _, entry_id in lost]))

        self.agreed(call)

    @operation(queue=queues, shard=shards, consumer=consumers)
    def grow_old(self, random: Random, queue: QueueClass, shard: int, consumer: str) -> None:
        consumer, keys = self.entries_for(random, queue, shard, consumer)
        for key in keys:
            held = self.model.server.shard(shard).streams[queue].holds(consumer, id_of(self.ids[key][0]))
            if held:
                self.both(lambda bench, side: bench.make_idle(queue, shard, consumer, self.ids[key][side]))  # noqa: B023

    @operation(queue=queues, shard=shards, consumer=consumers, due=[True, True, False])
    def retry(self, random: Random, queue: QueueClass, shard: int, consumer: str, due: bool) -> None:
        consumer, keys = self.entries_for(random, queue, shard, consumer)
        chosen = [
            (key, structs.replace(self.entries[key], body=self.body()), self.made * 10_000 - FAR_MS if due else FAR_MS)
            for key in keys
        ]

        async def call(bench: Bench, side: int) -> list[Key]:
            again = [Postponed(self.ids[key][side], entry, delay_ms) for key, entry, delay_ms in chosen]
            return self.known(side, queue, shard, await bench.streams.retry(queue, consumer, shard, again))

        self.agreed(call)

    @operation(queue=queues, shard=shards, consumer=consumers, counted=[True, False])
    def release(self, random: Random, queue: QueueClass, shard: int, consumer: str, counted: bool) -> None:
        consumer, chosen = self.entries_for(random, queue, shard, consumer)

        async def call(bench: Bench, side: int) -> list[Key]:
            released = Released(shard, [self.ids[key][side] for key in chosen], counted)
            return self.known(side, queue, shard, await bench.streams.release(queue, consumer, released, IDLE_MS))

        self.agreed(call)

    @operation(
        queue=queues,
        shard=shards,
        consumer=consumers,
        on=[True, False],
        idle=[True, False],
        count=range(1, 4),
    )
    def sweep(self, queue: QueueClass, shard: int, consumer: str, on: bool, idle: bool, count: int) -> None:
        cursors = self.cursors.get((queue, shard), (START, START)) if on else (START, START)
        model, redis = self.both(
            lambda bench, side: sweep_one(bench.streams, queue, consumer, shard, idle * IDLE_MS, cursors[side], count)
        )
        self.remember([model.entries, redis.entries])
        self.cursors[queue, shard] = model.cursor, redis.cursor
        assert (model.cursor == START) == (redis.cursor == START)
        if model.cursor != START:
            assert self.known(0, queue, shard, [model.cursor]) == self.known(1, queue, shard, [redis.cursor])
        for noted in ("crashed", "suspected"):
            sides = [list(getattr(swept, noted)) for swept in (model, redis)]
            assert sorted(self.known(0, queue, shard, sides[0])) == sorted(self.known(1, queue, shard, sides[1]))
        assert model.payloads_lost == redis.payloads_lost == 0

    @operation(queue=queues, shard=shards, consumer=consumers, alone=[True, False])
    def mark(self, random: Random, queue: QueueClass, shard: int, consumer: str, alone: bool) -> None:
        consumer, keys = self.entries_for(random, queue, shard, consumer)
        for key in keys:
            self.agreed(lambda bench, side: bench.streams.mark(queue, consumer, shard, self.ids[key][side], alone))  # noqa: B023

    @operation(queue=queues, count=range(1, 6))
    def promote(self, queue: QueueClass, count: int) -> None:
        self.agreed(lambda bench, _: bench.streams.promote(queue, SHARDS, count))

    # -- what happens to servers

    @operation(queue=queues, shard=shards)
    def delete_group(self, queue: QueueClass, shard: int) -> None:
        self.both(lambda bench, _: bench.streams.make_groups(queue, [shard]))
        self.both(lambda bench, _: bench.delete_group(queue, shard))

    # -- what must be the same

    @invariant()
    def everything_is_the_same(self) -> None:
        figures = self.agreed(lambda bench, _: self._figures(bench))
        self.agreed(lambda bench, _: bench.streams.epochs(SHARDS))
        self.agreed(lambda bench, _: bench.streams.progress(SHARDS))
        for one in figures:
            self._counts_agree(one)

    async def _figures(self, bench: Bench) -> list[ShardFigures]:
        """What the shards hold, times left out."""
        return [
            replace(one, queues={q: replace(f, oldest=f.oldest is not None) for q, f in one.queues.items()})
            for one in await bench.streams.figures(SHARDS)
        ]

    def _counts_agree(self, figures: ShardFigures) -> None:
        """What is open is what is in the stream or among the delayed, no more and no less."""
        for queue, found in figures.queues.items():
            unfinished = found.length + found.delayed
            assert sum(count for (of, _, _), count in figures.open.items() if of == queue) == unfinished
            assert sum(count for (of, _), count in figures.backlog.items() if of == queue) == unfinished
            assert found.pending <= found.length
            assert found.rows == found.length or queue in JOINED

    @operation(queue=queues, shard=shards)
    def look_at_the_dead_and_the_quarantined(self, queue: QueueClass, shard: int) -> None:
        async def call(bench: Bench, side: int) -> tuple[list[Any], list[Key]]:
            letters = [
                (self.keys[side, queue, shard, letter[0]], *letter[1:]) for letter in await bench.letters(queue, shard)
            ]
            running = await bench.in_quarantine(queue, shard)
            return letters, sorted(self.known(side, queue, shard, list(running)))

        self.agreed(call)
