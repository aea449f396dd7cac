"""Child processes that run tasks: so many and no more, started when first needed, one task at a time each.

A task that runs past its hard limit, or is not wanted any more, gets its child killed, and nobody else is hurt; the
next task gets a new one.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from streampoll.tasks.child import LATER, SOFT
from streampoll.tasks.failure import bounded
from streampoll.tasks.frames import frame, receive
from streampoll.tasks.port import Call, Failure, RetryLater


class Processes:
    """The task children of one worker process; for one event loop."""

    def __init__(self, most: int, modules: Sequence[str], beside: Path, config: Path) -> None:
        self._free = asyncio.Semaphore(most)
        self._environ = {**os.environ, "STREAMPOLL_CONFIG": str(config)}  # for those that send tasks in their turn
        self._command = (sys.executable, "-m", "streampoll.tasks.child", str(beside), *modules)
        self._idle: list[Process] = []

    async def run(self, call: Call, soft_s: float, hard_s: float) -> Any:
        """Return what a task returns, or its `Failure`; limits of 0 are none.

        Raises:
            RetryLater: it asks for that.
        """
        async with self._free:
            child = self._idle.pop() if self._idle else await self._start()
            try:
                answer = await self._ask(child, call, soft_s, hard_s)
            except BaseException:
                await self._kill(child)
                raise
            if child.returncode is None:
                self._idle.append(child)
        return _read(answer) if isinstance(answer, list) else answer

    async def close(self) -> None:
        """End them all."""
        while self._idle:
            await self._kill(self._idle.pop())

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE, env=self._environ)

    async def _ask(self, child: Process, call: Call, soft_s: float, hard_s: float) -> list[Any] | Failure:
        """Have a child run a task; a failure if it died of it, or had to be killed."""
        soft = asyncio.get_running_loop().call_later(soft_s, _soft_limit, child) if soft_s else None
        try:
            async with asyncio.timeout(hard_s or None) as limit:
                return await _talk(child, call)
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            await self._kill(child, limit.expired())
            if limit.expired():
                return Failure("HardLimit", f"hard limit of {hard_s:g} s: its process was killed")
            return Failure("ProcessEnded", f"its process ended {_how(child.returncode or 0)}")
        finally:
            if soft is not None:
                soft.cancel()

    async def _kill(self, child: Process, now: bool = True) -> None:
        """Wait for a child's end; brought about `now`, unless its pipe says that it is ending."""
        with suppress(ProcessLookupError, TimeoutError):
            async with asyncio.timeout(0 if now else 1.0):
                await child.wait()
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()


async def _talk(child: Process, call: Call) -> list[Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(frame((call.name, call.args, call.kwargs)))
    await child.stdin.drain()
    answer: list[Any] = await receive(child.stdout)
    return answer


def _read(answer: list[Any]) -> Any:
    match answer:
        case [True, value]:
            return value
        case [False, str(kind), str(text), _] if kind == LATER:
            raise RetryLater(float(text))
        case [False, str(kind), str(text), str(story)]:
            return bounded(kind, text, story)
    return Failure("ProcessEnded", "its process answered something else")


def _how(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def _soft_limit(child: Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.send_signal(SOFT)
