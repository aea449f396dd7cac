"""A handler made of several: entries go by their kind, so that a class may carry more than one sort of work."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence

from streampoll.model import Status
from streampoll.shards.entries import Delivered
from streampoll.worker.port import Conclusion, Disposition, Handler


class ByKind:
    """Hands entries of some kinds to handlers of theirs, and all others to the class's own."""

    def __init__(self, own: Handler, others: Mapping[str, Handler]) -> None:
        self._own = own
        self._others = others

    async def ready(self) -> None:
        """Return once all of them can take work on."""
        await self._own.ready()
        for handler in self._others.values():
            await handler.ready()

    def handle(self, batch: Sequence[Delivered]) -> Awaitable[Sequence[Conclusion]]:
        """Serve a batch; each handler has its part of it, at the same time."""
        first = self._of(batch[0])
        if len(batch) == 1 or all(self._of(delivered) is first for delivered in batch):
            return first.handle(batch)
        return self._handle_parts(batch)

    async def _handle_parts(self, batch: Sequence[Delivered]) -> Sequence[Conclusion]:
        parts: dict[Handler, list[int]] = {}
        for place, delivered in enumerate(batch):
            parts.setdefault(self._of(delivered), []).append(place)
        answers = await asyncio.gather(
            *(handler.handle([batch[place] for place in places]) for handler, places in parts.items())
        )
        by_place = {
            place: answer
            for places, said in zip(parts.values(), answers, strict=True)
            for place, answer in zip(places, said, strict=True)
        }
        return [by_place[place] for place in range(len(batch))]

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """Ask whose entry it is."""
        return self._of(delivered).fail(delivered, status, cause)

    async def close(self) -> None:
        """Close all of them."""
        for handler in (self._own, *self._others.values()):
            await handler.close()

    def _of(self, delivered: Delivered) -> Handler:
        return self._others.get(delivered.entry.kind, self._own) if delivered.entry else self._own
