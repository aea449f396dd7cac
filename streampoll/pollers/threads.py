"""Threads for what blocks: so many and no more, and one that does not come back keeps its place until it does.

A thread can't be ended from outside. So a call that is given up goes on in its thread; when all threads are taken, the
next caller waits for one until its own deadline. They are daemons: nothing waits for them when the process ends.
"""

import asyncio
import threading
from collections.abc import Callable
from itertools import count
from typing import TypeVar

T = TypeVar("T")


class AllBusy(Exception):  # noqa: N818 - reads as the state it is
    """No thread became free in time."""


class Threads:
    """Runs calls in threads; for one event loop."""

    def __init__(self, most: int, name: str) -> None:
        self._free = asyncio.Semaphore(most)
        self._most = most
        self._name = name
        self._numbers = count()
        self._given_up: dict[int, float] = {}  # call -> the loop's time when nobody waited for it any more

    @property
    def stuck_s(self) -> float:
        """For how long the longest has run that nobody waits for any more; 0.0 if there is none."""
        loop = asyncio.get_running_loop()
        return loop.time() - min(self._given_up.values()) if self._given_up else 0.0

    async def run(self, call: Callable[[], T], deadline: float) -> T:
        """Return what a call returns, or raise what it raises.

        Raises:
            TimeoutError: it has not come back by `deadline` (the loop's time).
            AllBusy: it was not even begun.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self._free.acquire()
        except TimeoutError:
            raise AllBusy(f"all {self._most} threads are busy") from None
        loop, number = asyncio.get_running_loop(), next(self._numbers)
        done: asyncio.Future[T] = loop.create_future()
        done.add_done_callback(lambda _: self._ended(number))
        thread = threading.Thread(target=_run, args=(call, loop, done), name=f"{self._name} {number}", daemon=True)
        thread.start()
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(done)
        finally:
            if not done.done():
                self._given_up[number] = loop.time()
            elif not done.cancelled():
                done.exception()  # seen

    def _ended(self, number: int) -> None:
        self._given_up.pop(number, None)
        self._free.release()


def _run(call: Callable[[], T], loop: asyncio.AbstractEventLoop, done: "asyncio.Future[T]") -> None:
    """Run the call, in its thread, and hand the loop what came of it; a loop that is gone does not mind."""
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised again, in the loop
        failure = error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
        _tell(loop, lambda: done.set_exception(failure))
    else:
        _tell(loop, lambda: done.set_result(result))


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(what)
    except RuntimeError:  # closed: the process is ending
        return
