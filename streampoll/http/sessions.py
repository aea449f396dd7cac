"""The sessions of all devices of a process: made at a device's first poll, kept while it is polled, closed when idle.

A session is closed with a logout, so devices that allow few sessions are not left with ours. The client behind it is
made by `client.py`, whose import is what HTTP costs a worker, so only then.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ssl import SSLContext

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
    most: int  # devices; one beyond these is left after each poll, since to leave another that comes next is no better


@dataclass(slots=True)
class _Place:
    session: Session
    tls: SSLContext | None
    users: int = 0
    idle_since: float = 0.0  # the loop's time
    is_retired: bool = False  # its last user ends it


class Sessions:
    """Lends sessions. For one event loop."""

    def __init__(self, keeping: Keeping, clock: Clock, make: "Make | None" = None) -> None:
        self._keeping = keeping
        self._clock = clock
        self._contexts = Contexts()
        self._make = make or _make_client
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
        place = self._place(whom)
        place.users += 1
        try:
            yield place.session
        finally:
            place.users -= 1
            place.idle_since = self._clock.loop()
            self._give_back(whom, place)

    async def close(self) -> None:
        """Close all sessions, each with its logout."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for whom, place in self._places.items():
            self._end_soon(whom, place.session)
        self._places.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    def _place(self, whom: Whom) -> _Place:
        """Find the place of a session, or make it; what other authorities vouched for is left to those who use it."""
        endpoint = whom.endpoint
        tls = self._contexts.get(endpoint.trust, endpoint.http2) if endpoint.tls else None
        place = self._places.get(whom)
        if place is not None and place.tls is not tls:
            self._retire(whom)
            place = None
        if place is None:
            session = Session(self._make(whom, tls), whom.credential, self._clock, self._keeping.most_wait_s)
            place = self._places[whom] = _Place(session, tls)
        return place

    def _give_back(self, whom: Whom, place: _Place) -> None:
        """Keep a session for the next poll, or end it behind its last user."""
        if place.users:
            return
        if place.is_retired:
            self._end_soon(whom, place.session)
        elif len(self._places) > self._keeping.most and not place.session.is_told_to_wait:
            self._retire(whom)
        else:
            self._sweep_later()

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
            self._retire(whom)
        if self._places:
            self._sweep_later()

    def _retire(self, whom: Whom) -> None:
        """Forget a session, and end it unless somebody uses it; then that one does (`_give_back`)."""
        place = self._places.pop(whom)
        place.is_retired = True
        if not place.users:
            self._end_soon(whom, place.session)

    def _end_soon(self, whom: Whom, session: Session) -> None:
        task = asyncio.get_running_loop().create_task(self._end(session), name=f"close {whom.endpoint.url}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _end(self, session: Session) -> None:
        try:
            async with asyncio.timeout(self._keeping.logout_s):
                await session.close()
        except TimeoutError:
            log.debug("logout: no answer within %g s", self._keeping.logout_s)


Make = Callable[[Whom, SSLContext | None], Client]


def _make_client(whom: Whom, tls: SSLContext | None) -> Client:
    from streampoll.http.client import HttpxClient

    scheme = whom.credential.scheme if whom.credential else None
    digest = (scheme.user, scheme.password) if isinstance(scheme, Digest) else None
    return HttpxClient(whom.endpoint, whom.limits, tls, digest)
