"""The API's process, put together."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.resources import files as resources
from pathlib import Path

import msgspec
from starlette.types import ASGIApp

from streampoll.api.application import Served, application
from streampoll.api.auth import Gate
from streampoll.api.broadcast import Broadcast
from streampoll.api.devices import Devices
from streampoll.api.directory import Directory, Inventory
from streampoll.api.fleet import Fleet
from streampoll.api.health import HealthRoutes
from streampoll.api.queues import Queues
from streampoll.api.route import Route
from streampoll.api.server import PortTakenError, Server, listen
from streampoll.api.stats import StatsRoutes
from streampoll.api.stream import stream_route
from streampoll.app.files import Files
from streampoll.app.loop import run_loop, stop_signal, when
from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.config.bulk import collection_paused
from streampoll.config.jobs import Job
from streampoll.config.load import (
    FILE,
    load_credentials,
    load_inventory,
    load_jobs,
    load_profiles,
    source_directory,
)
from streampoll.config.settings import Settings
from streampoll.config.watch import changes
from streampoll.model import Device
from streampoll.observe.device import DeviceReport, describe, learned_of
from streampoll.observe.looks import look_by_profile
from streampoll.observe.snapshot import Known, RedisStats
from streampoll.results.archive import Archive
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres
from streampoll.worker.child import ChildContext

log = logging.getLogger(__name__)

_CONNECTIONS = 4
_BEAT_S = 1.0
_AGAIN_S = 0.5  # until a port that is taken is tried again


def run(context: ChildContext, files: Files, settings: Settings, patient: bool) -> int:
    """Run the API's process; `patient`: a port that is taken is waited for."""
    return run_loop(_serve(context, files, settings, patient))


async def _serve(context: ChildContext, files: Files, settings: Settings, patient: bool) -> int:
    stopped = stop_signal()
    async with AsyncExitStack() as stack:
        side = await stack.enter_async_context(open_redis(settings))
        archive = Archive(Postgres(settings.postgres, _CONNECTIONS, prepare=migrate))
        stack.push_async_callback(archive.close)
        build = _ApiBuild(files, settings, side, archive)
        server = await _listening(build, context, stopped, patient)
        if server is None:
            return 0
        log.info("API and dashboard: %s", settings.api.url)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(task, name=name) for name, task in build.background(context)]
            beside.append(group.create_task(when(stopped, lambda: build.stop(server)), name="stop"))
            await server.serve()
            for task in beside:
                task.cancel()
    return 0


async def _listening(build: "_ApiBuild", context: ChildContext, stopped: asyncio.Event, patient: bool) -> Server | None:
    """Return the server once the port is free; None if told to stop before."""
    settings, said = build.settings.api, False
    while not stopped.is_set():
        try:
            listening = listen(settings.host, settings.port)
        except PortTakenError as error:
            if not patient:
                raise
            if not said and context.serial == 1:
                log.warning("%s; the API is served once it is free", error)
            said = True
        else:
            return Server(build.application(), listening, settings.connections)
        context.beat.touch()
        await asyncio.sleep(_AGAIN_S)
    return None


class _ApiBuild:
    """Builds one API process."""

    def __init__(self, files: Files, settings: Settings, side: RedisSide, archive: Archive) -> None:
        self.settings = settings
        self._files = files
        self._side = side
        self._archive = archive
        self._gate = Gate(settings.api.trust_loopback, time.time)
        self._directory = Directory(self._inventory)
        coordinator, jobs = settings.coordinator, load_jobs(files.where)
        known = Known(settings.shards.count, settings.worker.dead_after_s, jobs, coordinator.results_high_water)
        self._source = RedisStats(side.streams, side.presence, side.clock.now, known)
        self._stats = StatsRoutes(self._source, side.presence)
        self._broadcast = Broadcast([self._news], settings.api.streams)

    def application(self) -> ASGIApp:
        """Return the application."""
        site = Path(str(resources("streampoll.api") / "static"))
        stream = stream_route(self._broadcast, self._gate)
        return application(Served(self.settings.api, self._gate, self._routes(), [stream], site))

    def _routes(self) -> list[Route]:
        settings, side = self.settings, self._side
        queues = Queues(
            side.streams, side.presence, side.clock.now, settings.shards.count, settings.worker.dead_after_s
        )
        look = look_by_profile(load_profiles(self._files.where, settings))
        devices = Devices(self._directory, self._archive, settings.shards.count, self._describe, look)
        health = HealthRoutes(self._source, self._archive.reachable)
        fleet = Fleet(self._directory, self._archive)
        return [*health.routes(), *queues.routes(), *self._stats.routes(), *fleet.routes(), *devices.routes()]

    def background(self, context: ChildContext) -> "list[tuple[str, asyncio._CoroutineLike[None]]]":
        """Return what runs beside the server."""
        return [
            ("beat", _beat(context)),
            ("stream", self._broadcast.run(time.time)),
            ("watch", self._watch()),
        ]

    def stop(self, server: Server) -> None:
        """Let listeners go, and stop."""
        self._broadcast.end()
        server.stop()

    async def _news(self) -> list[tuple[str, bytes]]:
        return [("stats", msgspec.json.encode(await self._stats.snapshot()))]

    def _inventory(self) -> Inventory:
        """Read devices and jobs."""
        with collection_paused():
            return Inventory.of(load_inventory(self._files.where, self.settings), load_jobs(self._files.where))

    async def _describe(self, device: Device, jobs: Sequence[Job]) -> DeviceReport:
        """Return what configuration and Redis know of a device."""
        files, settings = self._files, self.settings
        credentials = await asyncio.to_thread(load_credentials, files.where, settings, files.environ)
        report = describe(device, jobs, credentials, settings.shards.count, int(time.time()))
        record = await self._side.devices.find(report.shard, device.name)
        return replace(report, learned=learned_of(record))

    async def _watch(self) -> None:
        """Take note of changes to the files of jobs and devices."""
        base = source_directory(self._files.where)
        async for _ in changes(base, (FILE, *self.settings.paths.inventory)):
            self._directory.changed()


async def _beat(context: ChildContext) -> None:
    """Tell the parent that the loop lives."""
    while True:
        context.beat.touch()
        await asyncio.sleep(_BEAT_S)
