"""Who leads: a lease in Redis with an epoch that never goes back, whatever became of Redis meanwhile.

The epoch is the greater of Redis TIME in milliseconds and one above every epoch that a shard has seen: a counter alone
goes back when a replica is promoted, TIME alone when a clock does.
"""

import time
from collections.abc import Callable, Sequence

from streampoll.shards.clock import Clock
from streampoll.shards.keys import Keys
from streampoll.shards.port import DispatchStreams
from streampoll.shards.scripts import Scripts


class LeaderLease:
    """One coordinator's claim to lead."""

    def __init__(self, scripts: Scripts, keys: Keys, own_id: str, lease_s: float, clock: Clock) -> None:
        self._scripts = scripts
        self._keys = keys
        self._id = own_id
        self._lease_ms = int(lease_s * 1000)
        self._clock = clock
        self._monotonic: Callable[[], float] = time.monotonic
        self._until = 0.0
        self.epoch = 0
        self.holder = ""

    @property
    def held(self) -> bool:
        """True while this process may act as the leader, by its own monotonic clock."""
        return self.epoch > 0 and self._monotonic() < self._until

    async def take(self, streams: DispatchStreams, shards: Sequence[int], newer: bool = False) -> bool:
        """Take or renew the lease; with `newer` (after `fenced`) a held one gets a new epoch. True if it is ours."""
        least = 0
        if newer or not self.held:
            least = max(await streams.epochs(shards), default=0) + 1
        sent, sent_monotonic = self._clock.ticks(), self._monotonic()
        epoch, now_ms, holder = await self._scripts.one(
            "lead", [self._keys.leader], [self._id, self._lease_ms, least, int(newer)]
        )
        self._clock.observe(now_ms, sent, self._clock.ticks())
        self.epoch, self.holder = int(epoch), holder.decode()
        if self.epoch:
            self._until = sent_monotonic + self._lease_ms / 1000
        return self.epoch > 0

    async def resign(self) -> None:
        """Give the lease up, so that a standby need not wait for its end."""
        self._until = 0.0
        await self._scripts.one("resign", [self._keys.leader], [self._id])
