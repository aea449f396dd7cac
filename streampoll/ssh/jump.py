"""The one connection to a jump host, shared by all devices behind it.

Its failure is theirs too. Whoever waits for it, or comes soon after, gets that failure and does not try again: a
thousand devices would wait out a dead host one after the other, and send a wrong password a thousand times.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from streampoll.model import Status
from streampoll.ssh.port import SshFailure

_REST_S: Final = 5.0  # after a failed attempt: long enough for all who waited, short enough for a host that is back
_REFUSED_REST_S: Final = 300.0  # after a refused login; a changed credential is another jump host to us


class Jump:
    """A jump host as somebody. For one event loop."""

    def __init__(self, rest_s: float = _REST_S, refused_rest_s: float = _REFUSED_REST_S) -> None:
        self._rests_s = rest_s, refused_rest_s
        self._users = 0
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._failure: SshFailure | None = None  # of the last attempt
        self._rests_until = 0.0  # the loop's time

    def enter(self) -> None:
        """Count a user; the connection stays while there is one."""
        self._users += 1

    def leave(self) -> None:
        """Let a user go, and hang up behind the last."""
        self._users -= 1
        if self._users == 0 and self._connection is not None:
            self._connection.close()
            self._connection = None

    async def reach(self, log_in: Callable[[], Awaitable[Any]]) -> Any:
        """Return the connection, made anew if there is none or it died. Raises SshFailure: it can't be."""
        async with self._turn:
            if self._connection is None or self._connection.is_closed():
                self._connection = None
                self._connection = await self._try(log_in)
            return self._connection

    async def _try(self, log_in: Callable[[], Awaitable[Any]]) -> Any:
        loop = asyncio.get_running_loop()
        if self._failure is None or loop.time() >= self._rests_until:
            try:
                return await log_in()
            except SshFailure as failure:
                self._failure = failure
                self._rests_until = loop.time() + self._rests_s[failure.status is Status.AUTH]
        raise SshFailure(self._failure.status, f"jump host: {self._failure.reason}")

    async def close(self) -> None:
        """Hang up, and wait until that is done."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            await connection.wait_closed()
