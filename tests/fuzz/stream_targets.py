"""Streams of garbage, served by the product's own consumer with its own handlers, on the memory model.

Every entry ends with a row, or with a dead letter that has its cause; the consumer counts it; nothing is left; and
neither a part of the consumer nor a handler meets an exception that it did not foresee.
"""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

from streampoll.config.settings import PostgresSettings
from streampoll.errors import EntryError
from streampoll.model import LedgerEntry, Outcome, QueueClass, RatesRow, Result, Status, Target
from streampoll.pollers.handler import PollHandler, PollPorts
from streampoll.results.batch import Record
from streampoll.results.codec import encode_payload
from streampoll.results.postgres import RowRefused
from streampoll.results.store import Store
from streampoll.shards.entries import decode_fields
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_server import MemoryServer
from streampoll.shards.rows import rows_in
from streampoll.worker.attempt import Surroundings
from streampoll.worker.consume import Consumer
from streampoll.worker.port import Handler, Limits
from streampoll.worker.slots import Slots
from tests.fuzz.decode_targets import NOW_S, entry_fields
from tests.simulation.choices import Choices
from tests.simulation.database import SimPostgres, Tables
from tests.simulation.loop import NOBODY, SimLoop

POLLING, RESULTS = QueueClass.POLLING, QueueClass.RESULTS


def polling(random: Random) -> None:
    """A consumer of polls ends each entry as a dead letter with its cause, or with a row."""

    async def poll(target: Target, deadline: float) -> Outcome:
        return Outcome(Status.OK)

    async def close() -> None:
        pass

    handler = PollHandler(PollPorts(poll, encode_payload, lambda: NOW_S + 1.0, "w", close))
    _accounted(random, POLLING, handler, [])


def results(random: Random) -> None:
    """A store ends each entry as a dead letter with its cause, or writes it."""
    written: list[Record] = []

    class Writer:
        async def write(self, records: Sequence[Record]) -> None:
            assert all(isinstance(record, Result | LedgerEntry | RatesRow) for record in records)
            if any("\0" in record.job for record in records):  # as PostgreSQL would
                raise RowRefused("a zero byte in a text")
            written.extend(records)

        def forget(self) -> None:
            pass

    store = Store(PostgresSettings(), lambda: NOW_S + 1.0, SimPostgres(Tables()))  # type: ignore[arg-type]
    store._writer = Writer()  # type: ignore[assignment]
    store._maintain_at = float("inf")
    _accounted(random, RESULTS, store, written)


def _accounted(random: Random, queue: QueueClass, handler: Handler, written: list[Record]) -> None:
    """Have a consumer serve a stream of garbage, and find every entry again."""
    loop = SimLoop(Choices(0))
    server = MemoryServer(lambda: NOW_S * 1000 + int(loop.time() * 1000), loop.time)
    stream = server.shard(0).streams[queue]
    count = random.randint(1, 20)
    for _ in range(count):
        stream.add(entry_fields(random))
    wanted = sum(map(_rows_in, stream.entries.values())) if queue is RESULTS else count
    around = Surroundings(
        "w", MemoryStreamsOf(server), Slots(8, {queue: 1}), lambda _: (0,), lambda: ("w",), lambda: None, loop.time
    )
    consumer = Consumer(queue, handler, Limits(4, 4, 4, 0.0, 0.0, 2.0), around)
    try:
        loop.run_until_complete(loop.spawn(NOBODY, _serve(consumer, stream.entries)))
    finally:
        loop.end()
    letters = server.shard(0).dead[queue]
    rows = len(written) if queue is RESULTS else sum(map(_rows_in, server.shard(0).streams[RESULTS].entries.values()))
    buried = {letter.id: _rows_in(letter.fields) if queue is RESULTS else 1 for letter in letters}
    assert all(letter.cause for letter in letters), "a dead letter without a cause"
    assert consumer.counts.done >= count, "an entry is gone, and not counted"
    assert sum(buried.values()) + rows >= wanted, "an entry left neither a letter nor a row"
    assert not consumer.counts.failed, "a bug in the handler"


def _rows_in(fields: Sequence[bytes]) -> int:
    """How many rows an entry stands for; 1 for garbage, which is one letter."""
    try:
        return rows_in(decode_fields(fields))
    except EntryError:
        return 1


async def _serve(consumer: Consumer, left: Any) -> None:
    tasks = [asyncio.ensure_future(_part(part())) for _, part in consumer.tasks()]
    async with asyncio.timeout(120):
        while left:
            await asyncio.sleep(0.25)
            assert not consumer.counts.failed, "a bug in the handler"
            for task in tasks:
                if task.done():
                    task.result()


async def _part(part: Any) -> None:
    await part


class MemoryStreamsOf(MemoryStreams):
    """Blocks by the loop's clock."""

    async def read(self, queue: QueueClass, shards: Sequence[int], consumer: str, count: int, block_ms: int) -> Any:
        found = await super().read(queue, shards, consumer, count, 0)
        if not found:
            await asyncio.sleep(0.2)
        return found


TARGETS = {"polling": polling, "results": results}
