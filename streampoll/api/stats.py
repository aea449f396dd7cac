"""What `streampoll stats` shows, for programs; the workers of it; and what is polled by outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streampoll.api.problem import ProblemError
from streampoll.api.queues import Present
from streampoll.api.route import Asked, Route
from streampoll.errors import UnavailableError
from streampoll.observe.figures import Stats, StatsSource, WorkerRow


@dataclass(frozen=True, slots=True)
class Polls:
    """What the workers that live now have polled since they started."""

    by_status: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    varbinds: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment: `stats`, and the polls so far."""

    stats: Stats
    polls: Polls


@dataclass(frozen=True, slots=True)
class _OneWorker:
    worker: str


class StatsRoutes:
    """Serves snapshots."""

    def __init__(self, source: StatsSource, presence: Present) -> None:
        self._source = source
        self._presence = presence

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("GET", "/api/v1/stats", self._get, Snapshot, "Queues, workers, jobs, leader, alarms now", "stats"),
            Route("GET", "/api/v1/workers", self._workers, list[WorkerRow], "The worker processes", "workers"),
            Route("GET", "/api/v1/workers/{worker}", self._worker, WorkerRow, "One worker process", "workers",
                  parameters=_OneWorker),
        ]  # fmt: skip

    async def snapshot(self) -> Snapshot:
        """Read everything once; what is away becomes a line of `troubles`."""
        stats = await self._source.snapshot()
        try:
            said = await self._presence.figures([row.id for row in stats.workers])
        except UnavailableError:
            said = []
        return Snapshot(stats, _polls([each for each in said if each]))

    async def _get(self, _: Asked) -> Snapshot:
        return await self.snapshot()

    async def _workers(self, _: Asked) -> Sequence[WorkerRow]:
        stats = await self._source.snapshot()
        if stats.troubles:
            raise ProblemError(503, stats.troubles[0], {"Retry-After": "2"})
        return stats.workers

    async def _worker(self, asked: Asked) -> WorkerRow:
        for row in await self._workers(asked):
            if row.id == asked.parameters.worker:
                return row
        raise ProblemError(404, "there is no such worker; a process's name ends with it, /api/v1/workers lists them")


def _polls(said: Sequence[Mapping[str, Any]]) -> Polls:
    polls = [each["polls"] for each in said if "polls" in each]
    by_status: dict[str, int] = {}
    for each in polls:
        for status, count in each["by_status"].items():
            by_status[status] = by_status.get(status, 0) + count
    return Polls(by_status, _sum(polls, "requests"), _sum(polls, "varbinds"))


def _sum(polls: Sequence[Mapping[str, Any]], key: str) -> int:
    return sum(each[key] for each in polls)
