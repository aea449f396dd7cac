"""The sweep: each second, the home of a shard claims what others left behind and lets the delayed back in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from streampoll.errors import UnavailableError
from streampoll.logs import about
from streampoll.model import QueueClass
from streampoll.shards.port import Portion, Swept
from streampoll.worker.attempt import Counts, Surroundings

log = logging.getLogger(__name__)

_AT_ONCE = 100
_CLAIMS_AT_ONCE = 10  # of a shard, where each is full: an outage may have left thousands
_RETIRE_EVERY = 60  # sweeps


class Sweeper:
    """Sweeps the home shards of one queue class in one process.

    `room` says how many entries may be claimed now (0: none, as in a drain), `admit` takes them.
    """

    def __init__(
        self,
        queue: QueueClass,
        claim_idle_s: float,
        around: Surroundings,
        room: Callable[[], int],
        admit: Callable[[Swept], None],
    ) -> None:
        self._queue = queue
        self._claim_idle_s = claim_idle_s
        self._around = around
        self._room = room
        self._admit = admit
        self._after = 0.0
        self._shard_after: dict[int, float] = {}  # shards that were away by themselves are swept again from then on
        self._cursors: dict[int, bytes] = {}
        self._asked: dict[int, float] = {}  # shard -> when it was asked last

    def hold_off(self, shards: Iterable[int] | None = None) -> None:
        """Redis, or that of some shards, was away: its idle clocks ran on, so others must have time to renew first."""
        until = self._around.monotonic() + self._claim_idle_s / 3
        if shards is None:
            self._after = until
        else:
            self._shard_after.update(dict.fromkeys(shards, until))

    async def run(self, ready: Callable[[], Awaitable[None]], counts: Counts) -> None:
        """Sweep each second, for ever, once the handler is `ready`."""
        rounds = 0
        while True:
            await asyncio.sleep(1.0)
            rounds += 1
            try:
                await ready()
                await self._sweep(counts)
                if rounds % _RETIRE_EVERY == 0:
                    await self._retire()
            except UnavailableError as error:
                log.debug("%s: %s", self._queue, error)
                self.hold_off()

    async def _retire(self) -> None:
        """Delete the consumers of processes that are gone: each process life has a name of its own."""
        for shard in self._around.homes(self._queue):
            await self._around.streams.retire(self._queue, shard, self._around.live())

    async def _sweep(self, counts: Counts) -> None:
        """Claim of all home shards at once, and again of those that may have more."""
        left = list(self._around.homes(self._queue))
        await self._around.streams.promote(self._queue, left, _AT_ONCE)
        for _ in range(_CLAIMS_AT_ONCE):
            portions = self._portions(left)
            if not portions:
                return
            full = await self._claim(portions, counts)
            asked = {portion.shard for portion in portions}
            left = [shard for shard in left if shard not in asked] + full

    def _portions(self, shards: Sequence[int]) -> list[Portion]:
        """Share out the room there is now; where it is less than an entry a shard, to those who waited the longest."""
        now = self._around.monotonic()
        shards = [shard for shard in shards if now >= max(self._after, self._shard_after.get(shard, 0.0))]
        if not shards or (room := self._room()) <= 0:
            return []
        shards = sorted(shards, key=lambda shard: self._asked.get(shard, 0.0))[:room]
        self._asked.update(dict.fromkeys(shards, now))
        count = min(room // len(shards), _AT_ONCE)
        return [Portion(shard, count, self._cursors.get(shard, b"0-0")) for shard in shards]

    async def _claim(self, portions: Sequence[Portion], counts: Counts) -> list[int]:
        """Claim portions; return the shards that brought all that was asked for, so that there may be more.

        Some may be away by themselves, in a Cluster; they wait by themselves then.
        """
        idle_ms = int(self._claim_idle_s * 1000)
        swept = await self._around.streams.sweep(self._queue, self._around.consumer, idle_ms, portions)
        for shard, brought in swept.items():
            self._cursors[shard] = brought.cursor
            self._note(shard, brought, counts)
            self._admit(brought)
        if away := [portion.shard for portion in portions if portion.shard not in swept]:
            log.debug("%s: shards %s were away", self._queue, away)
            self.hold_off(away)
        return [each.shard for each in portions if each.shard in swept and len(swept[each.shard].entries) == each.count]

    def _note(self, shard: int, swept: Swept, counts: Counts) -> None:
        claimed, payloads_lost = len(swept.entries), swept.payloads_lost
        counts.claimed += claimed
        counts.claimed_by_shard[shard] += claimed
        counts.payloads_lost += payloads_lost
        if claimed:
            log.info("%s: claimed %d entries of shard %d that were left by others", self._queue, claimed, shard,
                     extra=about(shard=shard))  # fmt: skip
        if payloads_lost:
            log.error("%s: %d entries of shard %d had lost their payload", self._queue, payloads_lost, shard,
                      extra=about(shard=shard))  # fmt: skip
        if swept.adopted:
            log.error("%s: %d entries of shard %d were held by nobody: was a consumer deleted by hand?",
                      self._queue, swept.adopted, shard, extra=about(shard=shard))  # fmt: skip
