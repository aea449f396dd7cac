"""The handler of tasks: an entry becomes a call, the call is run, and what came of it goes to the results stream.

    decode -> known here? -> expired, cancelled? -> run -> retry with back-off, or end: result, next step

The result and the next step of a chain are emitted by the script that finishes the entry, so a chain neither breaks nor
forks where a process dies.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from streampoll.errors import ConfigError, EntryError
from streampoll.logs import about
from streampoll.model import QueueClass, Status
from streampoll.shards.entries import Delivered, Kind
from streampoll.tally import Counted, by_label
from streampoll.tasks.message import JOB_PREFIX, decode_call, encode_call, encode_end, encode_value, next_attempt
from streampoll.tasks.port import Call, Failure, RunIn, State, Task, TaskResult, Tasks
from streampoll.tasks.runner import Ran, Runner
from streampoll.worker.port import Bury, Disposition, Emit, Finish, Retry
from streampoll.worker.unknown import not_known

log = logging.getLogger(__name__)

current_call: ContextVar[Call | None] = ContextVar("streampoll_call", default=None)
"""The call that runs here."""


@dataclass(frozen=True, slots=True)
class TaskPorts:
    """What the handler works with."""

    tasks: Tasks
    runner: Runner
    now: Callable[[], float]  # wall-clock seconds of Redis
    consumer: str
    max_bytes: int


@dataclass(slots=True)
class TaskCounts:
    """What has been run since the process started."""

    by_state: dict[str, int] = field(default_factory=dict)
    retried: int = 0


class TaskHandler:
    """Runs users' tasks, of whichever queue class."""

    def __init__(self, ports: TaskPorts) -> None:
        self._ports = ports
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._cancelled: frozenset[str] = frozenset()
        self.counts = TaskCounts()

    def counted(self) -> Counted:
        """Return what was run."""
        return {**by_label("tasks", self.counts.by_state), "tasks_retried": self.counts.retried}

    async def ready(self) -> None:
        """It needs nothing; what tasks need is their own business."""

    async def close(self) -> None:
        """End what runs them."""
        await self._ports.runner.close()

    def cancel(self, ids: frozenset[str]) -> None:
        """Take note of all tasks that are cancelled; those that run end now."""
        self._cancelled = ids
        for task_id in ids & self._running.keys():
            self._running[task_id].cancel()

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        """Run each task of the batch; a class that hands over several has them run side by side."""
        if len(batch) == 1:
            return [await self._serve(batch[0])]
        return await asyncio.gather(*map(self._serve, batch))

    async def _serve(self, delivered: Delivered) -> Disposition:
        entry = delivered.entry
        if entry is None or entry.kind != Kind.TASK:
            return not_known(delivered)
        try:
            call = decode_call(entry)
            task = self._ports.tasks[call.name]
        except (EntryError, KeyError) as error:
            why = str(error) if isinstance(error, EntryError) else "no task of this name here"
            cause = f"no worker here can run {entry.job[:140]!r}: {why}"
            return not_known(delivered, cause, partial(self.fail, delivered, Status.CONFIG))
        began = self._ports.now()
        if entry.expiry and began >= entry.expiry:
            return self._end(task, call, State.EXPIRED, Failure("Expired", f"{began - entry.expiry:.1f} s late"))
        if call.id in self._cancelled:
            return self._end(task, call, State.CANCELLED, Failure("Cancelled", "before it started"))
        ran = await self._run(task, call)
        return self._concluded(delivered, task, call, began, ran)

    async def _run(self, task: Task[Any, Any], call: Call) -> Ran:
        """Run it; None comes of one that was cancelled by name."""
        current = asyncio.current_task()
        assert current is not None
        current_call.set(call)
        self._running[call.id] = current
        try:
            return await self._ports.runner.run(task, call)
        except asyncio.CancelledError:
            if call.id not in self._cancelled:
                raise
            current.uncancel()
            return _CANCELLED
        finally:
            self._running.pop(call.id, None)

    def _concluded(self, delivered: Delivered, task: Task[Any, Any], call: Call, began: float, ran: Ran) -> Disposition:
        """Say what becomes of an entry whose attempt ran to its end."""
        if ran is _CANCELLED:
            return self._end(task, call, State.CANCELLED, ran.failure, began)
        if ran.failure is None:
            return self._done(task, call, began, ran.value)
        return self._failed(delivered, task, call, began, ran)

    def _done(self, task: Task[Any, Any], call: Call, began: float, value: Any) -> Disposition:
        keep = task.options.results or call.keep
        if not keep and not call.then:
            self._count(State.DONE)
            return _NOTHING_LEFT
        try:
            packed = encode_value(value, self._ports.max_bytes)
            emits = [self._next(call, value)] if call.then else []
        except ConfigError as error:
            return self._end(task, call, State.FAILED, Failure("BadResult", str(error)), began)
        self._count(State.DONE)
        if keep:
            emits.append(self._row(call, State.DONE, began, None, packed))
        return Finish(emits)

    def _next(self, call: Call, value: Any) -> Emit:
        """Make the entry of the step that follows."""
        step = call.then[0]
        after = replace(step.call, args=[value, *step.call.args], sent=self._ports.now(), then=call.then[1:])
        return Emit(step.queue, encode_call(after, 0, self._ports.max_bytes))

    def _failed(self, delivered: Delivered, task: Task[Any, Any], call: Call, began: float, ran: Ran) -> Disposition:
        retries = task.options.retries if call.retries is None else call.retries
        if ran.again and (call.attempt < retries or not ran.counted):
            assert delivered.entry is not None
            self.counts.retried += 1
            delay_s = self._back_off_s(task, call) if ran.later_s is None else ran.later_s
            entry = next_attempt(delivered.entry, call) if ran.counted else delivered.entry
            return Retry(entry, delay_s)
        return self._end(task, call, State.FAILED, ran.failure, began)

    def _back_off_s(self, task: Task[Any, Any], call: Call) -> float:
        """Return the wait before the next attempt: anything up to a bound that doubles (full jitter)."""
        options = task.options
        return random.uniform(0.0, min(options.back_off_most_s, options.back_off_s * 2 ** min(call.attempt, 30)))

    def _end(
        self, task: Task[Any, Any] | None, call: Call, state: State, failure: Failure | None, began: float = 0.0
    ) -> Finish:
        """End a task that did not end well; so do the steps that would have followed."""
        self._count(state)
        if failure and state is not State.CANCELLED:
            log.warning("task %s: %s %s: %s: %s", call.name, call.id, state.word, failure.type, failure.text,
                        extra=about(JOB_PREFIX + call.name))  # fmt: skip
        rows = [self._row(call, state, began, failure)]
        not_run = Failure("NotRun", f"{call.name} ({call.id}) {state.word} before it")
        rows += [self._row(step.call, state, 0.0, not_run) for step in call.then]
        return Finish(rows)

    def _row(self, call: Call, state: State, began: float, failure: Failure | None, value: bytes = b"") -> Emit:
        ports = self._ports
        attempts = call.attempt + 1 if began else call.attempt
        result = TaskResult(
            call.id, call.name, state, call.sent or ports.now(), began, ports.now(), attempts, ports.consumer,
            failure=failure,
        )  # fmt: skip
        return Emit(QueueClass.RESULTS, encode_end(result, value))

    def _count(self, state: State) -> None:
        self.counts.by_state[state.word] = self.counts.by_state.get(state.word, 0) + 1

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """End, or try again, a task whose attempt did not come to its end."""
        entry = delivered.entry
        if entry is None:
            return Bury(cause)
        try:
            call = decode_call(entry)
        except EntryError:
            return Bury(cause)
        task = self._ports.tasks.get(call.name)
        if status is Status.ERROR and task is not None:
            ran = Ran(failure=Failure("Limit", cause))
            ran.again = task.options.run_in is not RunIn.THREAD  # else it goes on, and must not run twice at a time
            return self._failed(delivered, task, call, self._ports.now(), ran)
        state = State.CRASHED if status is Status.CRASHED else State.FAILED
        return self._end(task, call, state, Failure(status.word.capitalize(), cause))


_NOTHING_LEFT = Finish()
_CANCELLED = Ran(failure=Failure("Cancelled", "while it ran"))
