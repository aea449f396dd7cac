"""No-op tasks on arq; results are not kept."""

import asyncio
import os
import time

import tally
from arq import create_pool
from arq.connections import RedisSettings

REDIS = RedisSettings.from_dsn(os.environ["BROKER_URL"])


async def noop(_: object, sent: float) -> None:
    """Do nothing."""
    tally.done(sent)


class WorkerSettings:
    """What its command line reads."""

    functions = (noop,)
    redis_settings = REDIS
    max_jobs = 100
    keep_result = 0


async def send(count: int, gap_s: float) -> None:
    """Send tasks."""
    pool = await create_pool(REDIS)
    for _ in range(count):
        await pool.enqueue_job("noop", time.time())
        await asyncio.sleep(gap_s)
    await pool.aclose()


if __name__ == "__main__":
    import sys

    asyncio.run(send(int(sys.argv[1]), float(sys.argv[2])))
