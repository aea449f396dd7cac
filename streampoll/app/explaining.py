"""What `explain` asks PostgreSQL and Redis: rows first, and of polls without one what Redis and the books have."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.config.jobs import Job
from streampoll.config.load import load_inventory, load_jobs
from streampoll.config.settings import Settings
from streampoll.coordinator.due import is_due, polls, recent_slots
from streampoll.errors import ConfigError
from streampoll.model import Device, QueueClass
from streampoll.observe.fate import Around, Case, Fate, What, fate_of
from streampoll.results.books import read_books
from streampoll.results.postgres import Connection, connected
from streampoll.results.reader import StoredPoll, UnknownNameError, Wanted, results
from streampoll.shards.facts import DeviceFacts
from streampoll.shards.letters import Letters
from streampoll.shards.ring import shard_of
from streampoll.shards.whereabouts import PollKey, State, Whereabouts


@dataclass(frozen=True, slots=True)
class Explained:
    """What there is to tell."""

    stored: Sequence[StoredPoll]
    others: Sequence[tuple[PollKey, Fate]] = ()  # polls without a row
    known: bool = True  # the inventory has the device


class Explainer:
    """Finds what became of polls."""

    def __init__(self, where: Path, settings: Settings, connection: Connection, side: RedisSide) -> None:
        self._where = where
        self._jobs = load_jobs(where)
        self._settings = settings
        self._connection = connection
        self._side = side

    def knows(self, job: str) -> bool:
        """Return True if the configuration has a job of this name."""
        return any(each.name == job for each in self._jobs)

    async def stored(self, device: str, job: str, slot: int | None) -> list[StoredPoll]:
        """Return the rows of a slot, or the newest."""
        wanted = Wanted(device, job, limit=1) if slot is None else Wanted(device, job, slot, slot, 100)
        return [poll async for poll in results(self._connection, wanted)]

    async def without_row(self, device: str, job: str, slot: int | None, stored: Sequence[StoredPoll]) -> Explained:
        """Tell also of polls of a device that have no row: those of a slot, or the last that was due by each job."""
        found = await self._device(device)
        if found is None:
            return Explained(stored, known=False)
        around = await self._around()
        keys = _keys(found, self._jobs, job, slot, int(around.now), stored)
        told = [await self._tell(key, found, around) for key in keys]
        rows = [each for each in told if isinstance(each, StoredPoll) and (slot is not None or not stored)]
        others = [each for each in told if not isinstance(each, StoredPoll)]
        if slot is None:  # nobody asked for a slot at which nothing was due
            others = [each for each in others if each[1].what is not What.NOT_DUE or not (stored or rows)]
        return Explained([*stored, *rows], others)

    async def _device(self, name: str) -> Device | None:
        """Return a device as the leader has told of it; one that is disabled only the inventory knows."""
        told = await self._side.facts.find(name)
        if told is not None:
            return _as_device(told[1])
        try:
            inventory = load_inventory(self._where, self._settings)
        except ConfigError:  # it need not be on every host
            return None
        return next((device for device in inventory if device.name == name), None)

    async def _around(self) -> Around:
        presence, settings = self._side.presence, self._settings
        workers = {worker.id: worker for worker in await presence.workers()}  # tells the time of Redis, too
        leader = await presence.leader()
        return Around(
            self._side.clock.now(), workers, settings.worker.dead_after_s,
            settings.queues[QueueClass.POLLING].claim_idle_s, leader[0] if leader else "",
            tuple(await presence.pauses()),
        )  # fmt: skip

    async def _tell(self, key: PollKey, device: Device, around: Around) -> tuple[PollKey, Fate] | StoredPoll:
        """Say what became of a poll; its row, if it was stored while we looked."""
        shard = shard_of(device.address, self._settings.shards.count)
        letters = Letters(self._side.scripts, self._side.keys, self._settings.shards.count)
        found = await Whereabouts(self._side.topology, self._side.keys, letters).find(shard, key)
        if (found is None or found.state is State.UNREAD) and (late := await self._row(key)):
            return late
        job = next((job for job in self._jobs if job.name == key.job), None)
        books = await read_books(self._connection, key.job, shard, key.slot)
        return key, fate_of(Case(key, device, job, shard, found, books, around))

    async def _row(self, key: PollKey) -> StoredPoll | None:
        try:
            rows = await self.stored(key.device, key.job, key.slot)
        except UnknownNameError:
            return None
        return rows[0] if rows else None


def _keys(
    device: Device, jobs: Sequence[Job], job: str, slot: int | None, now: int, stored: Sequence[StoredPoll]
) -> list[PollKey]:
    """Return the polls that are asked for and have no row: of one job, or of those that poll the device."""
    rows = {poll.job: poll.slot for poll in stored}
    if slot is None:
        chosen = [each for each in jobs if polls(each, device) and job in ("", each.name)]
        newest = ((each.name, next(iter(recent_slots(each, device, now, 1)), 0)) for each in chosen)
        return [PollKey(name, device.name, at) for name, at in newest if at > rows.get(name, 0)]
    if job:
        return [] if stored else [PollKey(job, device.name, slot)]
    mine = [each for each in jobs if polls(each, device) and each.name not in rows]
    due = [each for each in mine if is_due(each, device, slot)]
    return [PollKey(each.name, device.name, slot) for each in due or ([] if rows else mine or jobs)]


def _as_device(facts: DeviceFacts) -> Device:
    return Device(
        facts.name, facts.address, facts.port, facts.profile, facts.credential, facts.groups, facts.site, facts.role,
        facts.vendor, facts.tags, facts.interval_s, facts.parent, True, facts.overrides,
    )  # fmt: skip


@asynccontextmanager
async def open_explainer(where: Path, settings: Settings) -> AsyncIterator[Explainer]:
    """Make what explains polls."""
    async with connected(settings.postgres) as connection, open_redis(settings) as side:
        yield Explainer(where, settings, connection, side)
