"""Waiting for a condition with a deadline: what tests do instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
POLL_INTERVAL_S = 0.01


def eventually(condition: Callable[[], T], deadline_s: float = 10.0) -> T:
    """Return the condition's first true value; AssertionError once the deadline has passed."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"not true within {deadline_s:g} s: {_source(condition)}"
        time.sleep(POLL_INTERVAL_S)
    return value


async def eventually_async(condition: Callable[[], T | Awaitable[T]], deadline_s: float = 10.0) -> T:
    """Do as `eventually`, letting the loop run meanwhile; the condition may be a coroutine function."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < end, f"not true within {deadline_s:g} s: {_source(condition)}"
        await asyncio.sleep(POLL_INTERVAL_S)


def _source(condition: Callable[[], object]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)
