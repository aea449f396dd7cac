"""What answers `/metrics`, put together; for `streampoll metrics` and the API."""

import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.config.load import load_jobs, load_profiles
from streampoll.config.profile_port import PollPlan
from streampoll.config.settings import Settings, enabled_outputs
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import UnavailableError
from streampoll.observe.device_metrics import DevicePage
from streampoll.observe.exposition import Scrape, exposition
from streampoll.observe.metrics_app import MetricsRoutes
from streampoll.observe.snapshot import Known, RedisStats
from streampoll.results.postgres import Postgres
from streampoll.results.reader import Wanted, results

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
        source = metrics_source(where, settings, side)
        try:
            yield MetricsRoutes(source.fleet, source.device)
        finally:
            await source.postgres.close()


def metrics_source(where: Path, settings: Settings, side: RedisSide) -> MetricsSource:
    """Make what reads; its PostgreSQL is to be closed by whoever asks for it."""
    jobs, coordinator = load_jobs(where), settings.coordinator
    outputs = tuple(enabled_outputs(settings))
    known = Known(settings.shards.count, settings.worker.dead_after_s, jobs, coordinator.results_high_water, outputs)
    stats = RedisStats(side.streams, side.presence, side.clock.now, known, side.outputs)
    plans, max_age_s = load_profiles(where, settings), settings.metrics.device_max_age_s
    return MetricsSource(stats, side, Postgres(settings.postgres), plans, max_age_s)
