"""Sessions kept from poll to poll.

A session is kept under everything that it depends on, credential included, so one whose secret was rotated is never
used again. It ends when it was idle for `ssh.idle_s`, when its device would have more than `ssh.max_sessions` of ours,
and at exit. A process that has `ssh.max_kept` keeps no further ones: devices are polled round and round, and to give up
the one used longest ago, which comes next, would be to keep nothing of use.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from streampoll.ssh.credential import SshCredential
from streampoll.ssh.plan import Channel
from streampoll.ssh.port import Endpoint
from streampoll.ssh.session import Session

_GOODBYE_S: Final = 2.0  # given to all connections together at exit

Place = tuple[str, int]
"""A device's host and port: sessions of one place count together."""


@dataclass(frozen=True, slots=True)
class SessionKey:
    """What a session depends on."""

    endpoint: Endpoint
    credential: SshCredential
    platform: str
    channel: Channel

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.endpoint.host, self.endpoint.port


@dataclass(slots=True)
class _Kept:
    session: Session
    timer: asyncio.TimerHandle


class Pool:
    """The sessions that nobody uses now. For one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[SessionKey, _Kept] = {}
        self._slots: set[SessionKey] = set()  # of what is kept, or taken and to come back
        self._of: dict[Place, list[SessionKey]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, key: SessionKey) -> Session | None:
        """Return a session that is still alive, to be given back by `keep` or `discard`; None if there is none."""
        kept = self._remove(key)
        if kept is None:
            return None
        if kept.session.alive:
            return kept.session
        self.discard(key, kept.session)
        return None

    def make_room(self, place: Place, most: int) -> None:
        """Close sessions of a place until another one may be opened."""
        for key in list(self._of.get(place, ()))[: max(0, len(self._of.get(place, ())) + 1 - most)]:
            self._close(key)

    def keep(self, key: SessionKey, session: Session, idle_s: float, max_sessions: int) -> None:
        """Keep a session for the next poll, or close it if its device is to have none idle."""
        full = len(self._slots) >= self._most and key not in self._slots
        if full or max_sessions < 1 or not session.alive:
            self.discard(key, session)
            return
        self._close(key)
        self.make_room(key.place, max_sessions)
        timer = asyncio.get_running_loop().call_later(idle_s, self._close, key)
        self._slots.add(key)
        self._kept[key] = _Kept(session, timer)
        self._of.setdefault(key.place, []).append(key)

    def discard(self, key: SessionKey, session: Session) -> None:
        """Close a session that is not kept (any more)."""
        self._slots.discard(key)
        session.close()

    async def close(self) -> None:
        """Close all, and wait a moment for it."""
        sessions = [kept.session for kept in self._kept.values()]
        for key in list(self._kept):
            self._close(key)
        if sessions:
            waits = [asyncio.create_task(session.closed(), name="ssh goodbye") for session in sessions]
            _, late = await asyncio.wait(waits, timeout=_GOODBYE_S)
            for task in late:
                task.cancel()

    def _close(self, key: SessionKey) -> None:
        kept = self._remove(key)
        if kept is not None:
            self.discard(key, kept.session)

    def _remove(self, key: SessionKey) -> _Kept | None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return None
        kept.timer.cancel()
        keys = self._of[key.place]
        keys.remove(key)
        if not keys:
            del self._of[key.place]
        return kept


class Doors:
    """One poll at a time in each place; a door is there while somebody is at it. For one event loop."""

    def __init__(self) -> None:
        self._locks: dict[Place, asyncio.Lock] = {}
        self._users: dict[Place, int] = {}

    @contextmanager
    def door(self, place: Place) -> Iterator[asyncio.Lock]:
        """Return a place's lock, to be acquired."""
        lock = self._locks.setdefault(place, asyncio.Lock())
        self._users[place] = self._users.get(place, 0) + 1
        try:
            yield lock
        finally:
            self._users[place] -= 1
            if not self._users[place]:
                del self._users[place], self._locks[place]
