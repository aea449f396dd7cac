"""What operators do from a command line: pause, resume, run, make tokens."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.config.jobs import Job
from streampoll.config.load import load_jobs
from streampoll.config.settings import Settings
from streampoll.coordinator.ad_hoc import ad_hoc
from streampoll.coordinator.due import polls
from streampoll.embedded.endpoints import read_settings
from streampoll.model import Device
from streampoll.results.control import Control, Decisions
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres
from streampoll.shards.runs import Runs


@dataclass(frozen=True, slots=True)
class ControlDesk:
    """What a command works with."""

    settings: Settings
    jobs: Sequence[Job]
    control: Control
    decisions: Decisions
    side: RedisSide

    async def run(self, jobs: Sequence[Job], devices: Sequence[Device]) -> tuple[int, int]:
        """Poll devices by jobs now; return how many polls were added, and how many were asked for."""
        await self.side.presence.workers()  # tells the time of Redis
        now, runs = int(self.side.clock.now()), Runs(self.side.scripts, self.side.keys)
        added = asked = 0
        for job in jobs:
            chosen = [device for device in devices if polls(job, device)]
            asked += len(chosen)
            added += await runs.run(ad_hoc(job, chosen, self.settings.shards.count, now), now)
        return added, asked


@asynccontextmanager
async def open_desk(where: Path) -> AsyncIterator[ControlDesk]:
    """Make what a command works with."""
    settings, jobs = read_settings(where, os.environ), load_jobs(where)
    postgres = Postgres(settings.postgres, 1, prepare=migrate)
    async with open_redis(settings) as side:
        try:
            control = Control(postgres)
            yield ControlDesk(settings, jobs, control, Decisions(control, side.presence), side)
        finally:
            await postgres.close()
