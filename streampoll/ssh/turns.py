"""How many logins one process computes at a time.

A login costs milliseconds of CPU; hundreds at once would make each as slow as all together, and devices that are well
would time out. But one that accepts a connection and then says nothing costs no CPU, and must not keep others waiting:
so a turn ends after a while by itself.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_TURN_S: Final = 1.0


class Turns:
    """Lets so many in at a time, each for a second at the most. For one event loop."""

    def __init__(self, most: int, turn_s: float = _TURN_S) -> None:
        self._free = asyncio.Semaphore(most)
        self._turn_s = turn_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn; what is done inside may take longer than it lasts."""
        await self._free.acquire()
        timer = asyncio.get_running_loop().call_later(self._turn_s, self._free.release)
        try:
            yield
        finally:
            if not timer.cancelled() and timer.when() > asyncio.get_running_loop().time():
                timer.cancel()
                self._free.release()
