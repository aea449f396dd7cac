"""The sessions of all devices of a process: made at a device's first poll, kept while it is polled, closed when idle.

A session is closed with a logout, so devices that allow few sessions are not left with ours. The client behind it is
made by `client.py`, whose import is what HTTP costs a worker, so only then.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streampoll.http.credential import Digest, HttpCredential
from streampoll.http.endpoint import Endpoint
from streampoll.http.port import Client, Clock, Limits
from streampoll.http.session import Session
from streampoll.http.trust import Contexts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Whom:
    """What one session is for. Who is polled in another way, or as another user, has another session."""

    endpoint: Endpoint
    credential: HttpCredential | None
    limits: Limits


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long what is kept."""

    idle_s: float  # a session without a poll is closed after this
    logout_s: float  # closing one takes at most this
    most_wait_s: float  # a Retry-After beyond this is taken for this


@dataclass(slots=True)
class _Place:
    session: Session
    users: int = 0
    idle_since: float = 0.0  # the loop's time


class Sessions:
    """Lends sessions. For one event loop."""

    def __init__(self, keeping: Keeping, clock: Clock, make: Callable[[Whom], Client] | None = None) -> None:
        self._keeping = keeping
        self._clock = clock
        self._contexts = Contexts()
        self._make = make or self._make_client
        self._places: dict[Whom, _Place] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._places)

    @asynccontextmanager
    async def borrow(self, whom: Whom) -> AsyncIterator[Session]:
        """Lend a session for one poll.

        Raises:
            CaUnusable: the file of authorities can't be read, or has none.
        """
        place = self._places.get(whom)
        if place is None:
            session = Session(self._make(whom), whom.credential, self._clock, self._keeping.most_wait_s)
            place = self._places[whom] = _Place(session)
        place.users += 1
        try:
            yield place.session
        finally:
            place.users -= 1
            place.idle_since = self._clock.loop()
            self._sweep_later()

    async def close(self) -> None:
        """Close all sessions, each with its logout."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        while self._places:
            self._release(next(iter(self._places)))
        if self._closing:
            await asyncio.wait(self._closing)

    def _make_client(self, whom: Whom) -> Client:
        from streampoll.http.client import HttpxClient

        scheme = whom.credential.scheme if whom.credential else None
        digest = (scheme.user, scheme.password) if isinstance(scheme, Digest) else None
        endpoint = whom.endpoint
        tls = self._contexts.get(endpoint.trust, endpoint.http2) if endpoint.tls else None
        return HttpxClient(endpoint, whom.limits, tls, digest)

    def _sweep_later(self) -> None:
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(self._keeping.idle_s / 2, self._sweep)

    def _sweep(self) -> None:
        """Close what is idle; one that has to remember when to ask again stays."""
        self._sweeping = None
        before = self._clock.loop() - self._keeping.idle_s
        idle = [
            whom for whom, place in self._places.items()
            if not place.users and place.idle_since <= before and not place.session.is_told_to_wait
        ]  # fmt: skip
        for whom in idle:
            self._release(whom)
        if self._places:
            self._sweep_later()

    def _release(self, whom: Whom) -> None:
        session = self._places.pop(whom).session
        task = asyncio.get_running_loop().create_task(self._end(session), name=f"close {whom.endpoint.url}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _end(self, session: Session) -> None:
        try:
            async with asyncio.timeout(self._keeping.logout_s):
                await session.close()
        except TimeoutError:
            log.debug("logout: no answer within %g s", self._keeping.logout_s)
