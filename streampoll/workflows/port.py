"""What the parts of a workflow's engine tell one another."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from streampoll.config.selector import Selector
from streampoll.model import Device, Outcome, Target
from streampoll.shards.orders import WHOLE
from streampoll.worker.port import Emit
from streampoll.workflows.plan import Step, Workflow


@dataclass(frozen=True, slots=True)
class Turn:
    """A step, or an element of one, that is ours to do now."""

    run: str
    workflow: Workflow
    step: Step
    element: int
    attempt: int
    token: str  # the entry it is done for
    item: Any = None  # what the element is about
    memo: Any = None  # what it has been waiting for
    context: Mapping[str, Any] = field(default_factory=dict)  # what references may lead to

    @property
    def spreads(self) -> bool:
        """Whether it is to say what its elements are, and not to do anything yet."""
        return self.step.fans_out and self.element == WHOLE

    @property
    def key(self) -> tuple[str, str, int, str]:
        """How its row is found."""
        return self.run, self.step.name, self.element, self.token


@dataclass(frozen=True, slots=True)
class Later:
    """It is not its time yet."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class Doubt:
    """It runs once, and who began it has died."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class Nothing:
    """It has been done, is somebody else's, or is not to be done any more."""


Claim = Turn | Later | Doubt | Nothing


@dataclass(frozen=True, slots=True)
class Polled:
    """An ad hoc poll, on its way to a row."""

    target: Target
    outcome: Outcome
    started: float  # wall-clock seconds of Redis
    done: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A text that is kept if it differs from the version before."""

    device: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """An attempt has ended."""

    output: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""  # why it failed; "": it did not
    input: Any = None  # its words, filled in
    skipped: bool = False  # a condition that is not true
    polled: Polled | None = None
    kept: Kept | None = None
    emits: Sequence[Emit] = ()


@dataclass(frozen=True, slots=True)
class Again:
    """It is still waiting for something: look again after a while, with this in mind."""

    delay_s: float
    memo: Any


@dataclass(frozen=True, slots=True)
class Spread:
    """What a fan-out's elements are about."""

    items: Sequence[Any]


Result = Done | Again | Spread


class Directory(Protocol):
    """The devices that there are."""

    async def find(self, name: str) -> Device | None:
        """Return a device; None if there is none of that name."""

    async def select(self, selector: Selector) -> Sequence[str]:
        """Return the names of the enabled devices that a selector matches."""


class Sender(Protocol):
    """The users' own tasks."""

    async def send(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], key: str) -> str:
        """Send a task, once for a key; return its id. Raises StreampollError: nobody knows it."""

    async def result(self, task: str) -> tuple[Any, str] | None:
        """Return (value, error) of a task; None while it is under way."""


Collect = Callable[..., Awaitable[Outcome]]
"""`Router.collect`."""
