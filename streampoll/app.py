"""The wiring: the only place that builds concrete objects and hands them to services.

Nothing here is built before the fork: a role carries plain settings, and its child builds loop, clients and sockets.
"""

import asyncio
import logging
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from streampoll.config.bulk import collection_paused
from streampoll.config.credentials import Credentials
from streampoll.config.load import (
    FILE,
    load,
    load_credentials,
    load_jobs,
    load_profiles,
    source_directory,
)
from streampoll.config.profile_port import PollPlan
from streampoll.config.rotation import follow_credentials
from streampoll.config.settings import PoolSettings, QueueSettings, Settings
from streampoll.config.watch import changes
from streampoll.coordinator.dispatch import Coordinator, Ports
from streampoll.coordinator.layout import lay_out
from streampoll.coordinator.plan import Plan
from streampoll.custom.plan import CustomPlan
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import ConfigError, StreampollError, UnavailableError
from streampoll.model import QueueClass
from streampoll.observe.snapshot import Known, RedisStats
from streampoll.pollers.custom import CustomPoller
from streampoll.pollers.handler import Poll, PollHandler, PollPorts
from streampoll.pollers.protocols import make_router
from streampoll.pollers.remember import Remembering
from streampoll.pollers.router import Router
from streampoll.results.codec import encode_payload
from streampoll.results.migrations import migrate
from streampoll.results.plans import PostgresPlans
from streampoll.results.postgres import Postgres, connected
from streampoll.results.store import Store
from streampoll.shards.clock import Clock
from streampoll.shards.devices import DeviceRecords
from streampoll.shards.keys import Keys
from streampoll.shards.lease import LeaderLease
from streampoll.shards.open import open_topology
from streampoll.shards.presence import Presence, new_worker_id
from streampoll.shards.scripts import Scripts
from streampoll.shards.server import settle
from streampoll.shards.streams import RedisStreams
from streampoll.worker.attempt import Surroundings
from streampoll.worker.beat import Beat
from streampoll.worker.child import ChildContext
from streampoll.worker.consume import BLOCK_MS, Consumer
from streampoll.worker.crew import Role
from streampoll.worker.membership import Membership
from streampoll.worker.policy import Rules
from streampoll.worker.port import Handler, Limits
from streampoll.worker.process import Background, ProcessParts, WorkerProcess
from streampoll.worker.refuse import RefuseHandler
from streampoll.worker.slots import Slots

if TYPE_CHECKING:
    from streampoll.capacity.live import Look

log = logging.getLogger(__name__)

_READ_MARGIN_S = 3.0  # a blocked read may answer this much late before its connection is given up
_DRAIN_ORDER = (  # what makes work for others ends first
    QueueClass.POLLING, QueueClass.WORKFLOWS, QueueClass.ANALYSIS, QueueClass.NOTIFICATIONS, QueueClass.RESULTS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Files:
    """Where a configuration is read from, each time anew."""

    where: Path
    environ: Mapping[str, str]

    def plans(self, settings: Settings) -> list[Plan]:
        """Read the whole configuration, its parts checked against one another, and lay its jobs out.

        Raises:
            ConfigError: it can't be used.
        """
        with collection_paused():
            whole = load(self.where, self.environ)
            plans = list(lay_out(whole.jobs, whole.devices, settings.shards.count))
        for notice in whole.notices:
            log.warning("%s", notice)
        polled = sum(plan.devices for plan in plans)
        log.info("configuration: %d devices, %d jobs, each round %d polls", len(whole.devices), len(whole.jobs), polled)
        return plans


@dataclass(frozen=True, slots=True)
class RedisSide:
    """Everything of one process that talks to Redis."""

    keys: Keys
    scripts: Scripts
    clock: Clock
    streams: RedisStreams
    presence: Presence
    devices: DeviceRecords


@asynccontextmanager
async def open_redis(settings: Settings) -> AsyncIterator[RedisSide]:
    """Make this process's side of Redis; nothing is connected before its first use."""
    redis = settings.redis
    topology = open_topology(redis, BLOCK_MS / 1000 + _READ_MARGIN_S)
    keys, clock = Keys(redis.prefix), Clock()
    streams, presence = RedisStreams(topology, keys), Presence(topology, keys, clock)
    devices = DeviceRecords(topology, keys, clock.now)
    try:
        yield RedisSide(keys, Scripts(topology), clock, streams, presence, devices)
    finally:
        await topology.close()


# -- the worker


def worker_role(files: Files, settings: Settings, name: str, pool: PoolSettings) -> Role:
    """Return the role of a pool's processes."""
    rules = Rules(
        processes=pool.processes,
        start_timeout_s=settings.worker.start_timeout_s,
        drain_s=settings.worker.drain_s,
        hard_limit_s=max(settings.queues[queue].hard_limit_s for queue in pool.queues),
        max_tasks=pool.max_tasks,
        max_rss_mb=pool.max_rss_mb,
    )
    profiles = dict(load_profiles(files.where, settings))
    credentials = load_credentials(files.where, settings, files.environ)

    def run_child(context: ChildContext) -> int:
        router = make_router(settings, profiles, credentials)
        watches = (
            partial(_watch_profiles, files, settings, profiles),
            partial(_watch_credentials, files, settings, credentials),
        )
        return run_loop(_serve_worker(context, settings, name, pool, router, watches))

    return Role(f"worker-{name}" if name else "worker", run_child, rules)


async def _watch_profiles(files: Files, settings: Settings, profiles: dict[str, PollPlan]) -> None:
    """Take up changed profiles from the next poll on; wrong ones are refused, and the old ones stay."""
    async for names in changes(source_directory(files.where), (f"{settings.paths.profiles}/*.toml",)):
        try:
            fresh = load_profiles(files.where, settings)
        except ConfigError as error:
            log.error("changed profiles are refused, the old ones stay:\n%s", error)
            continue
        log.info("changed: %s", ", ".join(names))
        profiles.clear()
        profiles.update(fresh)


async def _watch_credentials(files: Files, settings: Settings, credentials: Credentials) -> None:
    """Take up changed credentials and secrets from the next poll on."""
    path = source_directory(files.where) / settings.paths.credentials
    await follow_credentials(path, partial(load_credentials, files.where, settings, files.environ), credentials)


async def _watch_threads(router: Router, hard_limit_s: float, stop: Callable[[], None]) -> None:
    """Have this process replaced when a custom poller has blocked a thread for as long as nothing may."""
    while hard_limit_s:
        await asyncio.sleep(1.0)
        poller = router.poller(CustomPlan)
        if isinstance(poller, CustomPoller) and poller.stuck_s > hard_limit_s:
            log.error("a custom poller has blocked a thread for %.0f s: this process drains and ends", poller.stuck_s)
            stop()
            return


async def _serve_worker(
    context: ChildContext,
    settings: Settings,
    name: str,
    pool: PoolSettings,
    router: Router,
    watches: Sequence[Background],
) -> int:
    stopped = _stop_signal()
    if not await _until_settled(settings, context.beat, stopped):
        return 0
    async with open_redis(settings) as side:
        build = _WorkerBuild(settings, pool, side, context.beat, new_worker_id())
        handlers = build.handlers(router)
        membership = build.membership()
        homes = partial(membership.homes, QueueClass.POLLING)
        remembering = Remembering(router.memory, side.devices, homes, settings.shards.count)
        parts = build.parts(name, context.index, handlers, membership, remembering)
        process = WorkerProcess(replace(parts, background=(*watches, remembering.run)))
        hard_limit_s = settings.queues[QueueClass.POLLING].hard_limit_s
        beside = [
            asyncio.create_task(_when(stopped, process.stop), name="stop"),
            asyncio.create_task(_watch_threads(router, hard_limit_s, process.stop), name="threads"),
        ]
        try:
            await process.run()
        finally:
            for task in beside:
                task.cancel()
        await remembering.write_last()
    return 0


@dataclass(frozen=True, slots=True)
class _WorkerBuild:
    """Builds one worker process."""

    settings: Settings
    pool: PoolSettings
    side: RedisSide
    beat: Beat
    id: str

    def handlers(self, router: Router) -> dict[QueueClass, Handler]:
        """Make the handler of each class that the pool serves."""
        return {queue: self._handler(queue, router) for queue in _DRAIN_ORDER if queue in self.pool.queues}

    def _handler(self, queue: QueueClass, router: Router) -> Handler:
        if queue is QueueClass.POLLING:
            return PollHandler(
                PollPorts(_hooked(router.poll), encode_payload, self.side.clock.now, self.id, router.close)
            )
        if queue is QueueClass.RESULTS:
            postgres = Postgres(self.settings.postgres, prepare=migrate)
            return Store(self.settings.postgres, self.side.clock.now, postgres)
        return RefuseHandler(queue)

    def membership(self) -> Membership:
        """Make the process's heartbeat and homes."""
        settings = self.settings
        return Membership(self.id, self.pool.queues, settings.shards.count, settings.worker, self.side.presence)

    def parts(
        self,
        name: str,
        index: int,
        handlers: Mapping[QueueClass, Handler],
        membership: Membership,
        remembering: Remembering,
    ) -> ProcessParts:
        """Put the process together around its handlers."""
        shared = {queue: self._queue(queue).weight for queue in self.pool.queues if not self._queue(queue).concurrency}
        around = Surroundings(
            self.id,
            self.side.streams,
            Slots(self.pool.concurrency, shared),
            lambda queue: remembering.homes() if queue is QueueClass.POLLING else membership.homes(queue),
            membership.known,
            self.beat.touch,
        )
        consumers = [Consumer(queue, handler, self._limits(queue), around) for queue, handler in handlers.items()]
        return ProcessParts(
            consumers, membership, self.beat, self.settings.worker.drain_s, index, name,
            lambda: _published(handlers),
        )  # fmt: skip

    def _queue(self, queue: QueueClass) -> QueueSettings:
        return self.settings.queues[queue]

    def _limits(self, queue: QueueClass) -> Limits:
        limits = self._queue(queue)
        prefetch = limits.concurrency or self.pool.prefetch
        return Limits(
            limits.concurrency, prefetch, limits.batch, limits.soft_limit_s, limits.hard_limit_s, limits.claim_idle_s
        )


def _hooked(poll: Poll) -> Poll:
    """Return the poll with the faults that a test asks for in it, by a variable that nothing but tests sets."""
    module, _, name = os.environ.get("STREAMPOLL_TEST_POLL_HOOK", "").partition(":")
    return getattr(import_module(module), name)(poll) if name else poll


def _published(handlers: Mapping[QueueClass, Handler]) -> dict[str, Any]:
    """What handlers add to the process's figures."""
    said: dict[str, Any] = {}
    for handler in handlers.values():
        if isinstance(handler, PollHandler):
            counts = handler.counts
            said["polls"] = {
                "by_status": counts.by_status, "requests": counts.requests, "varbinds": counts.varbinds,
            }  # fmt: skip
        elif isinstance(handler, Store):
            said["store"] = handler.figures.packable()
            said["store_away"] = handler.away
    return said


@asynccontextmanager
async def open_stats(where: Path) -> AsyncIterator[RedisStats]:
    """Make the source of `stats` for a configuration."""
    settings = read_settings(where, os.environ)
    coordinator, jobs = settings.coordinator, load_jobs(where)
    known = Known(settings.shards.count, settings.worker.dead_after_s, jobs, coordinator.results_high_water)
    async with open_redis(settings) as side:
        yield RedisStats(side.streams, side.presence, side.clock.now, known)


@asynccontextmanager
async def open_look(where: Path) -> AsyncIterator[Callable[[], Awaitable["Look"]]]:
    """Make what looks at a running fleet, for `capacity --measured`."""
    from streampoll.capacity.live import Look  # here, and the others too: workers load this module
    from streampoll.results.weight import weigh
    from streampoll.shards.usage import used

    settings = read_settings(where, os.environ)
    async with open_redis(settings) as side, connected(settings.postgres) as connection:

        async def look() -> Look:
            workers = [worker.id for worker in await side.presence.workers()]
            said = zip(workers, await side.presence.figures(workers), strict=True)
            leader = await side.presence.leader()
            leads = (await side.presence.figures([leader[0]]))[0] if leader else None
            published = {name: figures for name, figures in said if figures}
            return Look(time.monotonic(), published, leads or {}, await used(settings.redis), await weigh(connection))

        yield look


# -- the coordinator


def coordinator_role(files: Files, settings: Settings) -> Role:
    """Return the role of a coordinator."""

    def run_child(context: ChildContext) -> int:
        return run_loop(_serve_coordinator(context, files, settings))

    rules = Rules(start_timeout_s=settings.worker.start_timeout_s, drain_s=5.0, hard_limit_s=60.0)
    return Role("coordinator", run_child, rules)


async def _serve_coordinator(context: ChildContext, files: Files, settings: Settings) -> int:
    stopped = _stop_signal()
    plans = files.plans(settings)
    if not await _until_settled(settings, context.beat, stopped):
        return 0
    async with open_redis(settings) as side:
        own_id = new_worker_id()
        lease = LeaderLease(side.scripts, side.keys, own_id, settings.coordinator.lease_s, side.clock)
        store = PostgresPlans(Postgres(settings.postgres, 1, prepare=migrate))
        ports = Ports(
            side.streams, lease, store, side.clock.now, context.beat.touch, lambda: files.plans(settings),
            store, partial(_publish, side.presence, own_id),
        )  # fmt: skip
        coordinator = Coordinator(settings.coordinator, settings.shards.count, settings.redis.memory_high_water, ports)
        beside = [
            asyncio.create_task(_when(stopped, coordinator.stop), name="stop"),
            asyncio.create_task(_watch_plans(files, settings, coordinator.reload), name="watch"),
        ]
        try:
            await coordinator.run(plans)
        finally:
            for task in beside:
                task.cancel()
            await store.close()
    return 0


async def _publish(presence: Presence, own_id: str, figures: Mapping[str, Any]) -> None:
    """Publish what the coordinator says of jobs, with the CPU time of its process."""
    await presence.publish(own_id, {**figures, "cpu_s": time.process_time()})


async def _watch_plans(files: Files, settings: Settings, changed: Callable[[], None]) -> None:
    """Tell of changes to the files that jobs and devices are read from."""
    async for names in changes(source_directory(files.where), (FILE, *settings.paths.inventory)):
        log.info("changed: %s", ", ".join(names))
        changed()


# -- what both need


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run a process's coroutine on uvloop."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main)
    except BaseExceptionGroup as group:
        raise _cause_of(group) from group


def _cause_of(error: BaseException) -> BaseException:
    """Return what ended a task group: an error on purpose if there is one, else the first."""
    while isinstance(error, BaseExceptionGroup):
        ours = error.subgroup(StreampollError)
        error = (ours or error).exceptions[0]
    return error


def _stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM sets."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    return stopped


async def _when(event: asyncio.Event, then: Callable[[], None]) -> None:
    await event.wait()
    then()


async def _until_settled(settings: Settings, beat: Beat, stopped: asyncio.Event) -> bool:
    """Wait until Redis is there and fit to run on; False if told to stop before.

    Raises:
        UnfitServerError: it must not be used as it is.
    """
    delay_s, said = 0.2, ""
    while not stopped.is_set():
        try:
            await settle(settings.redis, settings.shards)
        except UnavailableError as error:
            if str(error) != said:
                said = str(error)
                log.warning("%s; trying again until it is there", said)
        else:
            return True
        finally:
            beat.touch()
        try:
            async with asyncio.timeout(delay_s * random.uniform(0.5, 1.0)):
                await stopped.wait()
        except TimeoutError:
            delay_s = min(2 * delay_s, 5.0)
    return False
