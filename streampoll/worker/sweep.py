"""The sweep: each second, the home of a shard claims what others left behind and lets the delayed back in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from streampoll.errors import UnavailableError
from streampoll.logs import about
from streampoll.model import QueueClass
from streampoll.shards.port import Swept
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
        homes = list(self._around.homes(self._queue))
        await self._around.streams.promote(self._queue, homes, _AT_ONCE)
        for shard in homes:
            for _ in range(_CLAIMS_AT_ONCE):
                if not (room := self._room_in(shard)) or not await self._claim(shard, room, counts):
                    break

    def _room_in(self, shard: int) -> int:
        """Return how many entries of a shard may be claimed now."""
        if self._around.monotonic() < max(self._after, self._shard_after.get(shard, 0.0)):
            return 0
        return max(0, min(self._room(), _AT_ONCE))

    async def _claim(self, shard: int, room: int, counts: Counts) -> bool:
        """Claim of one shard; in a Cluster it may be the only one that is away, and then waits by itself.

        True if it brought all that was asked for, so that there may be more.
        """
        try:
            swept = await self._around.streams.sweep(
                self._queue, self._around.consumer, shard, int(self._claim_idle_s * 1000),
                self._cursors.get(shard, b"0-0"), room,
            )  # fmt: skip
        except UnavailableError as error:
            log.debug("%s: shard %d: %s", self._queue, shard, error, extra=about(shard=shard))
            self.hold_off([shard])
            return False
        self._cursors[shard] = swept.cursor
        self._note(shard, swept, counts)
        self._admit(swept)
        return len(swept.entries) == room

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
