"""`GET /api/scheduler/queues`: how much work there is, in the shape that clients of a Celery system read, and more.

    active      being executed at this moment (by each worker's last heartbeat, at most a second old)
    reserved    taken by a worker and not begun yet
    scheduled   waiting for a time: retries and countdowns

What nobody has taken yet is in none of the three; it is `lag`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from streampoll.api.route import Asked, Route
from streampoll.model import QueueClass
from streampoll.observe.snapshot import DEAF_AFTER_S, Crew
from streampoll.shards.port import QueueFigures, Worker

_ONLINE = "online"  # what such clients call a worker that is well


class Depths(Protocol):
    """Reads how much the shards hold."""

    async def depths(self, shards: Sequence[int]) -> list[Mapping[QueueClass, QueueFigures]]:
        """Return, shard by shard, the figures of each class."""


class Present(Protocol):
    """Reads who works."""

    async def workers(self) -> list[Worker]:
        """Return all workers that beat in the last minute."""

    async def briefs(self, worker_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """Return of what workers publish their state, active entries, and for how long they have read nothing."""

    async def figures(self, worker_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """Return all that workers publish."""


@dataclass(frozen=True, slots=True)
class WorkerNow:
    """One worker process."""

    name: str
    status: str  # online, starting, draining, silent (no heartbeat), deaf (beats, but reads nothing), unknown
    active_tasks: int


@dataclass(frozen=True, slots=True)
class ClassDepth:
    """One queue class, in one shard or (shard null) over all."""

    queue: str
    shard: int | None
    depth: int  # rows (of most classes an entry is one) unfinished: waiting and in flight
    lag: int  # of those, taken by nobody yet
    oldest_age_s: float | None  # null: there is none
    delayed: int
    dead_letters: int


@dataclass(frozen=True, slots=True)
class QueuesNow:
    """The work there is."""

    active: int
    reserved: int
    scheduled: int
    workers: Sequence[WorkerNow]
    classes: Sequence[ClassDepth]
    shards: Sequence[ClassDepth]
    at: float  # seconds since the epoch, by the clock of Redis


@dataclass(frozen=True, slots=True)
class QueuesAnswer:
    """The answer; `success` is false in problems."""

    success: bool
    data: QueuesNow


class Queues:
    """Reads queues and workers in three round trips, with work for Redis by shard and by worker."""

    def __init__(
        self, streams: Depths, presence: Present, now: Callable[[], float], shards: int, dead_after_s: float
    ) -> None:
        self._streams = streams
        self._presence = presence
        self._now = now
        self._shards = range(shards)
        self._dead_after_s = dead_after_s

    def routes(self) -> list[Route]:
        """Return the routes."""
        summary = "Work by state and class, and the workers, as clients of a Celery system read it"
        return [
            Route("GET", "/api/scheduler/queues", self._get, QueuesAnswer, summary, "queues", celery=True),
            Route("GET", "/api/v1/queues", self._get_now, QueuesNow, "Work by state, class and shard", "queues"),
        ]

    async def _get(self, _: Asked) -> QueuesAnswer:
        return QueuesAnswer(success=True, data=await self.now())

    async def _get_now(self, _: Asked) -> QueuesNow:
        return await self.now()

    async def now(self) -> QueuesNow:
        """Read it.

        Raises:
            RedisUnavailable: it can't be read.
        """
        workers = await self._presence.workers()
        said = await self._presence.briefs([worker.id for worker in workers])
        shards = await self._streams.depths(self._shards)
        crew = Crew(self._now(), self._dead_after_s, workers, {})
        by_worker = [_worker(worker, figures, crew) for worker, figures in zip(workers, said, strict=True)]
        rows = [row for shard, held in enumerate(shards) for row in _rows(shard, held, crew.now)]
        held = sum(figures.pending for shard in shards for figures in shard.values())
        active = min(held, sum(worker.active_tasks for worker in by_worker))  # heartbeats are a second old, this is not
        return QueuesNow(
            active=active,
            reserved=held - active,
            scheduled=sum(row.delayed for row in rows),
            workers=sorted(by_worker, key=lambda worker: worker.name),
            classes=[_sum(queue, [row for row in rows if row.queue == queue]) for queue in QueueClass],
            shards=rows,
            at=crew.now,
        )


def _worker(worker: Worker, said: Mapping[str, Any] | None, crew: Crew) -> WorkerNow:
    silent = crew.silent(worker)
    if not said:
        return WorkerNow(worker.id, "silent" if silent else "unknown", 0)
    if silent:  # what it had is done by nobody until another claims it
        return WorkerNow(worker.id, "silent", 0)
    status = "deaf" if said["state"] == "running" and said.get("unread_s", 0.0) > DEAF_AFTER_S else said["state"]
    return WorkerNow(worker.id, _ONLINE if status == "running" else status, said.get("active", 0))


def _rows(shard: int, held: Mapping[QueueClass, QueueFigures], now: float) -> Iterable[ClassDepth]:
    for queue, found in held.items():
        oldest_s = None if found.oldest is None else max(0.0, now - found.oldest)
        yield ClassDepth(queue.value, shard, found.rows, found.waiting, oldest_s, found.delayed, found.dead)


def _sum(queue: QueueClass, rows: Sequence[ClassDepth]) -> ClassDepth:
    return ClassDepth(
        queue.value,
        None,
        sum(row.depth for row in rows),
        sum(row.lag for row in rows),
        max((row.oldest_age_s for row in rows if row.oldest_age_s is not None), default=None),
        sum(row.delayed for row in rows),
        sum(row.dead_letters for row in rows),
    )
