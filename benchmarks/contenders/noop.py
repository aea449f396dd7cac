"""No-op tasks through streampoll, as users have them: `streampoll worker` with one process, and a `Client` that sends.

    python -m benchmarks.contenders.noop worker             one worker process
    python -m benchmarks.contenders.noop COUNT GAP_S [NAME] sends tasks, hundreds a call without a gap

Every guarantee of a task is on: acknowledgement, deletion, renewal, sweep, owner checks, back-off, limits. As with the
others, results are kept nowhere. $BROKER_URL is the Redis, $CONCURRENCY how many run at a time, and how many wait here.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import uvloop

from streampoll import Client, call
from streampoll.cli import run

_AT_ONCE = 4_000
TOML = """\
[tasks]
modules = ["benchmarks.contenders.noop_tasks"]

[pools.tasks]
queues = ["workflows"]
processes = 1
concurrency = {concurrency}
prefetch = {concurrency}
"""


def configure() -> Path:
    """Write the configuration, where the benchmark runs."""
    where = Path.cwd() / "streampoll"
    where.mkdir(exist_ok=True)
    (where / "streampoll.toml").write_text(TOML.format(concurrency=os.environ["CONCURRENCY"]))
    os.environ["STREAMPOLL_REDIS_URL"] = os.environ["BROKER_URL"]
    return where


async def send(where: Path, count: int, gap_s: float, name: str) -> None:
    """Send tasks: alone, or as a group."""
    async with Client(where) as client:
        if gap_s:
            for _ in range(count):
                await client.send(name, time.time())
                await asyncio.sleep(gap_s)
        for first in range(0, 0 if gap_s else count, _AT_ONCE):
            await client.send_many(call(name, time.time()) for _ in range(min(_AT_ONCE, count - first)))


def main(arguments: list[str]) -> int:
    """Work or send."""
    where = configure()
    if arguments[0] == "worker":
        return run(["worker", "--config", str(where), "--pool", "tasks"])
    count, gap_s, *name = arguments
    uvloop.run(send(where, int(count), float(gap_s), *(name or ["noop"])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
