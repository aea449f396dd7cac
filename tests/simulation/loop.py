"""An event loop with its own clock, on which several processes live; which of them goes on is chosen.

Within a process callbacks keep their order, as on its own loop; between processes any order is possible. A process
that dies runs none of its callbacks any more; one that is frozen runs them when it thaws, however late they are.
Nothing waits for real: when nobody can go on, the clock moves to the next timer. It builds on `BaseEventLoop`, of which
it replaces `_run_once`: no selector, no threads.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any

from streampoll.coordinator.dispatch import Fenced
from streampoll.coordinator.line import WentBack
from streampoll.errors import StreampollError
from tests.simulation.choices import Choices


@dataclass(slots=True, eq=False)
class Process:
    """What dies, and freezes, as one."""

    name: str
    kind: str
    alive: bool = True
    frozen: bool = False
    silent_since: float = 0.0  # when it died or froze, seconds of the loop
    held_back: list[asyncio.Handle] = field(default_factory=list)
    quarantined: set[Any] = field(default_factory=set)  # what it runs in quarantine


NOBODY = Process("the world", "world")
_PROCESS: ContextVar[Process] = ContextVar("process", default=NOBODY)


class Stuck(Exception):  # noqa: N818 - a finding
    """A run took more steps than any sound one does."""


class SimLoop(asyncio.BaseEventLoop):
    """Runs processes in a chosen order, on a clock of its own."""

    def __init__(self, choices: Choices, most_steps: int = 400_000) -> None:
        super().__init__()
        self._now = 0.0
        self._choices = choices
        self._steps_left = most_steps
        self._ending = False
        self._finding: BaseException | None = None
        self._tasks: list[asyncio.Task[Any]] = []  # those of the dead too: nothing ends by being forgotten
        self.set_task_factory(self._make_task)

    def _make_task(self, loop: asyncio.AbstractEventLoop, code: Any, **options: Any) -> "asyncio.Task[Any]":
        task = asyncio.Task(code, loop=loop, **options)
        task.add_done_callback(self._look_at)
        self._tasks.append(task)
        return task

    def _look_at(self, task: "asyncio.Task[Any]") -> None:
        """What ends a task, and is not foreseen, is a finding."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, StreampollError | BaseExceptionGroup | Fenced | WentBack):
            self.found(error)

    def time(self) -> float:
        """Seconds since the run began."""
        return self._now

    def spawn(self, process: Process, code: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start a task that belongs to a process, as all it starts will."""
        context = copy_context()
        context.run(_PROCESS.set, process)
        return self.create_task(code, context=context)

    def kill(self, process: Process) -> None:
        """End a process where it stands (SIGKILL)."""
        process.alive = False
        process.silent_since = self._now
        process.held_back.clear()

    def freeze(self, process: Process, seconds: float) -> None:
        """Stop a process for a while (SIGSTOP, SIGCONT)."""
        process.frozen = True
        process.silent_since = self._now
        context = copy_context()
        context.run(_PROCESS.set, NOBODY)
        self.call_later(seconds, self._thaw, process, context=context)

    def _thaw(self, process: Process) -> None:
        process.frozen = False
        self._ready.extend(process.held_back)  # type: ignore[attr-defined]
        process.held_back.clear()

    def found(self, finding: BaseException) -> None:
        """End the run with a finding."""
        if not self._ending:
            self._finding = self._finding or finding

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An error that nobody looked at is a finding too."""
        if "exception" in context:
            self.found(context["exception"])

    def end(self) -> None:
        """Cancel what is left, also of the dead, and close."""
        self._ending, self._finding = True, None
        self._steps_left = 1_000_000
        for _ in range(20):  # a cancelled attempt may still have something to settle
            for task in asyncio.all_tasks(self):
                task.cancel()
            with suppress(RuntimeError):  # stopped by what is left of the run that ended with a finding
                self.run_until_complete(self.create_task(asyncio.sleep(1.0)))
        self.close()

    def _run_once(self) -> None:
        """Run one callback of a chosen process; with none, move the clock."""
        if self._finding is not None:
            raise self._finding
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0].when() <= self._now:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            ready.append(timer)
        if ready:
            self._run_one_of(ready)
        elif scheduled:
            self._now = scheduled[0].when()
        else:
            raise Stuck("everything waits for something that will not come")

    def _run_one_of(self, ready: Any) -> None:
        firsts: dict[Process, int] = {}  # process -> place of its first callback
        for place, handle in enumerate(ready):
            firsts.setdefault(handle._context.get(_PROCESS, NOBODY), place)
        places = list(firsts.values())
        place = places[self._choices.below("order", len(places))] if len(places) > 1 else 0
        handle = ready[place]
        del ready[place]
        process = handle._context.get(_PROCESS, NOBODY)
        if handle.cancelled() or not (process.alive or self._ending):
            return
        if process.frozen and not self._ending:
            process.held_back.append(handle)
            return
        self._steps_left -= 1
        if self._steps_left < 0:
            raise Stuck("too many steps, and no end")
        handle._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when they are due."""

    def _process_events(self, event_list: Any) -> None:
        """There is no selector."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """Run it at once: there are no threads."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def current_process() -> Process:
    """Return the process whose code is running."""
    return _PROCESS.get()
