"""No-op tasks on taskiq-redis' streams, without a result backend."""

import asyncio
import os
import time

import tally
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(os.environ["BROKER_URL"], consumer_id="0")  # what was sent before the worker came counts too


@broker.task(task_name="noop")
async def noop(sent: float) -> None:
    """Do nothing."""
    tally.done(sent)


async def send(count: int, gap_s: float) -> None:
    """Send tasks."""
    await broker.startup()
    for _ in range(count):
        await noop.kiq(time.time())
        await asyncio.sleep(gap_s)
    await broker.shutdown()


if __name__ == "__main__":
    import sys

    asyncio.run(send(int(sys.argv[1]), float(sys.argv[2])))
