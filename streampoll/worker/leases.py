"""What one process holds of one queue class: renewed in time, and given up where it was not."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from streampoll.errors import RedisPartlyUnavailable, UnavailableError
from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered
from streampoll.worker.attempt import Surroundings

log = logging.getLogger(__name__)


class Leases:
    """The deliveries that are ours until they are settled or lost.

    `lost` is told which are not ours any more; `away`, which shards could not be asked (None: none could).
    """

    def __init__(
        self,
        queue: QueueClass,
        claim_idle_s: float,
        around: Surroundings,
        lost: Callable[[Sequence[Delivered]], None],
        away: Callable[[Iterable[int] | None], None],
    ) -> None:
        self._queue = queue
        self._claim_idle_s = claim_idle_s
        self._around = around
        self._lost = lost
        self._away = away
        self._held: dict[tuple[int, bytes], Delivered] = {}
        self._renewed: dict[int, float] = {}  # shard -> when the last renewal that it answered was sent

    def __len__(self) -> int:
        return len(self._held)

    def take(self, delivered: Delivered) -> bool:
        """Hold a delivery; False if its entry is held already."""
        key = (delivered.shard, delivered.id)
        if key in self._held:
            return False
        self._held[key] = delivered
        return True

    def holds(self, delivered: Delivered) -> bool:
        """Tell whether a delivery is ours still; it is not if its entry was lost and delivered to us again."""
        return self._held.get((delivered.shard, delivered.id)) is delivered

    def end(self, delivered: Delivered) -> None:
        """Hold it no more: it is settled."""
        self._held.pop((delivered.shard, delivered.id), None)

    async def renew_for_ever(self) -> None:
        """Renew each third of the idle time; while Redis is away, try each second."""
        third_s = self._claim_idle_s / 3
        wait_s = third_s
        while True:
            await asyncio.sleep(wait_s)
            wait_s = third_s if await self._renew() else min(1.0, third_s / 3)

    async def _renew(self) -> bool:
        sent = self._around.monotonic()
        by_shard: dict[int, list[bytes]] = defaultdict(list)
        for shard, entry_id in self._held:
            by_shard[shard].append(entry_id)
        away: frozenset[int] = frozenset()
        try:
            lost = await self._around.streams.renew(self._queue, self._around.consumer, by_shard)
        except RedisPartlyUnavailable as error:
            lost, away = error.gone, error.away
            self._away(away)
        except UnavailableError as error:
            log.debug("%s: %s", self._queue, error)
            lost, away = frozenset(), frozenset(by_shard)
            self._away(None)
        finally:
            self._around.beat()
        self._renewed.update((shard, sent) for shard in by_shard if shard not in away)
        self._give_up([delivered for key in lost if (delivered := self._held.get(key)) is not None])
        self._fence()
        return not away

    def _fence(self) -> None:
        """Past its own deadline without a renewal, a lease is not ours any more: cancel, start no side effect."""
        late = self._around.monotonic() - self._claim_idle_s
        held = self._held.values()
        self._give_up([each for each in held if max(each.leased, self._renewed.get(each.shard, 0.0)) < late])

    def _give_up(self, lost: Sequence[Delivered]) -> None:
        for delivered in lost:
            self.end(delivered)
        self._lost(lost)
