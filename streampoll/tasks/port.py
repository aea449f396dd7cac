"""The nouns of users' tasks: what is declared, what is sent, what comes of it."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final, Generic, ParamSpec, TypeVar

from streampoll.model import QueueClass

P = ParamSpec("P")
R = TypeVar("R")

GROUP: Final = "streampoll.tasks"
"""The group of entry points by which installed packages name their tasks."""

JOIN: Final = "streampoll.join"
"""The built-in task that waits for others and gives their results; names with this prefix are ours."""

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,119}")


class RunIn(StrEnum):
    """Where a task's function runs."""

    LOOP = "loop"  # in the worker's event loop; async functions, and only they
    THREAD = "thread"  # in one of a few threads: what waits for others
    PROCESS = "process"  # in a child process: what computes, and what must be killed when it hangs


class Priority(StrEnum):
    """The lane a task takes."""

    NORMAL = "normal"  # the stream of its class
    URGENT = "urgent"  # class `urgent`: before all that waits elsewhere


class State(IntEnum):
    """How a task ended. The numbers are stored: never renumber one."""

    DONE = 0
    FAILED = 1  # it raised, or ran past a limit, and no retry was left
    EXPIRED = 2  # its time had passed before it could start
    CANCELLED = 3  # somebody asked for that
    CRASHED = 4  # it killed the processes that ran it

    @property
    def word(self) -> str:
        """The name as shown to people and programs: `failed`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Options:
    """How a task is run; what is declared with it."""

    queue: QueueClass = QueueClass.WORKFLOWS
    run_in: RunIn = RunIn.LOOP
    retries: int = 0  # further attempts after one that failed
    back_off_s: float = 1.0  # the first retry waits up to this, each next one up to twice as long
    back_off_most_s: float = 300.0
    soft_limit_s: float = 0.0  # an attempt is cancelled after this; 0: after the class's
    hard_limit_s: float = 0.0  # it is given up after this, whatever it does; 0: after the class's
    results: bool = True  # False: nothing is stored of one that ended well


class Task(Generic[P, R]):
    """A function that can be sent; called, it is the function itself."""

    def __init__(self, function: Callable[P, R], name: str, options: Options) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.options = options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it here and now."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        """Name it."""
        return f"<task {self.name}>"


Tasks = Mapping[str, Task[Any, Any]]
"""The tasks of a process, by name."""


@dataclass(slots=True)  # one is made for every task run: frozen, that takes four times as long
class Call:
    """One task that was sent: a name, arguments, and what is to follow."""

    id: str
    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0  # failed ones before this
    sent: float = 0.0  # wall-clock seconds of Redis
    retries: int | None = None  # overrides the task's
    keep: bool = False  # its result is wanted, whatever the task says
    then: "Sequence[Step]" = ()  # what is sent with its result once it ended well


@dataclass(frozen=True, slots=True)
class Step:
    """A call that waits for the one before it, whose result becomes its first argument."""

    queue: QueueClass
    call: Call


@dataclass(slots=True)  # one is made for every task run: frozen, that takes four times as long
class Failure:
    """An exception as data."""

    type: str
    text: str  # bounded
    traceback: str = ""  # bounded, the innermost frames


@dataclass(slots=True)  # one is made for every task run: frozen, that takes four times as long
class TaskResult:
    """What became of a task; (id) identifies it."""

    id: str
    name: str
    state: State
    sent: float  # wall-clock seconds of Redis, as the others
    started: float  # the last attempt; 0.0: there was none
    finished: float
    attempts: int  # 1: the first one did it
    worker: str
    value: Any = None  # what it returned
    failure: Failure | None = None


class SoftLimitReached(Exception):  # noqa: N818 - reads as the state it is
    """Raised inside a task of a process past its soft limit: it may clean up, and must end."""


class RetryLater(Exception):  # noqa: N818 - reads as what it asks for
    """Raised by a task: not now, try again in `delay_s` seconds. It counts as a failed attempt."""

    def __init__(self, delay_s: float, counted: bool = True) -> None:
        super().__init__(f"again in {delay_s:g} s")
        self.delay_s = delay_s
        self.counted = counted
