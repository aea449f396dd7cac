"""Runs one call where its task says, within the task's own limits. Whatever happens is a value.

The class's limits hold besides: past its soft limit the consume loop cancels the attempt, past its hard limit a blocked
loop costs the process.
"""

import asyncio
import contextvars
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from streampoll.logs import about
from streampoll.pollers.threads import AllBusy, Threads
from streampoll.tasks.failure import failure_of
from streampoll.tasks.port import Call, Failure, RetryLater, RunIn, Task
from streampoll.tasks.processes import Processes

log = logging.getLogger(__name__)


@dataclass(slots=True)  # one is made for every task run: frozen, that takes four times as long
class Ran:
    """How an attempt went."""

    value: Any = None
    failure: Failure | None = None
    later_s: float | None = None  # it asks to be tried later
    again: bool = True  # False: no retry may mend it, or none may run beside what still goes on
    counted: bool = True  # False: the attempt does not count as a failed one


class Runner:
    """Runs calls."""

    def __init__(self, threads: Threads, processes: Processes) -> None:
        self._threads = threads
        self._processes = processes
        self._stray: set[asyncio.Task[Any]] = set()  # cancelled, and not ended

    @property
    def stuck_s(self) -> float:
        """For how long a thread has gone on that was given up."""
        return self._threads.stuck_s

    async def run(self, task: Task[Any, Any], call: Call) -> Ran:
        """Run a call; only a cancellation from outside is raised."""
        try:
            match task.options.run_in:
                case RunIn.LOOP:
                    return await self._in_loop(task, call)
                case RunIn.THREAD:
                    return await self._in_thread(task, call)
            options = task.options
            return _ran(await self._processes.run(call, options.soft_limit_s, options.hard_limit_s))
        except RetryLater as later:
            return Ran(failure=failure_of(later), later_s=later.delay_s, counted=later.counted)
        except Exception as error:  # noqa: BLE001 - somebody else's code
            return Ran(failure=failure_of(error))
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:  # would end the process
            return Ran(failure=failure_of(error))

    async def close(self) -> None:
        """Cancel what does not end, and end the children; threads are left to themselves."""
        for task in self._stray:
            task.cancel()
        await self._processes.close()

    # -- in the loop

    async def _in_loop(self, task: Task[Any, Any], call: Call) -> Ran:
        soft_s, hard_s = task.options.soft_limit_s, task.options.hard_limit_s
        if hard_s:
            return await self._given_up_after(hard_s, self._cancelled_after(soft_s, task, call))
        if soft_s:
            return await self._cancelled_after(soft_s, task, call)
        return Ran(await task.function(*call.args, **call.kwargs))

    async def _cancelled_after(self, soft_s: float, task: Task[Any, Any], call: Call) -> Ran:
        try:
            async with asyncio.timeout(soft_s or None) as limit:
                return Ran(await task.function(*call.args, **call.kwargs))
        except TimeoutError as error:
            if not limit.expired():
                return Ran(failure=failure_of(error))
            return Ran(failure=Failure("SoftLimit", f"soft limit of {soft_s:g} s"))

    async def _given_up_after(self, hard_s: float, run: Any) -> Ran:
        """Wait so long and no longer: a coroutine may ignore its cancellation."""
        running = asyncio.ensure_future(run)
        try:
            await asyncio.wait([running], timeout=hard_s)
        finally:
            if not running.done():
                running.cancel()
                self._stray.add(running)
                running.add_done_callback(self._gone)
        if running.done():
            ran: Ran = running.result()
            return ran
        return Ran(failure=Failure("HardLimit", f"hard limit of {hard_s:g} s: it does not end"), again=False)

    def _gone(self, running: "asyncio.Task[Any]") -> None:
        self._stray.discard(running)
        if not running.cancelled():
            running.exception()  # seen

    # -- in threads

    async def _in_thread(self, task: Task[Any, Any], call: Call) -> Ran:
        """Run it in a thread. Past its soft limit that is logged: a thread can't be interrupted."""
        hard_s, loop = task.options.hard_limit_s, asyncio.get_running_loop()
        run: Callable[[], Any] = partial(contextvars.copy_context().run, task.function, *call.args, **call.kwargs)
        soft_s = task.options.soft_limit_s
        late = loop.call_later(soft_s, _log_late, call, soft_s) if soft_s else None
        try:
            return Ran(await self._threads.run(run, loop.time() + (hard_s or 1e9)))
        except AllBusy as error:
            return Ran(failure=failure_of(error), later_s=1.0, counted=False)
        except TimeoutError as error:
            if error.args or not hard_s:
                return Ran(failure=failure_of(error))
            text = f"hard limit of {hard_s:g} s: its thread can't be ended, so the process is replaced"
            return Ran(failure=Failure("HardLimit", text), again=False)
        finally:
            if late is not None:
                late.cancel()


def _ran(said: Any) -> Ran:
    return Ran(failure=said) if isinstance(said, Failure) else Ran(said)


def _log_late(call: Call, soft_s: float) -> None:
    log.warning("task %s: %s has run in its thread past its soft limit of %g s", call.name, call.id, soft_s,
                extra=about(f"task:{call.name}"))  # fmt: skip
