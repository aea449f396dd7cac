"""Who is alive, and hence which shards this process is the home of, for each class it serves.

Homes are a hint: the consumer group decides who gets an entry, so two homes at once do no harm. They are worked out
anew only when the set of live workers changes.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streampoll.config.settings import WorkerSettings
from streampoll.errors import UnavailableError
from streampoll.model import QueueClass
from streampoll.shards.entries import Log
from streampoll.shards.port import Pause, Paused, Presence, Worker
from streampoll.shards.ring import home_of

log = logging.getLogger(__name__)


class Membership:
    """This process's heartbeat and homes."""

    def __init__(
        self,
        own_id: str,
        queues: Sequence[QueueClass | Log],
        shards: int,
        settings: WorkerSettings,
        presence: Presence,
    ) -> None:
        self._id = own_id
        self._queues = tuple(queues)
        self._shards = shards
        self._settings = settings
        self._presence = presence
        self._live: dict[QueueClass | Log, frozenset[str]] = {}
        self._known: tuple[str, ...] = (own_id,)
        self._homes: dict[QueueClass | Log, tuple[int, ...]] = {}
        self._paused: frozenset[str] = frozenset()
        self._served: frozenset[str] = frozenset(self._queues)
        self._leaving = False
        self.away = False  # Redis could not be reached at the last beat

    def homes(self, queue: QueueClass | Log) -> Sequence[int]:
        """Return the shards of a class whose home this process is now: none of one that is paused."""
        return () if queue in self._paused else self._homes.get(queue, ())

    def served(self, queue: QueueClass) -> bool:
        """Say whether any process that lives serves a class: work that nobody takes on would fill Redis."""
        return queue in self._served

    def known(self) -> Sequence[str]:
        """Return the workers that beat in the last minute."""
        return self._known

    async def run(self, figures: Callable[[], Mapping[str, Any]]) -> None:
        """Beat for ever; while Redis is away homes stay as they are."""
        while True:
            try:
                await self.beat()
                await self._presence.publish(self._id, figures())
                self._recovered()
            except UnavailableError as error:
                self._lost(error)
            await asyncio.sleep(self._settings.heartbeat_s)

    async def beat(self) -> None:
        """Beat once and look who else does."""
        workers = await self._presence.beat(self._id, () if self._leaving else self._queues)
        newest = max((worker.beat for worker in workers), default=0.0)
        self._settle(workers, newest - self._settings.dead_after_s)
        self._heed(await self._presence.pauses())

    def _heed(self, pauses: Sequence[Pause]) -> None:
        """Read nothing of a class that is paused; what is in hand is finished."""
        paused = frozenset(each.name for each in pauses if each.kind is Paused.QUEUE)
        for queue in self._queues:
            if (queue in paused) != (queue in self._paused):
                log.info("%s: %s", queue, "paused, nothing more is read" if queue in paused else "resumed")
        self._paused = paused

    def _settle(self, workers: Sequence[Worker], live_since: float) -> None:
        self._known = (self._id, *(worker.id for worker in workers))
        self._served = frozenset(
            queue for worker in workers if worker.beat >= live_since for queue in worker.queues
        ).union(self._queues)
        for queue in self._queues:
            live = frozenset(worker.id for worker in workers if worker.beat >= live_since and queue in worker.queues)
            if live != self._live.get(queue):
                self._live[queue] = live
                self._homes[queue] = tuple(
                    shard for shard in range(self._shards) if home_of(queue, shard, live) == self._id
                )
                log.debug("%s: home of %d of %d shards", queue, len(self._homes[queue]), self._shards)

    async def leave(self) -> None:
        """Tell the others that this process takes no more, so that its shards find a home at once."""
        self._leaving = True
        self._homes.clear()
        await self._presence.beat(self._id, ())

    async def withdraw(self) -> None:
        """Forget this process's figures."""
        await self._presence.withdraw(self._id)

    def _lost(self, error: UnavailableError) -> None:
        if not self.away:
            log.warning("%s; waiting for it", error)
        self.away = True

    def _recovered(self) -> None:
        if self.away:
            log.info("Redis is back")
        self.away = False
