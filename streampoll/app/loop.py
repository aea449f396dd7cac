"""A process's event loop: uvloop, the stop signal, and the wait for a Redis that is fit to run on."""

import asyncio
import logging
import random
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from streampoll.config.settings import Settings
from streampoll.errors import StreampollError, UnavailableError
from streampoll.shards.server import settle
from streampoll.worker.beat import Beat

log = logging.getLogger(__name__)


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


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM sets."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    return stopped


async def when(event: asyncio.Event, then: Callable[[], None]) -> None:
    await event.wait()
    then()


async def until_settled(settings: Settings, beat: Beat, stopped: asyncio.Event) -> bool:
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
