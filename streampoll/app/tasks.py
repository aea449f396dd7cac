"""Users' tasks in a worker process, put together: what runs them, stores their ends and watches over them."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from streampoll.app.redis_side import RedisSide
from streampoll.app.task_client import inside, make_client, read_results
from streampoll.config.load import source_directory
from streampoll.config.settings import PoolSettings, Settings
from streampoll.errors import UnavailableError
from streampoll.model import QueueClass
from streampoll.pollers.threads import Threads
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres
from streampoll.shards.cancels import Cancels
from streampoll.shards.entries import Kind
from streampoll.shards.registered import Registered
from streampoll.tasks.client import TaskClient
from streampoll.tasks.handler import TaskHandler, TaskPorts
from streampoll.tasks.join import join_task
from streampoll.tasks.port import JOIN, Tasks
from streampoll.tasks.processes import Processes
from streampoll.tasks.runner import Runner
from streampoll.tasks.store import TaskStore
from streampoll.worker.port import Handler
from streampoll.worker.route import ByKind

log = logging.getLogger(__name__)

_LOOK_S = 1.0  # between two looks for cancelled tasks and blocked threads
_STUCK_S = 3.0  # a thread that was given up so long ago costs its process


def classes_of(pool: PoolSettings, tasks: Tasks) -> tuple[QueueClass, ...]:
    """Return the classes that a pool's processes serve: `urgent` too, if it serves tasks."""
    serves = any(task.options.queue in pool.queues for task in tasks.values())
    return (*pool.queues, QueueClass.URGENT) if serves else tuple(pool.queues)


@dataclass(frozen=True, slots=True)
class TaskSide:
    """What of a worker process runs tasks and stores their ends."""

    tasks: Tasks
    handler: TaskHandler
    runner: Runner
    store: TaskStore
    cancels: Cancels
    registered: Registered
    client: TaskClient  # for the class workflows

    def routed(self, queue: QueueClass, own: Handler) -> Handler:
        """Return a class's handler with tasks, or their ends, beside its own work."""
        if queue is QueueClass.RESULTS:
            return ByKind(own, {Kind.DONE: self.store})
        return own if own is self.handler else ByKind(own, {Kind.TASK: self.handler})

    def figures(self) -> dict[str, Any]:
        """What the process publishes: how many tasks ended how."""
        if not self.tasks:
            return {}
        counts = self.handler.counts
        return {"task_ends": dict(counts.by_state), "task_retries": counts.retried}

    async def watch(self, stop: Callable[[], None]) -> None:
        """Tell which tasks are run here, end what is cancelled, have a process replaced whose thread hangs."""
        classes = {name: task.options.queue.value for name, task in self.tasks.items()}
        while self.tasks:
            try:
                await self.registered.publish(classes)
                self.handler.cancel(await self.cancels.read())
            except UnavailableError as error:
                log.debug("tasks that are cancelled are not known: %s", error)
            if self.runner.stuck_s > _STUCK_S:
                log.error("a task has blocked its thread past its hard limit: this process drains and ends")
                stop()
                return
            await asyncio.sleep(_LOOK_S)


def task_side(settings: Settings, where: Path, tasks: Tasks, side: RedisSide, own_id: str) -> TaskSide:
    """Make a worker process's side of tasks, and the client that they send others with."""
    own = settings.tasks
    postgres = Postgres(settings.postgres, 1, prepare=migrate)
    read = partial(read_results, postgres)
    processes = Processes(own.processes, own.modules, source_directory(where).absolute(), where.absolute())
    runner = Runner(Threads(own.threads, "task"), processes)
    known = {**tasks, JOIN: join_task(read, side.clock.now)}
    handler = TaskHandler(TaskPorts(known, runner, side.clock.now, own_id, own.max_bytes))
    client = make_client(settings, side, read, tasks)
    inside.set((client, asyncio.get_running_loop()))
    return TaskSide(
        tasks,
        handler,
        runner,
        TaskStore(postgres, side.clock.now, own.kept_days),
        Cancels(side.topology, side.keys, side.clock),
        Registered(side.topology, side.keys, side.clock),
        client,
    )
