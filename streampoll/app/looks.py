"""What looks at a running fleet from outside: `stats`, `capacity --measured`."""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streampoll.config.load import (
    load_jobs,
)
from streampoll.config.settings import enabled_outputs
from streampoll.embedded.endpoints import read_settings
from streampoll.observe.snapshot import Known, RedisStats
from streampoll.results.postgres import connected

if TYPE_CHECKING:
    from streampoll.app.top import TopReader
    from streampoll.capacity.live import Look

from streampoll.app.redis_side import open_redis


@asynccontextmanager
async def open_stats(where: Path) -> AsyncIterator[RedisStats]:
    """Make the source of `stats` for a configuration."""
    settings = read_settings(where, os.environ)
    coordinator, jobs = settings.coordinator, load_jobs(where)
    outputs = tuple(enabled_outputs(settings))
    known = Known(settings.shards.count, settings.worker.dead_after_s, jobs, coordinator.results_high_water, outputs)
    async with open_redis(settings) as side:
        yield RedisStats(side.streams, side.presence, side.clock.now, known, side.outputs)


@asynccontextmanager
async def open_top(where: Path) -> AsyncIterator["TopReader"]:
    """Make what ranks devices, for `stats --watch` and `top`. Its connections are made when it is first asked."""
    from streampoll.app.top import TopReader  # here: workers load this module

    settings = read_settings(where, os.environ)
    reader = TopReader(where, settings)
    try:
        yield reader
    finally:
        await reader.close()


@asynccontextmanager
async def open_look(where: Path) -> AsyncIterator[Callable[[], Awaitable["Look"]]]:
    """Make what looks at a running fleet, for `capacity --measured`."""
    from streampoll.capacity.live import Look  # here, and the others too: workers load this module
    from streampoll.results.weight import weigh
    from streampoll.shards.usage import used

    settings = read_settings(where, os.environ)
    async with open_redis(settings) as side, connected(settings.postgres) as connection:

        async def look() -> Look:
            workers = [worker.id for worker in await side.presence.workers()]
            said = zip(workers, await side.presence.figures(workers), strict=True)
            leader = await side.presence.leader()
            leads = (await side.presence.figures([leader[0]]))[0] if leader else None
            published = {name: figures for name, figures in said if figures}
            return Look(time.monotonic(), published, leads or {}, await used(settings.redis), await weigh(connection))

        yield look
