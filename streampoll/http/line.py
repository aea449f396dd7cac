"""httpx's client of one device, and what becomes of it when a request is cut off by its poll's end.

Where a task is cancelled while an answer is being closed, httpcore's pool never learns that its connection is free:
with one connection a device, every later request would wait for it in vain. So a client on which a request was cut is
given up: who uses it ends undisturbed, and whoever comes next gets another, with the cookies of the first.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Final

import httpx

_CLOSE_S: Final = 5.0  # given to closing a client that was given up


@dataclass(slots=True)
class _Line:
    client: httpx.AsyncClient
    users: int = 0
    is_cut: bool = False  # a request on it was


class Lines:
    """The client that is used now, and those that are given up. For one event loop."""

    def __init__(self, make: Callable[[CookieJar], httpx.AsyncClient]) -> None:
        self.cookies = CookieJar()
        self._make = make
        self._line = _Line(make(self.cookies))
        self._closing: set[asyncio.Task[None]] = set()

    @contextmanager
    def client(self) -> Iterator[httpx.AsyncClient]:
        """Lend the client for one request."""
        line = self._line
        line.users += 1
        try:
            yield line.client
        except asyncio.CancelledError:
            line.is_cut = True
            raise
        finally:
            line.users -= 1
            if line.is_cut:
                self._give_up(line)

    async def close(self) -> None:
        """Close the connections of all."""
        await self._line.client.aclose()
        if self._closing:
            await asyncio.wait(self._closing)

    def _give_up(self, line: _Line) -> None:
        if self._line is line:
            self._line = _Line(self._make(self.cookies))
        if not line.users:
            task = asyncio.get_running_loop().create_task(_close(line.client), name="close a cut HTTP client")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _close(client: httpx.AsyncClient) -> None:
    with suppress(TimeoutError, OSError, httpx.HTTPError):
        async with asyncio.timeout(_CLOSE_S):
            await client.aclose()
