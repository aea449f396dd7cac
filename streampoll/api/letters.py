"""Dead letters: listed, shown, put back to work."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from msgspec import Meta

from streampoll.api.problem import ProblemError
from streampoll.api.route import Asked, Route
from streampoll.model import QueueClass
from streampoll.results.control import Role
from streampoll.results.render import shown
from streampoll.shards.letters import Letter

LetterName = Annotated[str, Meta(min_length=1, max_length=100, description="polling/07/1700000000000-0")]


class Buried(Protocol):
    """The dead letters."""

    def read(self, queues: Sequence[QueueClass] = ...) -> AsyncIterator[Letter]:
        """Yield the letters of classes."""

    async def find(self, name: str) -> Letter | None:
        """Return the letter of a name."""

    async def requeue(self, letter: Letter, now: float) -> bool:
        """Put a letter back to work; False if somebody else has, or it can't be read."""


Note = Callable[[str, str, str], Awaitable[None]]
"""Takes note of who did what to what."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry that nobody could serve."""

    name: str
    queue: str
    shard: int
    buried: float  # seconds since the epoch
    cause: str
    delivery: int
    kind: str | None  # null: it can't be read
    job: str | None
    slot: int | None
    device: str | None  # of a poll


@dataclass(frozen=True, slots=True)
class WholeLetter:
    """One with all its fields, as text."""

    letter: DeadLetter
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LetterSearch:
    """Which letters."""

    queue: QueueClass | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


@dataclass(frozen=True, slots=True)
class OneLetter:
    """Which letter."""

    name: LetterName


@dataclass(frozen=True, slots=True)
class LetterNames:
    """Which letters are put back."""

    names: Annotated[tuple[LetterName, ...], Meta(min_length=1, max_length=1000)]


@dataclass(frozen=True, slots=True)
class Requeued:
    """What was put back."""

    requeued: Sequence[str]
    gone: Sequence[str]  # not there any more, or can't be read


class LetterRoutes:
    """Serves dead letters."""

    def __init__(self, letters: Buried, note: Note) -> None:
        self._letters = letters
        self._note = note

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("GET", "/api/v1/dead-letters", self._list, list[DeadLetter], "Dead letters, by shard", "dead letters",
                  parameters=LetterSearch),
            Route("GET", "/api/v1/dead-letters/{name:path}", self._one, WholeLetter, "One whole", "dead letters",
                  parameters=OneLetter),
            Route("POST", "/api/v1/dead-letters/requeue", self._requeue, Requeued, "Put letters back to work",
                  "dead letters", body=LetterNames, role=Role.OPERATOR),
        ]  # fmt: skip

    async def _list(self, asked: Asked) -> list[DeadLetter]:
        wanted: LetterSearch = asked.parameters
        queues = (wanted.queue,) if wanted.queue else tuple(QueueClass)
        found: list[DeadLetter] = []
        async for letter in self._letters.read(queues):
            found.append(_said(letter))
            if len(found) == wanted.limit:
                break
        return found

    async def _one(self, asked: Asked) -> WholeLetter:
        name = asked.parameters.name
        letter = await self._letters.find(name)
        if letter is None:
            raise ProblemError(404, f"there is no dead letter {name!r}")
        return WholeLetter(_said(letter), {key: shown(value) for key, value in letter.fields.items()})

    async def _requeue(self, asked: Asked) -> Requeued:
        done: list[str] = []
        names: Sequence[str] = asked.body.names
        for name in names:
            letter = await self._letters.find(name)
            if letter is not None and await self._letters.requeue(letter, time.time()):
                done.append(name)
                await self._note(asked.by, "requeue", name)
        return Requeued(done, [name for name in names if name not in done])


def _said(letter: Letter) -> DeadLetter:
    entry = letter.entry
    return DeadLetter(
        letter.name, letter.queue.value, letter.shard, letter.buried, letter.cause, letter.delivery,
        entry.kind if entry else None, entry.job if entry else None, entry.slot if entry else None,
        letter.device or None,
    )  # fmt: skip
