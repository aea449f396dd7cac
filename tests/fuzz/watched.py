"""A loop on which an exception that nobody looks at is a finding: of a callback, of a task that is forgotten."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_watched(code: Coroutine[Any, Any, T], most_s: float = 20.0) -> T:
    """Run a coroutine to its end; raise what it raises, or what the loop was told of meanwhile."""
    found: list[dict[str, Any]] = []
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        loop.set_exception_handler(lambda _, context: found.append(context))
        result = runner.run(asyncio.wait_for(code, most_s))
    gc.collect(0)
    if found:
        raise AssertionError(f"the loop was told: {found[0].get('message')}") from found[0].get("exception")
    return result
