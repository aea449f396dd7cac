"""The fleet at a glance: by site, the slow and the failing, and how late polls were over the last hours.

Each answer is kept for a few seconds, so that a wall of dashboards costs PostgreSQL what one does.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Protocol, TypeVar

from msgspec import Meta

from streampoll.api.directory import Directory, Inventory
from streampoll.api.route import Asked, Route
from streampoll.coordinator.due import polls
from streampoll.model import Status
from streampoll.results.archive import FleetReading
from streampoll.results.ranking import PastStep, Ranked, Span, recent, sampled, step_of

_KEPT_S = 4.0
_RANKED_S = 600
_LONGEST_S = 3600  # a site's devices count as not known if nothing newer is stored of them
_TYPICAL_CRON_S = 300  # what a job with a cron line is taken for, where only a size is wanted

Answer = TypeVar("Answer")


class By(StrEnum):
    """What devices are ranked by."""

    SLOW = "slow"  # median duration of the polls that got an answer
    FAILING = "failing"  # the share that failed


class Kept(Protocol):
    """Reads what was stored, over all devices."""

    async def fleet(self, since: int) -> FleetReading:
        """Return how the newest poll of each device ended."""

    async def ranked(self, by: str, span: Span, limit: int) -> list[Ranked]:
        """Return the worst devices."""

    async def past(self, span: Span) -> Sequence[PastStep]:
        """Return how polling went."""


@dataclass(frozen=True, slots=True)
class SiteRow:
    """The devices of a site, by how the newest poll of each ended; a device with two jobs counts once."""

    site: str  # "": those that have none
    devices: int
    ok: int
    partial: int
    failed: int
    unknown: int  # nothing is stored of them since


@dataclass(frozen=True, slots=True)
class Sites:
    """All sites, by name."""

    since: int  # seconds since the epoch
    sites: Sequence[SiteRow]


@dataclass(frozen=True, slots=True)
class RankedDevice:
    """A device over the last minutes."""

    device: str
    site: str | None  # null: the inventory has no such device any more
    polls: int
    failed: int
    duration_p50_ms: int
    duration_max_ms: int
    status: str  # of its newest poll


@dataclass(frozen=True, slots=True)
class Ranking:
    """Devices, the worst first."""

    since: int  # seconds since the epoch: ten minutes ago, or later in a fleet with too many polls to read
    devices: Sequence[RankedDevice]


@dataclass(frozen=True, slots=True)
class Past:
    """How polling went, step by step."""

    step_s: int
    one_of: int  # one second of so many was looked at; 1: all
    steps: Sequence[PastStep]


@dataclass(frozen=True, slots=True)
class WhichWorst:
    """Which ranking."""

    by: By = By.SLOW
    limit: Annotated[int, Meta(ge=1, le=200)] = 10


@dataclass(frozen=True, slots=True)
class HowFar:
    """How far back."""

    hours: Annotated[int, Meta(ge=1, le=24)] = 1


class Fleet:
    """Serves what is seen of the whole fleet."""

    def __init__(self, directory: Directory, kept: Kept, now: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._kept = kept
        self._now = now
        self._answers: dict[object, tuple[float, Any]] = {}
        self._lock = asyncio.Lock()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("GET", "/api/v1/sites", self._sites, Sites, "Devices by site, by their newest poll", "fleet"),
            Route("GET", "/api/v1/top", self._top, Ranking, "The slowest devices, or those that fail most", "fleet",
                  parameters=WhichWorst),
            Route("GET", "/api/v1/past", self._past, Past, "Polls a second, lateness and cycle time so far", "fleet",
                  parameters=HowFar),
        ]  # fmt: skip

    async def _sites(self, _: Asked) -> Sites:
        return await self._remembered("sites", self._read_sites)

    async def _top(self, asked: Asked) -> Ranking:
        wanted: WhichWorst = asked.parameters
        return await self._remembered(wanted, lambda: self._read_top(wanted))

    async def _past(self, asked: Asked) -> Past:
        hours: int = asked.parameters.hours
        return await self._remembered(hours, lambda: self._read_past(hours * 3600))

    async def _remembered(self, key: object, read: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return an answer that is fresh enough, or read it: one reads, however many ask."""
        async with self._lock:
            if key not in self._answers or self._now() - self._answers[key][0] >= _KEPT_S:
                self._answers[key] = self._now(), await read()
            answer: Answer = self._answers[key][1]
            return answer

    async def _read_sites(self) -> Sites:
        inventory = await self._directory.inventory()
        longest = max((job.every_s for job in inventory.jobs), default=_TYPICAL_CRON_S)
        span = recent(int(self._now()), min(_LONGEST_S, 2 * longest + 60), due_per_s(inventory))
        reading = await self._kept.fleet(span.first)
        ended = {poll.device: poll.status for poll in reading.polls}
        return Sites(span.first, await asyncio.to_thread(_by_site, inventory, ended))

    async def _read_top(self, wanted: WhichWorst) -> Ranking:
        inventory = await self._directory.inventory()
        span = recent(int(self._now()), _RANKED_S, due_per_s(inventory))
        found = await self._kept.ranked(wanted.by.value, span, wanted.limit)
        return Ranking(span.first, [_ranked(each, inventory) for each in found])

    async def _read_past(self, seconds: int) -> Past:
        inventory = await self._directory.inventory()
        span = sampled(int(self._now()), seconds, due_per_s(inventory))
        return Past(step_of(span), span.every, await self._kept.past(span))


def due_per_s(inventory: Inventory) -> float:
    """Return about how many polls are due a second: what an answer would have to read."""
    count = len(inventory.devices)
    return sum(count / (job.every_s or _TYPICAL_CRON_S) for job in inventory.jobs if job.enabled)


def _by_site(inventory: Inventory, ended: dict[str, Status]) -> list[SiteRow]:
    """Count the devices that a job polls."""
    sites: dict[str, Counter[str]] = {}
    for device in inventory.devices:
        if any(polls(job, device) for job in inventory.jobs):
            sites.setdefault(device.site, Counter())[_kind(ended.get(device.name))] += 1
    return [
        SiteRow(site, counts.total(), counts["ok"], counts["partial"], counts["failed"], counts["unknown"])
        for site, counts in sorted(sites.items())
    ]


def _kind(status: Status | None) -> str:
    if status is None:
        return "unknown"
    return status.word if status.answered else "failed"


def _ranked(found: Ranked, inventory: Inventory) -> RankedDevice:
    device = inventory.find(found.device)
    return RankedDevice(
        found.device, device.site if device else None, found.polls, found.failed, found.duration_p50_ms,
        found.duration_max_ms, found.status.word,
    )  # fmt: skip
