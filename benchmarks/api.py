"""The API: how long `GET /api/scheduler/queues` takes with 64 shards and 200 workers, over HTTP and without it.

Streams, consumers and published figures are those of a fleet of 200,000 devices in mid-flight, on a Redis of its own.
The promise is 20 ms: above it the exit code is 1.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import uvloop

from benchmarks.rig.figures import median, quantile
from benchmarks.rig.report import Report, Table, emit, parser_of
from benchmarks.rig.servers import redis_alone, room
from streampoll.api.application import Served, application
from streampoll.api.auth import Gate
from streampoll.api.queues import Queues
from streampoll.api.server import Server, listen
from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.config.settings import ApiSettings, RedisSettings, Settings
from streampoll.embedded.places import free_port
from streampoll.embedded.redis import EmbeddedRedis
from streampoll.model import QueueClass
from streampoll.results.figures import StoreFigures
from streampoll.shards.entries import Entry, Kind

PROMISED_MS = 20.0
_SLOT = 1_700_000_040
_ENTRIES = 50  # unfinished in each class and shard
_JOBS = 4


def figures(worker: int, shards: int, workers: int) -> dict[str, Any]:
    """Return what one worker of so many publishes."""
    homes = list(range(worker % shards, shards, workers)) or [worker % shards]
    store = StoreFigures()
    for job in range(_JOBS):
        for second in range(60):
            for late in range(20):
                store.note(f"job-{job}", _SLOT + second, 50, 45, _SLOT + second + 0.05 * late)
    queue = {
        "homes": len(homes), "read_age_s": 0.2, "in_flight": 7, "held": 9, "read": 10_000, "done": 9_990, "claimed": 0,
        "lost": 0, "payloads_lost": 0, "failed": 0, "rate_by_shard": dict.fromkeys(homes, 33.3),
        "claimed_by_shard": {},
    }  # fmt: skip
    statuses = {"ok": 9_000, "timeout": 900, "partial": 90}
    return {
        "state": "running", "active": 35, "unread_s": 0.0,
        "host": f"poller-{worker // 8}", "pid": 10_000 + worker, "pool": "general", "index": worker % 8,
        "started": 1_700_000_000.0, "rss_bytes": 60 << 20, "cpu_s": 100.0, "loop_lag_s": 0.001,
        "done_per_s": 66.6, "queues": {each.value: queue for each in QueueClass}, "store": store.packable(),
        "polls": {"by_status": statuses, "requests": 50_000, "varbinds": 2_000_000}, "store_away": "",
    }  # fmt: skip


async def fill(side: RedisSide, shards: int, workers: int) -> None:
    """Have streams and workers as they are in mid-flight."""
    for queue in QueueClass:
        await side.streams.make_groups(queue, range(shards))
        for shard in range(shards):
            entries = [Entry(Kind.TASK, f"job-{n % _JOBS}", _SLOT + n, 0, b"x" * 80) for n in range(_ENTRIES)]
            await side.streams.add(queue, shard, entries)
            for worker in range(shard % 4, workers, max(1, workers // 4)):
                await side.streams.read(queue, [shard], f"w{worker}", 5, 1)
    said = figures(0, shards, workers)
    for worker in range(workers):
        await side.presence.beat(f"w{worker}", list(QueueClass))
        await side.presence.publish(f"w{worker}", said)


@asynccontextmanager
async def asking(queues: Queues) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Serve the route in this loop; yields what asks for it over one connection, and answers the bytes that came."""
    settings = ApiSettings(port=free_port(), rate_per_s=0)
    served = Served(settings, Gate(trust_loopback=True, now=time.time), queues.routes())
    server = Server(application(served), listen(settings.host, settings.port), 10)
    task = asyncio.create_task(server.serve())
    reader, writer = await asyncio.open_connection(settings.host, settings.port)

    async def ask() -> int:
        writer.write(b"GET /api/scheduler/queues HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        return len(await reader.readexactly(size))

    try:
        yield ask
    finally:
        writer.close()
        server.stop()
        await task


async def timed(call: Callable[[], Awaitable[object]], rounds: int) -> list[float]:
    """Return how many milliseconds each call took."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        await call()
        took.append(1000 * (time.perf_counter() - began))
    return took


async def measure(server: EmbeddedRedis, options: argparse.Namespace) -> dict[str, Any]:
    """Fill a Redis and ask."""
    settings = Settings(redis=replace(RedisSettings(), url=server.url))
    async with open_redis(settings) as side:
        await fill(side, options.shards, options.workers)
        queues = Queues(side.streams, side.presence, side.clock.now, options.shards, 3_600.0)
        async with asking(queues) as ask:
            await timed(ask, 5)  # warm
            over_http = await timed(ask, options.rounds)
            size, alone = await ask(), await timed(queues.now, options.rounds)
            return {
                "shards": options.shards,
                "workers": options.workers,
                "answer_bytes": size,
                "http_ms": median(over_http, 2),
                "http_best_ms": round(min(over_http), 2),
                "http_p99_ms": round(quantile(over_http, 0.99) or 0.0, 2),
                "read_ms": median(alone, 2),
                "promised_ms": PROMISED_MS,
            }


def main(argv: list[str]) -> int:
    """Measure and print; 1 where it takes longer than promised."""
    parser = parser_of(__doc__)
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args(argv)
    with room() as where, redis_alone(where) as server:
        metrics = uvloop.run(measure(server, options))
    names = ("shards", "workers", "answer_bytes", "http_ms", "http_best_ms", "http_p99_ms", "read_ms")
    table = Table("GET /api/scheduler/queues", names, [[metrics[name] for name in names]])
    emit(Report("api", metrics, [table]), options)
    return int(metrics["http_ms"] > PROMISED_MS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
