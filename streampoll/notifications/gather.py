"""Takes what comes for one record at the same time together, so that the record is read once.

Of a device with 100 interfaces down, 100 alerts for one group come in at once. Their finishes form a chain: each writes
the record that the next one expects. Were each to read the record for itself, one would win and 99 come again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from streampoll.errors import UnavailableError
from streampoll.worker.port import Disposition, Release

T = TypeVar("T")
Key = tuple[int, str]
"""A shard, and the name of a record there."""

_WAIT_S: Final = 0.005  # how long the first waits for others


class Gather(Generic[T]):
    """Serves what came together by one call of `serve`, which answers in the same order."""

    def __init__(
        self,
        serve: Callable[[Key, Sequence[T]], Awaitable[Sequence[Disposition]]],
        order: Callable[[T], float] = lambda _: 0.0,
    ) -> None:
        self._serve = serve
        self._order = order  # what has the lower number is served first, and first in the chain
        self._waiting: dict[Key, list[tuple[T, asyncio.Future[Disposition]]]] = {}

    async def ask(self, key: Key, asked: T) -> Disposition:
        """Return what becomes of one."""
        done: asyncio.Future[Disposition] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(key, [])
        waiting.append((asked, done))
        if len(waiting) == 1:
            await self._serve_all(key)
        return await done

    async def _serve_all(self, key: Key) -> None:
        """Wait a little, then answer all who wait; those of one who is cut off are handed back."""
        answers: Sequence[Disposition] = ()
        try:
            await asyncio.sleep(_WAIT_S)
        finally:
            together = sorted(self._waiting.pop(key), key=lambda each: self._order(each[0]))
            try:
                answers = await self._serve(key, [asked for asked, _ in together])
            except UnavailableError:
                pass
            finally:
                handed_back = [Release("Redis is away, or we are cut off")] * (len(together) - len(answers))
                for (_, done), answer in zip(together, (*answers, *handed_back), strict=True):
                    if not done.done():
                        done.set_result(answer)
