"""No-op tasks on streaq; results are not kept."""

import asyncio
import os
import time

import tally
from streaq import Worker

worker = Worker(redis_url=os.environ["BROKER_URL"], concurrency=100)


@worker.task(ttl=0, name="noop")
async def noop(sent: float) -> None:
    """Do nothing."""
    tally.done(sent)


async def send(count: int, gap_s: float) -> None:
    """Send tasks."""
    async with worker:
        for _ in range(count):
            await noop.enqueue(time.time())
            await asyncio.sleep(gap_s)


if __name__ == "__main__":
    import sys

    asyncio.run(send(int(sys.argv[1]), float(sys.argv[2])))
