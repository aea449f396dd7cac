"""What answers `/metrics`, put together; for `streampoll metrics` and the API."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from streampoll.api.server import Server, listen
from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.config.load import load_jobs, load_profiles
from streampoll.config.profile_port import PollPlan
from streampoll.config.settings import Settings, enabled_outputs
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import ConfigError, Fault, UnavailableError
from streampoll.observe.device_metrics import DevicePage
from streampoll.observe.exposition import Scrape, exposition
from streampoll.observe.metrics_app import MetricsRoutes, metrics_app
from streampoll.observe.snapshot import Known, RedisStats
from streampoll.results.postgres import Postgres
from streampoll.results.reader import Wanted, results

_CONNECTIONS = 256
_ROWS = 200  # of one device within the bound: enough to meet each of its jobs


@dataclass(frozen=True, slots=True)
class MetricsSource:
    """Reads what the pages say."""

    stats: RedisStats
    side: RedisSide
    postgres: Postgres
    plans: Mapping[str, PollPlan]
    max_age_s: float

    async def fleet(self) -> bytes:
        """Return the fleet's page."""
        stats = await self.stats.snapshot()
        try:
            totals = {} if stats.troubles else await self.side.totals.read()
        except UnavailableError as error:
            stats, totals = replace(stats, troubles=(str(error),)), {}
        return exposition(Scrape(stats, totals))

    async def device(self, name: str, profile: str) -> bytes:
        """Return a device's page: its newest poll of each job that is not older than the bound.

        Raises:
            UnknownNameError: nothing was ever stored of it.
            UnavailableError: PostgreSQL is away.
        """
        now = time.time()
        page, seen = DevicePage(self.plans), set[tuple[str, str]]()
        async with self.postgres.transaction() as connection:
            async for poll in results(connection, Wanted(name, since=int(now - self.max_age_s), limit=_ROWS)):
                key = poll.job, poll.outcome.profile
                if key not in seen and profile in ("", poll.outcome.profile):
                    page.add(poll, now)
                seen.add(key)
        return page.text()


@asynccontextmanager
async def open_metrics(where: Path) -> AsyncIterator[MetricsRoutes]:
    """Make what answers, for a configuration."""
    settings = read_settings(where, os.environ)
    async with open_redis(settings) as side:
        source = metrics_source(where, settings, side, Postgres(settings.postgres))
        try:
            yield MetricsRoutes(source.fleet, source.device)
        finally:
            await source.postgres.close()


async def serve_metrics(where: Path, address: tuple[str, int], ready: Callable[[str], None]) -> None:
    """Answer until SIGTERM or SIGINT; `ready` is told the URL.

    Raises:
        ConfigError: the address can't be listened on.
    """
    host, port = address
    try:
        listening = listen(host, port)
    except ConfigError as error:
        fault = Fault(f"{host}:{port}", error.faults[0].what, "choose another address, or stop what listens there")
        raise ConfigError([fault]) from None
    async with open_metrics(where) as metrics:
        server, loop = Server(metrics_app(metrics), listening, _CONNECTIONS), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        ready(f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}")
        await server.serve()


def metrics_source(where: Path, settings: Settings, side: RedisSide, postgres: Postgres) -> MetricsSource:
    """Make what reads; `postgres` is its caller's to close."""
    jobs, coordinator = load_jobs(where), settings.coordinator
    outputs = tuple(enabled_outputs(settings))
    known = Known(settings.shards.count, settings.worker.dead_after_s, jobs, coordinator.results_high_water, outputs)
    stats = RedisStats(side.streams, side.presence, side.clock.now, known, side.outputs)
    plans, max_age_s = load_profiles(where, settings), settings.metrics.device_max_age_s
    return MetricsSource(stats, side, postgres, plans, max_age_s)
