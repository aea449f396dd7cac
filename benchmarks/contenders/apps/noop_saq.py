"""No-op tasks on saq; results are not kept."""

import asyncio
import os
import time

import tally
from saq import Queue

queue = Queue.from_url(os.environ["BROKER_URL"])


async def noop(_: object, *, sent: float) -> None:
    """Do nothing."""
    tally.done(sent)


settings = {"queue": queue, "functions": [noop], "concurrency": 100}


async def send(count: int, gap_s: float) -> None:
    """Send tasks."""
    await queue.connect()
    for _ in range(count):
        await queue.enqueue("noop", sent=time.time(), ttl=-1)
        await asyncio.sleep(gap_s)
    await queue.disconnect()


if __name__ == "__main__":
    import sys

    asyncio.run(send(int(sys.argv[1]), float(sys.argv[2])))
