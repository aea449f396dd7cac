"""No-op entries through streampoll's streams: the real consume loop with a handler that only counts.

    python -m benchmarks.contenders.noop worker        one worker process, home of every shard
    python -m benchmarks.contenders.noop COUNT GAP_S   adds entries, 500 a call without a gap

Acknowledgement, deletion, renewal, sweep and owner checks are those of every class of work; $BROKER_URL is the Redis.
"""

import asyncio
import os
import struct
import sys
import time
from collections.abc import Sequence

import uvloop

from benchmarks.contenders.apps import tally
from streampoll.app.redis_side import open_redis
from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings, Settings
from streampoll.model import QueueClass, Status
from streampoll.shards.entries import Delivered, Entry, Kind
from streampoll.shards.presence import new_worker_id
from streampoll.worker.attempt import Surroundings
from streampoll.worker.consume import Consumer
from streampoll.worker.port import Disposition, Finish, Limits
from streampoll.worker.slots import Slots

QUEUE = QueueClass.WORKFLOWS
SHARDS = 16
LIMITS = Limits(concurrency=1_000, prefetch=1_000, batch=1, soft_limit_s=300, hard_limit_s=0, claim_idle_s=30)
_AT_ONCE = 500
_SENT = struct.Struct("d")


class NoOp:
    """Counts entries and finishes them."""

    async def ready(self) -> None:
        """It needs nothing."""

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        """Do nothing."""
        for delivered in batch:
            assert delivered.entry is not None
            tally.done(*_SENT.unpack(delivered.entry.body))
        return [Finish()] * len(batch)

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """Say loudly that the benchmark is broken."""
        raise RuntimeError(f"{status.word}: {cause}")

    async def close(self) -> None:
        """Nothing is open."""


def _settings() -> Settings:
    return Settings(redis=RedisSettings(url=Secret(os.environ["BROKER_URL"])))


async def work() -> None:
    """Consume until told to end."""
    async with open_redis(_settings()) as side:
        own_id, shards = new_worker_id(), tuple(range(SHARDS))
        around = Surroundings(
            own_id, side.streams, Slots(1_000, {QUEUE: 1}), lambda _: shards, lambda: (own_id,), lambda: None
        )
        consumer = Consumer(QUEUE, NoOp(), LIMITS, around)
        async with asyncio.TaskGroup() as group:
            for name, part in consumer.tasks():
                group.create_task(part(), name=name)


async def send(count: int, gap_s: float) -> None:
    """Add entries, over all shards in turn."""
    async with open_redis(_settings()) as side:
        at_once = 1 if gap_s else _AT_ONCE
        for first in range(0, count, at_once):
            slot = int(time.time())
            some = [
                Entry(Kind.TASK, "noop", slot, 0, _SENT.pack(time.time())) for _ in range(min(at_once, count - first))
            ]
            await side.streams.add(QUEUE, first // at_once % SHARDS, some)
            await asyncio.sleep(gap_s)


if __name__ == "__main__":
    uvloop.run(work() if sys.argv[1] == "worker" else send(int(sys.argv[1]), float(sys.argv[2])))
