"""Devices: listed, searched, described; and what was stored of them."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Protocol

from msgspec import Meta

from streampoll.api.directory import Directory, Search
from streampoll.api.problem import ProblemError
from streampoll.api.route import Asked, Route
from streampoll.api.times import Moment, seconds
from streampoll.config.jobs import Job
from streampoll.coordinator.due import polls, recent_slots
from streampoll.errors import UnavailableError
from streampoll.model import Device
from streampoll.observe.device import DeviceReport
from streampoll.results.latest import Latest, Slots
from streampoll.results.reader import StoredPoll, Wanted
from streampoll.results.render import Look, clock, trace_json, values_json
from streampoll.shards.ring import shard_of

_TRIED = 3  # of the last slots: the newest poll may be under way, the one before skipped
_LOOK_BACK_S = 7 * 86_400

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Word = Annotated[str, Meta(max_length=255)]
Limit = Annotated[int, Meta(ge=1, le=1000)]


class Stored(Protocol):
    """Reads what was stored."""

    async def latest(self, wanted: Sequence[Slots]) -> list[Latest]:
        """Return the newest stored poll of each (device, job)."""

    async def history(self, wanted: Wanted) -> list[StoredPoll]:
        """Return a device's polls, the newest first."""


@dataclass(frozen=True, slots=True)
class LastPoll:
    """How a device's newest scheduled poll by a job ended."""

    job: str
    slot: int  # seconds since the epoch
    status: str
    duration_ms: int
    stored_after_ms: int  # after the slot


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device as the inventory has it, and its last polls."""

    name: str
    address: str
    port: int  # 0: the protocol's default
    profile: str
    groups: Sequence[str]
    site: str
    role: str
    vendor: str
    tags: Sequence[str]
    parent: str
    interval_s: int  # 0: the job's
    enabled: bool
    shard: int
    jobs: Sequence[str]  # that poll it
    last: Sequence[LastPoll] | None = None  # null: PostgreSQL could not be asked, or was not to be


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Some devices, in the order of their names."""

    devices: Sequence[DeviceRow]
    total: int  # devices in the inventory
    after: str | None  # ask for what comes behind this name; null: that was all
    trouble: str | None = None  # why `last` is not known


@dataclass(frozen=True, slots=True)
class DeviceSearch:
    """Which devices are wanted."""

    q: Annotated[str, Meta(max_length=255, description="part of the name or address, in whatever case")] = ""
    site: Word = ""
    role: Word = ""
    vendor: Word = ""
    profile: Word = ""
    group: Word = ""
    tag: Word = ""
    after: Annotated[str, Meta(max_length=255, description="begin behind this name: `after` of the page before")] = ""
    limit: Limit = 100
    last: Annotated[bool, Meta(description="with how their last polls ended")] = True


@dataclass(frozen=True, slots=True)
class OneDevice:
    """Which device."""

    device: Name


@dataclass(frozen=True, slots=True)
class History:
    """Which polls of a device."""

    device: Name
    job: Word = ""
    since: Moment = "1h"
    until: Moment = "0s"
    limit: Limit = 100
    values: Annotated[bool, Meta(description="with all values and tables; at most 50 polls then")] = False


@dataclass(frozen=True, slots=True)
class LastValues:
    """Which poll of a device."""

    device: Name
    job: Word = ""


@dataclass(frozen=True, slots=True)
class PollRow:
    """One stored poll; a time is ISO 8601 in UTC."""

    device: str
    job: str
    slot: str | None
    status: str
    duration_ms: int
    stored_after_ms: int
    error: str
    profile: str
    requests: int  # retries included
    retries: int
    varbinds: int
    trace: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    incomplete: Sequence[str] = ()


Describe = Callable[[Device, Sequence[Job]], Awaitable[DeviceReport]]
"""Says what configuration and Redis know of a device."""


class Devices:
    """Serves devices."""

    def __init__(
        self, directory: Directory, stored: Stored, shards: int, describe: Describe, look: Callable[[str], Look]
    ) -> None:
        self._directory = directory
        self._stored = stored
        self._shards = shards
        self._describe = describe
        self._look = look

    def routes(self) -> list[Route]:
        """Return the routes; the longer paths first, since a name may have slashes."""
        one = "/api/v1/devices/{device:path}"
        return [
            Route("GET", "/api/v1/devices", self._search, DevicePage, "Devices, by page", "devices",
                  parameters=DeviceSearch),
            Route("GET", f"{one}/polls", self._history, list[PollRow], "Stored polls of a device, newest first",
                  "devices", parameters=History),
            Route("GET", f"{one}/last", self._last, PollRow, "The newest stored poll, with its values", "devices",
                  parameters=LastValues),
            Route("GET", one, self._one, DeviceReport, "All that is known of a device", "devices",
                  parameters=OneDevice),
        ]  # fmt: skip

    async def _search(self, asked: Asked) -> DevicePage:
        wanted: DeviceSearch = asked.parameters
        search = Search(
            wanted.q.lower(), wanted.site, wanted.role, wanted.vendor, wanted.profile, wanted.group, wanted.tag,
            wanted.after, wanted.limit,
        )  # fmt: skip
        found, total = await self._directory.search(search)
        jobs = (await self._directory.inventory()).jobs
        last, trouble = await self._last_of(found, jobs) if wanted.last else (None, None)
        rows = [self._row(device, jobs, last) for device in found]
        return DevicePage(rows, total, found[-1].name if len(found) == wanted.limit else None, trouble)

    async def _last_of(
        self, devices: Sequence[Device], jobs: Sequence[Job]
    ) -> tuple[dict[str, list[LastPoll]] | None, str | None]:
        """Return the last polls by device; where they can't be read, why."""
        now = int(time.time())
        wanted = [
            Slots(device.name, job.name, recent_slots(job, device, now, _TRIED))
            for device in devices
            for job in jobs
            if polls(job, device)
        ]
        try:
            latest = await self._stored.latest(wanted)
        except UnavailableError as error:
            return None, str(error)
        by_device: dict[str, list[LastPoll]] = {}
        for each in latest:
            said = LastPoll(each.job, each.slot, each.status.word, each.duration_ms, each.stored_ms)
            by_device.setdefault(each.device, []).append(said)
        return by_device, None

    def _row(self, device: Device, jobs: Sequence[Job], last: Mapping[str, Sequence[LastPoll]] | None) -> DeviceRow:
        return DeviceRow(
            device.name, device.address, device.port, device.profile, device.groups, device.site, device.role,
            device.vendor, device.tags, device.parent, device.interval_s, device.enabled,
            shard_of(device.address, self._shards), [job.name for job in jobs if polls(job, device)],
            None if last is None else last.get(device.name, ()),
        )  # fmt: skip

    async def _one(self, asked: Asked) -> DeviceReport:
        device, jobs = await self._directory.find(asked.parameters.device)
        return await self._describe(device, jobs)

    async def _history(self, asked: Asked) -> list[PollRow]:
        wanted: History = asked.parameters
        await self._directory.find(wanted.device)
        limit = min(wanted.limit, 50) if wanted.values else wanted.limit
        span = seconds(wanted.since), seconds(wanted.until)
        found = await self._stored.history(Wanted(wanted.device, wanted.job, *span, limit))
        return [_poll(poll, self._look(poll.outcome.profile) if wanted.values else None) for poll in found]

    async def _last(self, asked: Asked) -> PollRow:
        wanted: LastValues = asked.parameters
        await self._directory.find(wanted.device)
        since = int(time.time()) - _LOOK_BACK_S
        found = await self._stored.history(Wanted(wanted.device, wanted.job, since, limit=1))
        if not found:
            raise ProblemError(404, f"nothing was stored of {wanted.device[:80]!r} within a week")
        return _poll(found[0], self._look(found[0].outcome.profile))


def _poll(poll: StoredPoll, look: Look | None) -> PollRow:
    """Return a poll as it is shown; without a look, without its values."""
    outcome, trace = poll.outcome, poll.trace
    row = PollRow(
        poll.device, poll.job, clock(poll.slot), poll.status.word, poll.duration_ms, poll.stored_ms, outcome.error,
        outcome.profile, outcome.requests, trace.asked.retries, outcome.varbinds, trace_json(trace),
    )  # fmt: skip
    if look is None:
        return row
    incomplete = [name for name, table in outcome.tables.items() if not table.complete]
    return replace(row, **values_json(outcome, look), incomplete=incomplete)
