"""Tells Redis, once a second, what a process has counted since the last time."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from streampoll.errors import UnavailableError
from streampoll.shards.totals import TotalsPort

log = logging.getLogger(__name__)

_EVERY_S = 1.0


@dataclass(slots=True)
class _Batch:
    """What was sent and not yet acknowledged."""

    number: int = 0
    added: Mapping[str, int] = field(default_factory=dict)


class Telling:
    """One process's part of the totals."""

    def __init__(self, totals: TotalsPort, own_id: str, counted: Callable[[], Mapping[str, int]]) -> None:
        self._totals = totals
        self._id = own_id
        self._counted = counted
        self._told: dict[str, int] = {}  # by name: what Redis has, or is being sent
        self._batch = _Batch()
        self._seen = 0

    async def run(self) -> None:
        """Tell for ever; while Redis is away everything adds up here."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell what was added. A batch whose answer did not come is sent again as it was, under its number."""
        try:
            if self._batch.added:
                await self._send()
            if added := self._added():
                self._batch = _Batch(self._batch.number + 1, added)
                await self._send()
        except UnavailableError as error:
            log.debug("counts: %s", error)

    async def _send(self) -> None:
        batch = self._batch
        self._seen = await self._totals.add(self._id, batch.number, self._seen, batch.added)
        self._batch = _Batch(batch.number)

    def _added(self) -> dict[str, int]:
        """Return what was added; a count that fell (of a socket that was closed) adds nothing until it is past."""
        added = {}
        for name, count in self._counted().items():
            if (more := count - self._told.get(name, 0)) > 0:
                added[name] = more
                self._told[name] = count
        return added
