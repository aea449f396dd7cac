"""Jobs: listed, paused, resumed, run; their slots with audit's equation. Queue classes: paused and resumed."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from msgspec import Meta

from streampoll.api.devices import Name, Word
from streampoll.api.directory import Directory
from streampoll.api.problem import ProblemError
from streampoll.api.route import Asked, Route
from streampoll.api.times import Moment, seconds
from streampoll.config.jobs import Job
from streampoll.config.report import nearest
from streampoll.coordinator.due import polls
from streampoll.model import Device, QueueClass
from streampoll.observe.figures import JobRow, StatsSource
from streampoll.results.control import Role
from streampoll.results.slots import SlotTally
from streampoll.shards.port import Pause, Paused

_MOST_S = 3600  # of slots at a time
_RUN_AT_ONCE = 1000  # devices named in one request

Reason = Annotated[str, Meta(max_length=500, description="what others are told")]
JobName = Annotated[str, Meta(min_length=1, max_length=63)]


class Deciding(Protocol):
    """Pauses and resumes."""

    async def pause(self, kind: Paused, name: str, by: str, reason: str) -> None:
        """Pause a job or class."""

    async def resume(self, kind: Paused, name: str, by: str) -> bool:
        """End a pause; False if there was none."""


class Booked(Protocol):
    """Reads what became of slots."""

    async def slots(self, job: str, since: int, until: int, unfinished: Collection[int]) -> list[SlotTally] | None:
        """Return the slots of a job; None if nothing was ever dispatched of it."""


Run = Callable[[Sequence[Job], Sequence[Device], str], Awaitable[tuple[int, int]]]
"""Polls devices by jobs now, on behalf of somebody; answers how many polls were added, and how many asked for."""

Unfinished = Callable[[], Awaitable[Mapping[tuple[str, int], int]]]
"""Answers (job, slot) -> entries unfinished."""


@dataclass(frozen=True, slots=True)
class PausedBy:
    """A pause."""

    since: int  # seconds since the epoch
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobState:
    """A job, as the configuration and the fleet have it."""

    job: str
    schedule: str
    profile: str  # "": each device's own
    enabled: bool
    paused: PausedBy | None
    devices: int | None = None  # that its plan has; 0 while paused
    unfinished: int | None = None  # polls dispatched, no row yet
    skipped: int | None = None
    lateness_p50_s: float | None = None
    lateness_p99_s: float | None = None
    cycle_p50_s: float | None = None
    cycle_p99_s: float | None = None


@dataclass(frozen=True, slots=True)
class OneJob:
    """Which job."""

    job: JobName


@dataclass(frozen=True, slots=True)
class OneQueue:
    """Which queue class."""

    queue: QueueClass


@dataclass(frozen=True, slots=True)
class SlotSpan:
    """Which slots of a job: at most an hour."""

    job: JobName
    since: Moment = "10m"
    until: Moment = "0s"


@dataclass(frozen=True, slots=True)
class Why:
    """Why something is done."""

    reason: Reason = ""


@dataclass(frozen=True, slots=True)
class Nothing:
    """A body that says nothing."""


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What is to be polled now."""

    devices: Annotated[tuple[Name, ...], Meta(max_length=_RUN_AT_ONCE, description="none: all of the job")] = ()
    job: Word = ""


@dataclass(frozen=True, slots=True)
class Started:
    """What was put to work."""

    added: int  # polls
    asked: int  # polls that were asked for; those not added were run just now, or are due each second


@dataclass(frozen=True, slots=True)
class Decided:
    """What holds now."""

    kind: str
    name: str
    paused: bool


@dataclass(frozen=True, slots=True)
class JobPorts:
    """What jobs are served with."""

    directory: Directory
    stats: StatsSource
    pauses: Callable[[], Awaitable[list[Pause]]]
    decisions: Deciding
    booked: Booked
    unfinished: Unfinished
    run: Run


class Jobs:
    """Serves jobs and the pauses of classes."""

    def __init__(self, ports: JobPorts) -> None:
        self._ports = ports

    def routes(self) -> list[Route]:
        """Return the routes."""
        one, act = "/api/v1/jobs/{job}", Role.OPERATOR
        queue = "/api/v1/queues/{queue}"
        return [
            Route("GET", "/api/v1/jobs", self._list, list[JobState], "The jobs", "jobs"),
            Route("GET", one, self._one, JobState, "One job", "jobs", parameters=OneJob),
            Route("GET", f"{one}/slots", self._slots, list[SlotTally], "A job's slots, with audit's equation", "jobs",
                  parameters=SlotSpan),
            Route("POST", f"{one}/pause", self._pause, Decided, "Dispatch nothing of a job", "jobs", OneJob, Why, act),
            Route("POST", f"{one}/resume", self._resume, Decided, "Dispatch it again", "jobs", OneJob, Nothing, act),
            Route("POST", "/api/v1/run", self._run, Started, "Poll devices now", "jobs", body=RunOrder, role=act,
                  status=202),
            Route("POST", f"{queue}/pause", self._pause_queue, Decided, "Have workers read nothing of a class",
                  "queues", OneQueue, Why, act),
            Route("POST", f"{queue}/resume", self._resume_queue, Decided, "Have workers read it again", "queues",
                  OneQueue, Nothing, act),
        ]  # fmt: skip

    async def _list(self, _: Asked) -> list[JobState]:
        inventory = await self._ports.directory.inventory()
        rows = {row.job: row for row in (await self._ports.stats.snapshot()).jobs}
        paused = {each.name: each for each in await self._ports.pauses() if each.kind is Paused.JOB}
        return [_state(job, paused.get(job.name), rows.get(job.name)) for job in inventory.jobs]

    async def _one(self, asked: Asked) -> JobState:
        job = await self._job(asked.parameters.job)
        return next(state for state in await self._list(asked) if state.job == job.name)

    async def _job(self, name: str) -> Job:
        jobs = (await self._ports.directory.inventory()).jobs
        for job in jobs:
            if job.name == name:
                return job
        hint = nearest(name, [job.name for job in jobs])
        raise ProblemError(404, f"there is no job {name!r}" + (f"; {hint}" if hint else ""))

    async def _slots(self, asked: Asked) -> list[SlotTally]:
        wanted: SlotSpan = asked.parameters
        await self._job(wanted.job)
        until = seconds(wanted.until)
        since = max(seconds(wanted.since), until - _MOST_S)
        unfinished = {slot for job, slot in await self._ports.unfinished() if job == wanted.job}
        return await self._ports.booked.slots(wanted.job, since, until, unfinished) or []

    async def _pause(self, asked: Asked) -> Decided:
        job = await self._job(asked.parameters.job)
        await self._ports.decisions.pause(Paused.JOB, job.name, asked.by, asked.body.reason)
        return Decided("job", job.name, paused=True)

    async def _resume(self, asked: Asked) -> Decided:
        return await self._resumed(Paused.JOB, asked.parameters.job, asked.by)

    async def _pause_queue(self, asked: Asked) -> Decided:
        queue = asked.parameters.queue.value
        await self._ports.decisions.pause(Paused.QUEUE, queue, asked.by, asked.body.reason)
        return Decided("queue", queue, paused=True)

    async def _resume_queue(self, asked: Asked) -> Decided:
        return await self._resumed(Paused.QUEUE, asked.parameters.queue.value, asked.by)

    async def _resumed(self, kind: Paused, name: str, by: str) -> Decided:
        if not await self._ports.decisions.resume(kind, name, by):
            raise ProblemError(409, f"{kind} {name} is not paused")
        return Decided(kind.value, name, paused=False)

    async def _run(self, asked: Asked) -> Started:
        order: RunOrder = asked.body
        if not order.devices and not order.job:
            raise ProblemError(400, "name devices, or a job")
        jobs = [await self._job(order.job)] if order.job else list((await self._ports.directory.inventory()).jobs)
        devices = await self._chosen(order.devices)
        if not any(polls(job, device) for job in jobs for device in devices):
            raise ProblemError(409, "no job polls any of these devices")
        started = Started(*await self._ports.run(jobs, devices, asked.by))
        if not started.added:
            raise ProblemError(
                409, "this was run less than two seconds ago, or is due each second", {"Retry-After": "2"}
            )
        return started

    async def _chosen(self, names: Sequence[str]) -> Sequence[Device]:
        if not names:
            return (await self._ports.directory.inventory()).devices
        return [(await self._ports.directory.find(name))[0] for name in names]


def _state(job: Job, pause: Pause | None, row: JobRow | None) -> JobState:
    schedule = f"{job.cron} ({job.timezone})" if job.cron else f"every {job.every_s} s"
    paused = PausedBy(pause.since, pause.by, pause.reason) if pause else None
    head = JobState(job.name, schedule, job.profile, job.enabled, paused)
    if row is None:
        return head
    return JobState(
        job.name, schedule, job.profile, job.enabled, paused, row.devices, row.unfinished, row.skipped,
        row.lateness_p50_s, row.lateness_p99_s, row.cycle_p50_s, row.cycle_p99_s,
    )  # fmt: skip
