"""One reader for any number of listeners: what it reads is encoded once, and a listener that can't keep up is let go.

    event: stats    each second, while anybody listens: a `Snapshot` (as /api/v1/stats)
    event: event    a change of an event, as it is stored (as /api/v1/events)

An id is a number that grows. Memory is bounded: so many listeners, each with so many messages that it has not taken.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from streampoll.api.problem import ProblemError
from streampoll.errors import StreampollError

log = logging.getLogger(__name__)

_BEHIND = 8  # messages that a listener may be behind
_KEPT = 256  # events that one who comes back may still be told

Message = bytes
Source = Callable[[], Awaitable[list[tuple[str, bytes]]]]
"""Reads what is new: (name of the event, JSON)."""


class Listener:
    """One who listens."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._more = asyncio.Event()
        self.gone = False  # let go: it was too slow, or all ends

    def tell(self, message: Message) -> None:
        """Hand a message over; one too many ends it."""
        if len(self._waiting) >= _BEHIND:
            self.end()
        else:
            self._waiting.append(message)
            self._more.set()

    def end(self) -> None:
        """Let it go."""
        self.gone = True
        self._waiting.clear()
        self._more.set()

    async def next(self) -> Message | None:
        """Return the next message; None once it was let go."""
        while not self._waiting and not self.gone:
            self._more.clear()
            await self._more.wait()
        return None if self.gone else self._waiting.popleft()


class Broadcast:
    """Reads while anybody listens."""

    def __init__(self, sources: Iterable[Source], most: int, every_s: float = 1.0) -> None:
        self._sources = list(sources)
        self._most = most
        self._every_s = every_s
        self._listeners: set[Listener] = set()
        self._wanted = asyncio.Event()
        self._number = 0
        self._kept: deque[tuple[int, Message]] = deque(maxlen=_KEPT)
        self._ended = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @asynccontextmanager
    async def listening(self, after: int | None = None) -> AsyncIterator[Listener]:
        """Listen; with the id of the last message heard, what was missed of events comes first.

        Raises:
            ProblemError: there are too many.
        """
        if len(self._listeners) >= self._most or self._ended:
            raise ProblemError(503, f"{self._most} listen already (api.streams)", {"Retry-After": "10"})
        listener = Listener()
        for message in self._missed(after):
            listener.tell(message)
        self._listeners.add(listener)
        self._wanted.set()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def _missed(self, after: int | None) -> list[Message]:
        if after is None:
            return []
        return [message for number, message in self._kept if number > after][-(_BEHIND - 1) :]

    async def run(self, now: Callable[[], float]) -> None:
        """Read for ever, but only while somebody listens."""
        while True:
            if not self._listeners:
                self._wanted.clear()
                await self._wanted.wait()
            await self._read_all(now)
            await asyncio.sleep(self._every_s)

    async def _read_all(self, now: Callable[[], float]) -> None:
        for source in self._sources:
            try:
                for name, data in await source():
                    self._send(name, data, now())
            except StreampollError as error:
                log.debug("stream: %s", error)
            except Exception:  # a bug in one source must not end the others
                log.exception("stream: a bug in a source")

    def _send(self, name: str, data: bytes, now: float) -> None:
        self._number = max(self._number + 1, int(now * 1000))
        message = b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), self._number, data)
        if name != "stats":
            self._kept.append((self._number, message))
        for listener in tuple(self._listeners):
            listener.tell(message)

    def end(self) -> None:
        """Let everybody go."""
        self._ended = True
        for listener in self._listeners:
            listener.end()
