"""The built-in task that waits for other tasks and gives the list of their results: what a chord begins its end with.

It looks, and asks to be tried later as long as one is missing: no slot is held while it waits.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from streampoll.errors import UnavailableError
from streampoll.tasks.handler import current_call
from streampoll.tasks.port import JOIN, Options, RetryLater, State, Task, TaskResult

_LOOK_S: Final = (0.2, 15.0)  # between two looks: at first, at the most


class MemberFailed(Exception):  # noqa: N818 - reads as what it is
    """A task that was waited for did not end well."""


def join_task(
    read: Callable[[Sequence[str]], Awaitable[Mapping[str, TaskResult]]], now: Callable[[], float] = time.time
) -> Task[Any, Any]:
    """Make the task over what reads results."""

    async def join(ids: list[str]) -> list[Any]:
        later = RetryLater(_pause_s(now()), counted=False)
        try:
            found = await read(ids)
        except UnavailableError as error:
            raise later from error
        for result in found.values():
            if result.state is not State.DONE:
                raise MemberFailed(f"{result.name} ({result.id}) {result.state.word}")
        if len(found) < len(set(ids)):
            raise later
        return [found[task_id].value for task_id in ids]

    return Task(join, JOIN, Options())


def _pause_s(now: float) -> float:
    """Wait longer, the longer it has been."""
    call = current_call.get()
    least_s, most_s = _LOOK_S
    return min(most_s, max(least_s, (now - call.sent) / 4)) if call else least_s
