"""The API's process, put together."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.resources import files as resources
from pathlib import Path

import msgspec
from starlette.types import ASGIApp

from streampoll.api.actions import ActionRoutes
from streampoll.api.application import RequestCounts, Served, application
from streampoll.api.auth import Gate, is_loopback
from streampoll.api.broadcast import Broadcast
from streampoll.api.devices import Devices
from streampoll.api.directory import Directory, Inventory
from streampoll.api.events import EventRoutes
from streampoll.api.fleet import Fleet
from streampoll.api.health import HealthRoutes
from streampoll.api.jobs import JobPorts, Jobs
from streampoll.api.letters import LetterRoutes
from streampoll.api.metrics import metrics_paths
from streampoll.api.queues import Queues
from streampoll.api.rates import RateRoutes
from streampoll.api.route import Route
from streampoll.api.series import SeriesRoutes
from streampoll.api.server import PortTakenError, Server, listen
from streampoll.api.stats import StatsRoutes
from streampoll.api.stream import stream_route
from streampoll.api.workflows import WorkflowRoutes
from streampoll.app.control import ControlDesk
from streampoll.app.counting import counted_by
from streampoll.app.files import Files
from streampoll.app.loop import run_loop, stop_signal, when
from streampoll.app.metrics import metrics_source
from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.config.bulk import collection_paused
from streampoll.config.jobs import Job
from streampoll.config.load import (
    FILE,
    load_credentials,
    load_inventory,
    load_jobs,
    load_profiles,
    load_workflows,
    source_directory,
)
from streampoll.config.settings import Settings
from streampoll.config.watch import changes
from streampoll.errors import ConfigError, Fault, UnavailableError
from streampoll.logs import about
from streampoll.model import Device, Event
from streampoll.notifications.announce import announce_acknowledged
from streampoll.observe.device import DeviceReport, describe, learned_of
from streampoll.observe.looks import counters_by_profile, look_by_profile
from streampoll.observe.metrics_app import MetricsRoutes
from streampoll.results.archive import Archive
from streampoll.results.control import Control, Decisions
from streampoll.results.event_log import EventLog
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres
from streampoll.shards.finality import unfinished
from streampoll.shards.letters import Letters
from streampoll.shards.presence import new_worker_id
from streampoll.shards.ring import shard_of
from streampoll.shards.telling import Telling
from streampoll.worker.child import ChildContext
from streampoll.workflows.control import Starter
from streampoll.workflows.kept_runs import KeptRuns

log = logging.getLogger(__name__)

_CONNECTIONS = 4
_BEAT_S = 1.0
_AGAIN_S = 0.5  # until a port that is taken is tried again
_NAMED = 5  # devices in a record of an action
_TOKENS_S = 2.0  # between two readings of the tokens: how long a revoked one may still be taken


def run(context: ChildContext, files: Files, settings: Settings, patient: bool) -> int:
    """Run the API's process; `patient`: a port that is taken is waited for."""
    return run_loop(_serve(context, files, settings, patient))


async def _serve(context: ChildContext, files: Files, settings: Settings, patient: bool) -> int:
    stopped = stop_signal()
    async with AsyncExitStack() as stack:
        side = await stack.enter_async_context(open_redis(settings))
        postgres = Postgres(settings.postgres, _CONNECTIONS, prepare=migrate)
        stack.push_async_callback(postgres.close)
        build = ApiBuild(files, settings, side, postgres)
        await build.check_tokens()
        server = await _listening(build, context, stopped, patient)
        if server is None:
            return 0
        log.info("API and dashboard: %s", settings.api.url)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(task, name=name) for name, task in build.background(context.beat.touch)]
            beside.append(group.create_task(when(stopped, lambda: build.stop(server)), name="stop"))
            await server.serve()
            for task in beside:
                task.cancel()
    return 0


async def _listening(build: "ApiBuild", context: ChildContext, stopped: asyncio.Event, patient: bool) -> Server | None:
    """Return the server once the port is free; None if told to stop before."""
    settings, said = build.settings.api, context.serial > 1  # a successor waits for its predecessor's
    while not stopped.is_set():
        try:
            listening = listen(settings.host, settings.port)
        except PortTakenError as error:
            if not patient:
                raise
            if not said:
                log.warning("%s; the API is served once it is free", error)
            said = True
        else:
            return Server(build.application(), listening, settings.connections)
        context.beat.touch()
        await asyncio.sleep(_AGAIN_S)
    return None


class ApiBuild:
    """Builds one API process."""

    def __init__(self, files: Files, settings: Settings, side: RedisSide, postgres: Postgres) -> None:
        self.settings = settings
        self._files = files
        self._side = side
        self._postgres = postgres
        self._archive = Archive(postgres)
        self._control = Control(postgres)
        self._gate = Gate(settings.api.trust_loopback, time.time)
        self._directory = Directory(self._inventory)
        self._counts = RequestCounts()
        self._metrics = metrics_source(files.where, settings, side, postgres)
        self._source = self._metrics.stats
        self._stats = StatsRoutes(self._source, side.presence)
        self._events = EventRoutes(EventLog(postgres), self._tell, self._note)
        self._broadcast = Broadcast([self._snapshots, self._events.news], settings.api.streams)

    def application(self) -> ASGIApp:
        """Return the application."""
        site = Path(str(resources("streampoll.api") / "static"))
        metrics = metrics_paths(MetricsRoutes(self._metrics.fleet, self._metrics.device), self._gate)
        raw = [stream_route(self._broadcast, self._gate), *metrics]
        return application(Served(self.settings.api, self._gate, self._routes(), raw, site, self._counts))

    def _routes(self) -> list[Route]:
        settings, side = self.settings, self._side
        shards = settings.shards.count
        queues = Queues(side.streams, side.presence, side.clock.now, shards, settings.worker.dead_after_s)
        profiles = load_profiles(self._files.where, settings)
        series = SeriesRoutes(self._directory, self._archive, counters_by_profile(profiles))
        devices = Devices(self._directory, self._archive, shards, self._describe, look_by_profile(profiles))
        letters = LetterRoutes(Letters(side.scripts, side.keys, shards), self._note)
        return [
            *HealthRoutes(self._source, self._archive.reachable).routes(),
            *queues.routes(),
            *self._stats.routes(),
            *series.routes(),
            *RateRoutes(self._directory, self._archive).routes(),
            *devices.routes(),
            *Fleet(self._directory, self._archive).routes(),
            *Jobs(self._job_ports()).routes(),
            *letters.routes(),
            *self._events.routes(),
            *self._workflow_routes(),
            *ActionRoutes(self._control).routes(),
        ]

    def _workflow_routes(self) -> list[Route]:
        workflows = load_workflows(self._files.where, self.settings)
        starter = Starter(self._side.streams, self.settings.shards.count, workflows)
        return WorkflowRoutes(workflows, KeptRuns(self._postgres), starter, self._note).routes()

    def _job_ports(self) -> JobPorts:
        decisions = Decisions(self._control, self._side.presence)
        return JobPorts(
            self._directory, self._source, self._side.presence.pauses, decisions, self._archive, self._unfinished,
            self._run,
        )  # fmt: skip

    def background(self, beat: Callable[[], None]) -> "list[tuple[str, asyncio._CoroutineLike[None]]]":
        """Return what runs beside the server."""
        return [
            ("beat", _beat(beat)),
            ("stream", self._broadcast.run(time.time)),
            ("tokens", self._read_tokens_for_ever()),
            ("counts", Telling(self._side.totals, new_worker_id(), counted_by("api", [self._counts])).run()),
            ("watch", self._watch()),
        ]

    def stop(self, server: Server) -> None:
        """Let listeners go, and stop."""
        self._broadcast.end()
        server.stop()

    # -- tokens

    async def check_tokens(self) -> None:
        """Read the tokens.

        Raises:
            ConfigError: others are to be served, and there is no token that they could have.
        """
        await self._read_tokens()
        host = self.settings.api.host
        if not is_loopback(host) and self._gate.open_to_nobody_else:
            fault = f"{host} is not of this host alone, and there is no token"
            raise ConfigError([Fault("api.host", fault, "make one: `streampoll token create --role operator`")])

    async def _read_tokens(self) -> None:
        try:
            self._gate.know(await self._control.tokens())
        except UnavailableError as error:
            log.debug("tokens: %s", error)

    async def _read_tokens_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_TOKENS_S)
            await self._read_tokens()

    # -- what routes ask

    async def _snapshots(self) -> list[tuple[str, bytes]]:
        return [("stats", msgspec.json.encode(await self._stats.snapshot()))]

    async def _unfinished(self) -> Mapping[tuple[str, int], int]:
        return await unfinished(self._side.streams, self.settings.shards.count)

    async def _run(self, jobs: Sequence[Job], devices: Sequence[Device], by: str) -> tuple[int, int]:
        """Poll devices now, and take note of it."""
        decisions = Decisions(self._control, self._side.presence)
        desk = ControlDesk(self.settings, jobs, self._control, decisions, self._side)
        added, asked = await desk.run(jobs, devices)
        few = len(devices) <= _NAMED
        target = ", ".join(each.name for each in devices) if few else "jobs " + ", ".join(each.name for each in jobs)
        if added:
            await self._note(by, "run", target, f"{added} polls")
        return added, asked

    async def _tell(self, event: Event) -> None:
        """Tell notifications that an event was acknowledged, in its device's shard; it is so anyway."""
        device = (await self._directory.inventory()).find(event.device)
        shard = shard_of(device.address if device else event.device, self.settings.shards.count)
        try:
            await announce_acknowledged(self._side.streams, shard, event, time.time())
        except UnavailableError as error:
            log.warning("event %d is acknowledged, and notifications are not told: %s", event.id, error,
                        extra=about(device=event.device, shard=shard))  # fmt: skip

    async def _note(self, by: str, action: str, target: str, detail: str = "") -> None:
        """Take note of an action; that it can't be written does not undo it."""
        log.info("%s: %s %s %s", by, action, target, detail)
        try:
            await self._control.note(by, action, target, detail)
        except UnavailableError as error:
            log.warning("the action is in no record: %s", error)

    def _inventory(self) -> Inventory:
        """Read devices and jobs."""
        with collection_paused():
            return Inventory.of(load_inventory(self._files.where, self.settings), load_jobs(self._files.where))

    async def _describe(self, device: Device, jobs: Sequence[Job]) -> DeviceReport:
        """Return what configuration and Redis know of a device."""
        files, settings = self._files, self.settings
        credentials = await asyncio.to_thread(load_credentials, files.where, settings, files.environ)
        report = describe(device, jobs, credentials, settings.shards.count, int(time.time()))
        try:
            record = await self._side.devices.find(report.shard, device.name)
        except UnavailableError as error:
            return replace(report, troubles=[str(error)])
        return replace(report, learned=learned_of(record))

    async def _watch(self) -> None:
        """Take note of changes to the files of jobs and devices."""
        base = source_directory(self._files.where)
        async for _ in changes(base, (FILE, *self.settings.paths.inventory)):
            self._directory.changed()


async def _beat(beat: Callable[[], None]) -> None:
    """Tell the parent that the loop lives."""
    while True:
        beat()
        await asyncio.sleep(_BEAT_S)
