"""A consumer on streams in memory, with a handler that does as the test says."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from streampoll.model import QueueClass, Status
from streampoll.shards.entries import Delivered, Entry, Kind
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_server import MemoryServer
from streampoll.worker.attempt import Surroundings
from streampoll.worker.consume import Consumer
from streampoll.worker.port import Disposition, Emit, Finish, Limits
from streampoll.worker.quarantine import Solitude
from streampoll.worker.slots import Slots

POLLING = QueueClass.POLLING
LIMITS = Limits(
    concurrency=4, prefetch=2, batch=1, soft_limit_s=0.0, hard_limit_s=0.0, claim_idle_s=2.0
)  # fmt: skip


def entry(job: str = "j", slot: int = 60) -> Entry:
    return Entry(Kind.POLL, job, slot, 0, b"")


def row(job: str, slot: int, body: bytes) -> Entry:
    return Entry(Kind.RESULT, job, slot, 0, body)


def new_server() -> MemoryServer:
    return MemoryServer(now_ms=lambda: int(time.time() * 1000))


async def filled(count: int = 1) -> MemoryServer:
    server = new_server()
    await MemoryStreams(server).add(POLLING, 0, [entry(slot=60 + n) for n in range(count)])
    return server


async def rows(server: MemoryServer) -> list[bytes]:
    streams = MemoryStreams(server)
    await streams.make_groups(QueueClass.RESULTS, [0])
    read = await streams.read(QueueClass.RESULTS, [0], "reader", 10_000, 0)
    return [delivered.entry.body for delivered in read if delivered.entry]


async def is_done(server: MemoryServer) -> bool:
    figures = (await MemoryStreams(server).figures([0]))[0]
    return figures.queues[POLLING].length == 0 and figures.queues[POLLING].delayed == 0


class FakeHandler:
    """Finishes each entry with a row, unless `serve` says otherwise."""

    def __init__(self, serve: Callable[[Sequence[Delivered]], Awaitable[Sequence[Disposition]]] | None = None) -> None:
        self._serve = serve
        self.seen: list[Delivered] = []
        self.available = asyncio.Event()
        self.available.set()

    async def ready(self) -> None:
        await self.available.wait()

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        self.seen += batch
        if self._serve is not None:
            return await self._serve(batch)
        return [finished(delivered, b"ok") for delivered in batch]

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        return finished(delivered, f"{status.word}: {cause}".encode())

    async def close(self) -> None:
        pass


def finished(delivered: Delivered, body: bytes) -> Finish:
    assert delivered.entry
    return Finish((Emit(QueueClass.RESULTS, row(delivered.entry.job, delivered.entry.slot, body)),))


@asynccontextmanager
async def consuming(
    server: MemoryServer,
    handler: FakeHandler,
    name: str = "w1",
    streams: MemoryStreams | None = None,
    solitude: Solitude | None = None,
    **limits: object,
):
    """Run a consumer until the block ends, then cancel it as a killed process would."""
    around = Surroundings(
        consumer=name,
        streams=streams or MemoryStreams(server),
        slots=Slots(4, {POLLING: 1}),
        homes=lambda _: (0, 1),
        live=lambda: (name,),
        beat=lambda: None,
        monotonic=server.monotonic,
        solitude=solitude or Solitude(),
    )
    consumer = Consumer(POLLING, handler, replace(LIMITS, **limits), around)
    tasks = [asyncio.create_task(part(), name=label) for label, part in consumer.tasks()]
    try:
        yield consumer
    finally:
        for task in (*tasks, *consumer.attempts):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
