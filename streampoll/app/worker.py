"""A worker process, put together."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from streampoll.app.analysis import analysis_handler
from streampoll.app.counting import counted_by
from streampoll.app.files import Files
from streampoll.app.loop import run_loop, stop_signal, until_settled, when
from streampoll.app.notifications import NotificationFile
from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.app.rules import RuleFile
from streampoll.app.task_client import own_tasks
from streampoll.app.tasks import TaskSide, classes_of, task_side
from streampoll.app.tracing import Spans, Tracing
from streampoll.app.watches import watch_credentials, watch_profiles, watch_threads, watch_workflows
from streampoll.app.workflows import RunFiles, RunSide, run_side
from streampoll.config.credentials import Credentials
from streampoll.config.jobs import Job
from streampoll.config.load import (
    load_credentials,
    load_jobs,
    load_profiles,
    load_workflows,
)
from streampoll.config.profile_port import PollPlan
from streampoll.config.settings import PoolSettings, QueueSettings, Settings, enabled_outputs
from streampoll.logs import name_process
from streampoll.model import QueueClass
from streampoll.pollers.handler import Poll, PollHandler, PollPorts
from streampoll.pollers.protocols import make_router
from streampoll.pollers.remember import Remembering
from streampoll.pollers.router import Router
from streampoll.results.codec import encode_payload
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres
from streampoll.results.store import Store
from streampoll.shards.entries import Log
from streampoll.shards.presence import new_worker_id
from streampoll.shards.telling import Telling
from streampoll.worker.attempt import Surroundings
from streampoll.worker.beat import Beat
from streampoll.worker.child import ChildContext
from streampoll.worker.consume import Consumer
from streampoll.worker.crew import Role
from streampoll.worker.membership import Membership
from streampoll.worker.policy import Rules
from streampoll.worker.port import Handler, Limits
from streampoll.worker.process import Background, LoopLag, ProcessParts, WorkerProcess
from streampoll.worker.slots import Slots

if TYPE_CHECKING:
    from streampoll.app.outputs import Outputs

_DRAIN_ORDER = (  # what makes work for others ends first
    QueueClass.POLLING, QueueClass.WORKFLOWS, QueueClass.ANALYSIS, QueueClass.URGENT, QueueClass.NOTIFICATIONS,
    QueueClass.RESULTS,
)  # fmt: skip
_Watch = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]
"""Watches over a process, and is given what has it drain and end."""


def worker_role(files: Files, settings: Settings, name: str, pool: PoolSettings) -> Role:
    """Return the role of a pool's processes."""
    tasks = own_tasks(settings, files.where)
    pool = replace(pool, queues=classes_of(pool, tasks))
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
    notifications = NotificationFile(files, settings)
    jobs = {job.name: job for job in load_jobs(files.where)}
    workflows = dict(load_workflows(files.where, settings))
    judging, tracing = RuleFile(files, settings), Tracing()

    def run_child(context: ChildContext) -> int:
        router = make_router(settings, profiles, credentials)
        watches: tuple[Background, ...] = (
            partial(watch_profiles, files, settings, profiles),
            partial(watch_credentials, files, settings, credentials),
            notifications.watch,
            partial(watch_workflows, files, settings, workflows),
            *([judging.watch, judging.keep_windows] if QueueClass.ANALYSIS in pool.queues else []),
        )
        side = partial(task_side, settings, files.where, tasks)
        runs = RunFiles(files, settings, workflows, profiles)
        loaded = _Loaded(router, watches, side, profiles, credentials, notifications, runs, jobs, judging, tracing)
        return run_loop(_serve_worker(context, settings, name, pool, loaded))

    return Role(f"worker-{name}" if name else "worker", run_child, rules)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What a process was forked with."""

    router: Router
    watches: Sequence[Background]
    task_side: Callable[[RedisSide, str], TaskSide]
    profiles: Mapping[str, PollPlan]  # as files have them now, and so the credentials
    credentials: Credentials
    notifications: NotificationFile
    runs: RunFiles
    jobs: Mapping[str, Job]
    rules: RuleFile
    tracing: Tracing

    def outputs(
        self, settings: Settings, side: RedisSide, homes: Callable[[], Sequence[int]]
    ) -> "Sequence[Outputs]":  # fmt: skip
        """Make what feeds the outputs; nothing, not even its libraries, where there are none."""
        if not enabled_outputs(settings):
            return ()
        from streampoll.app.outputs import make_outputs

        return (make_outputs(settings, side, homes, self.profiles, self.credentials),)


async def _serve_worker(
    context: ChildContext, settings: Settings, name: str, pool: PoolSettings, loaded: _Loaded
) -> int:
    stopped = stop_signal()
    if not await until_settled(settings, context.beat, stopped):
        return 0
    async with open_redis(settings) as side:
        await _run(_put_together(context, settings, name, pool, loaded, side), stopped)
    return 0


@dataclass(frozen=True, slots=True)
class _Together:
    """A worker process whose parts know one another."""

    process: WorkerProcess
    watches: Mapping[str, _Watch]  # by name
    last: Sequence[Callable[[], Awaitable[None]]]  # what is to be told once it has drained
    spans: Spans


def _put_together(
    context: ChildContext, settings: Settings, name: str, pool: PoolSettings, loaded: _Loaded, side: RedisSide
) -> _Together:
    router, own_id = loaded.router, new_worker_id()
    name_process(own_id)
    tasks = loaded.task_side(side, own_id)
    runs = run_side(loaded.runs, side, router, tasks.client, own_id)
    spans = loaded.tracing.begin("worker", own_id, side.clock.now)
    build = _WorkerBuild(settings, pool, side, context.beat, own_id, tasks, loaded.notifications, runs, spans)
    membership = build.membership()
    handlers = build.handlers(router, loaded, membership)
    homes = partial(membership.homes, QueueClass.POLLING)
    remembering = Remembering(router.memory, side.devices, homes, settings.shards.count)
    parts = build.parts(name, context.index, handlers, membership, remembering)
    outputs = loaded.outputs(settings, side, partial(membership.homes, Log.OUTPUTS))
    counting = [*handlers.values(), *parts.consumers, *outputs, tasks.handler]
    telling = Telling(side.totals, build.id, counted_by(name, counting, router))
    beside_them = (
        *loaded.watches,
        remembering.run,
        telling.run,
        *((runs.watch,) if QueueClass.WORKFLOWS in pool.queues else ()),
        *(run for each in outputs for run in each.background()),
    )
    process = WorkerProcess(replace(parts, figures=_all(parts.figures, outputs), background=beside_them))
    hard_limit_s = settings.queues[QueueClass.POLLING].hard_limit_s
    watches: Mapping[str, _Watch] = {"threads": partial(watch_threads, router, hard_limit_s), "tasks": tasks.watch}
    return _Together(process, watches, (remembering.write_last, telling.tell), spans)


async def _run(together: _Together, stopped: asyncio.Event) -> None:
    """Run a process to the end of its drain."""
    process = together.process
    beside = [
        asyncio.create_task(when(stopped, process.stop), name="stop"),
        *(asyncio.create_task(watch(process.stop), name=name) for name, watch in together.watches.items()),
    ]
    try:
        await process.run()
    finally:
        for task in beside:
            task.cancel()
    for tell in together.last:
        await tell()
    together.spans.close()


@dataclass(frozen=True, slots=True)
class _WorkerBuild:
    """Builds one worker process."""

    settings: Settings
    pool: PoolSettings
    side: RedisSide
    beat: Beat
    id: str
    tasks: TaskSide
    notifications: NotificationFile
    runs: RunSide
    spans: Spans
    lag: LoopLag = field(default_factory=LoopLag)

    def handlers(self, router: Router, loaded: _Loaded, membership: Membership) -> dict[QueueClass, Handler]:
        """Make the handler of each class that the pool serves."""
        make = partial(self._handler, loaded=loaded, analysed=partial(membership.served, QueueClass.ANALYSIS))
        return {queue: make(queue, router) for queue in _DRAIN_ORDER if queue in self.pool.queues}

    def _handler(self, queue: QueueClass, router: Router, loaded: _Loaded, analysed: Callable[[], bool]) -> Handler:
        if queue is QueueClass.POLLING:
            return PollHandler(
                PollPorts(
                    _hooked(router.poll),
                    encode_payload,
                    self.side.clock.now,
                    self.id,
                    router.close,
                    self.settings.worker.outputs_kept if enabled_outputs(self.settings) else 0,
                    analysed if self.settings.analysis.enabled else lambda: False,
                    lambda: self.lag.seconds,
                    self.settings.log.device_lines,
                )
            )
        if queue is QueueClass.RESULTS:
            postgres = Postgres(self.settings.postgres, prepare=migrate)
            return Store(self.settings.postgres, self.side.clock.now, postgres)
        if queue is QueueClass.NOTIFICATIONS:
            return self.notifications.handler(self.side)
        if queue is QueueClass.WORKFLOWS:
            return self.runs.handler
        if queue is QueueClass.ANALYSIS:
            return analysis_handler(self.settings, self.side, loaded.profiles, loaded.jobs, loaded.rules.judge)
        return self.tasks.handler  # urgent: it has nothing but tasks

    def membership(self) -> Membership:
        """Make the process's heartbeat and homes."""
        settings, outputs = self.settings, self.pool.outputs and enabled_outputs(self.settings)
        serves: list[QueueClass | Log] = [*self.pool.queues, *([Log.OUTPUTS] if outputs else [])]
        return Membership(self.id, serves, settings.shards.count, settings.worker, self.side.presence)

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
        consumers = [
            Consumer(queue, self.spans.around(queue, self.tasks.routed(queue, handler)), self._limits(queue), around)
            for queue, handler in handlers.items()
        ]
        return ProcessParts(
            consumers, membership, self.beat, self.settings.worker.drain_s, index, name,
            lambda: _published(handlers) | self.tasks.figures(), lag=self.lag,
        )  # fmt: skip

    def _queue(self, queue: QueueClass) -> QueueSettings:
        return self.settings.queues[queue]

    def _limits(self, queue: QueueClass) -> Limits:
        limits = self._queue(queue)
        prefetch = limits.concurrency or self.pool.prefetch
        return Limits(
            limits.concurrency,
            prefetch,
            limits.batch,
            limits.soft_limit_s,
            limits.hard_limit_s,
            limits.claim_idle_s,
            limits.gather_s,
        )


def _all(figures: Callable[[], dict[str, Any]], outputs: "Sequence[Outputs]") -> Callable[[], dict[str, Any]]:
    """Return what publishes a process's figures with those of its outputs."""
    return lambda: {**figures(), **{name: said for each in outputs for name, said in each.published().items()}}


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
