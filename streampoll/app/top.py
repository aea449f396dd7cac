"""What ranks devices: PostgreSQL's newest rows, and what Redis has on record of each of them."""

import asyncio
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from streampoll.app.redis_side import open_redis
from streampoll.config.load import load_inventory, load_jobs
from streampoll.config.settings import Settings
from streampoll.errors import StreampollError
from streampoll.model import Device
from streampoll.observe.device import LearnedOfDevice, learned_of
from streampoll.observe.top import Top, TopDevice
from streampoll.results.postgres import Postgres
from streampoll.results.ranking import Ranked, ranked, recent
from streampoll.shards.ring import shard_of

_RANKED_S = 600


class TopReader:
    """Ranks the devices of a configuration."""

    def __init__(self, where: Path, settings: Settings) -> None:
        self._where = where
        self._settings = settings
        self._postgres = Postgres(settings.postgres, 1)

    async def ranked(self, by: str = "slow", limit: int = 10) -> Sequence[Ranked]:
        """Return the worst devices of the last ten minutes.

        Raises:
            PostgresUnavailable: it can't be asked.
        """
        due_per_s = await asyncio.to_thread(lambda: self._due_per_s)  # reads the inventory, the first time
        span = recent(int(time.time()), _RANKED_S, due_per_s)
        async with self._postgres.transaction() as connection:
            return await ranked(connection, by, span, limit)

    async def top(self, by: str, limit: int) -> Top:
        """Return the worst devices with what is on record of them; a server that is away is a trouble."""
        try:
            found = await self.ranked(by, limit)
        except StreampollError as error:
            return Top(time.time(), by, troubles=(str(error),))
        troubles: list[str] = []
        learned: dict[str, list[LearnedOfDevice]] = {}
        try:
            learned = await self._learned([each.device for each in found])
        except StreampollError as error:
            troubles.append(str(error))
        devices = [self._described(each, learned) for each in found]
        return Top(time.time(), by, devices, troubles)

    async def close(self) -> None:
        """Close the connections."""
        await self._postgres.close()

    async def _learned(self, names: Sequence[str]) -> dict[str, list[LearnedOfDevice]]:
        learned = {}
        async with open_redis(self._settings) as redis:
            for name in names:
                if (device := self._devices.get(name)) is not None:
                    shard = shard_of(device.address, self._settings.shards.count)
                    learned[name] = learned_of(await redis.devices.find(shard, name))
        return learned

    def _described(self, found: Ranked, learned: dict[str, list[LearnedOfDevice]]) -> TopDevice:
        device = self._devices.get(found.device)
        silent = [each.silent_since for each in learned.get(found.device, ()) if each.silent_since]
        return TopDevice(
            found.device, device.address if device else None, device.site if device else None, found.status.word,
            found.polls, found.failed, found.duration_p50_ms, found.duration_max_ms, min(silent, default=None),
        )  # fmt: skip

    @cached_property
    def _devices(self) -> dict[str, Device]:
        return {device.name: device for device in load_inventory(self._where, self._settings)}

    @cached_property
    def _due_per_s(self) -> float:
        jobs = [job for job in load_jobs(self._where) if job.enabled]
        return sum(len(self._devices) / job.mean_interval_s() for job in jobs)
