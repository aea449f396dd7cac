"""`python -m streampoll.tasks.child DIRECTORY MODULE…`: runs tasks for a worker, one after the other.

A process that starts from nothing, not a fork: the worker has a loop, sockets and threads by then. It ends with the
worker, however that ends: its pipe is closed, or the kernel kills it.

A request is [name, arguments, named arguments], an answer [true, value] or [false, type, text, traceback].
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, Final

from streampoll.errors import ConfigError
from streampoll.tasks.failure import failure_of
from streampoll.tasks.frames import LENGTH, frame, parse
from streampoll.tasks.port import RetryLater, SoftLimitReached, Tasks
from streampoll.tasks.registry import load_tasks

SOFT: Final = signal.SIGUSR1
"""Makes the task that runs raise `SoftLimitReached`."""

LATER: Final = "later"
"""The type in the answer of a task that asks to be tried later; its text is the delay."""

_PR_SET_PDEATHSIG = 1


class Child:
    """One child's side."""

    def __init__(self, tasks: Tasks, requests: BinaryIO, answers: BinaryIO) -> None:
        self._tasks = tasks
        self._requests = requests
        self._answers = answers
        self._running = False

    def serve(self) -> None:
        """Run what is asked for, until nobody asks any more."""
        signal.signal(SOFT, self._soft_limit)
        for name, args, kwargs in self._read():
            self._answers.write(self._answer(name, args, kwargs))
            self._answers.flush()

    def _read(self) -> Iterator[Any]:
        while len(head := self._requests.read(LENGTH.size)) == LENGTH.size:
            yield parse(self._requests.read(*LENGTH.unpack(head)))

    def _answer(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> bytes:
        try:
            self._running = True
            try:
                value = self._tasks[name].function(*args, **kwargs)
            finally:
                self._running = False
            return frame((True, value))
        except RetryLater as later:
            return frame((False, LATER, str(later.delay_s), ""))
        except BaseException as error:  # noqa: BLE001 - somebody else's code, and what it returned
            failure = failure_of(error)
            return frame((False, failure.type, failure.text, failure.traceback))

    def _soft_limit(self, number: int, interrupted: FrameType | None) -> None:
        if self._running:
            raise SoftLimitReached("its soft limit has passed")


def main(arguments: list[str]) -> int:
    """Serve until the pipe ends; what tasks print goes to stderr."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(SOFT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    directory, *modules = arguments
    try:
        tasks = load_tasks(modules, Path(directory))
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    Child(tasks, sys.stdin.buffer, answers).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
