"""The last step of the chain: what handlers decided is told to Redis, many entries a round trip.

Settling one by one is what makes a stream slow (7,700 entries a second against 62,000). So decisions are gathered for
a few milliseconds, and while one call is under way the next gathers. Every call may be sent again: the scripts check
the owner, and find nothing left to do the second time.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from streampoll.errors import UnavailableError
from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered
from streampoll.shards.port import Postponed, Released, Settled, WorkStreams
from streampoll.worker.port import Bury, Disposition, Emit, Finish, Release, Retry

log = logging.getLogger(__name__)

GATHER_S = 0.005
FULL = 256  # this many are not waited on any longer
_BACK_OFF_S = (0.1, 2.0)

Decision = tuple[Delivered, Disposition]


class Settler:
    """Settles the entries of one queue class for one consumer.

    `on_settled` is told of each entry that is off our hands, and whether it was still ours when it went.
    """

    def __init__(
        self,
        queue: QueueClass,
        consumer: str,
        streams: WorkStreams,
        idle_ms: int,
        on_settled: Callable[[Delivered, bool], None],
    ) -> None:
        self._queue = queue
        self._consumer = consumer
        self._streams = streams
        self._idle_ms = idle_ms
        self._on_settled = on_settled
        self._pending: list[Decision] = []
        self._sending = 0
        self._wake = asyncio.Event()
        self._full = asyncio.Event()

    def add(self, delivered: Delivered, disposition: Disposition) -> None:
        """Take a decision on; it is sent within milliseconds."""
        self._pending.append((delivered, disposition))
        self._wake.set()
        if len(self._pending) >= FULL:
            self._full.set()

    @property
    def unsettled(self) -> int:
        """Decisions that Redis does not know yet."""
        return len(self._pending) + self._sending

    async def run(self) -> None:
        """Send decisions as they come, for ever; while Redis is away they are kept."""
        back_off_s = _BACK_OFF_S[0]
        while True:
            await self._gather()
            try:
                await self.flush()
                back_off_s = _BACK_OFF_S[0]
            except UnavailableError as error:
                log.debug("%s: %d entries can't be settled now: %s", self._queue, self.unsettled, error)
                await asyncio.sleep(back_off_s * random.uniform(0.5, 1.0))
                back_off_s = min(2 * back_off_s, _BACK_OFF_S[1])

    async def _gather(self) -> None:
        """Wait for the first decision, then a little for more."""
        await self._wake.wait()
        if len(self._pending) < FULL:
            self._full.clear()
            loop = asyncio.get_running_loop()
            timer = loop.call_later(GATHER_S, self._full.set)
            await self._full.wait()
            timer.cancel()

    async def flush(self) -> None:
        """Send what is pending now; on an error all of it is pending again."""
        batch, self._pending = self._pending, []
        self._wake.clear()
        if not batch:
            return
        self._sending = len(batch)
        try:
            gone = await self._send(batch)
        except BaseException:
            self._pending = batch + self._pending
            self._wake.set()
            raise
        finally:
            self._sending = 0
        for delivered, _ in batch:
            self._on_settled(delivered, (delivered.shard, delivered.id) not in gone)

    async def _send(self, batch: Sequence[Decision]) -> set[tuple[int, bytes]]:
        finished: dict[int, list[Settled]] = defaultdict(list)
        postponed: dict[int, list[Postponed]] = defaultdict(list)
        released: dict[tuple[int, bool], list[bytes]] = defaultdict(list)
        for delivered, disposition in batch:
            match disposition:
                case Finish(emits):
                    finished[delivered.shard].append(_settled(delivered, emits))
                case Bury(cause, emits):
                    finished[delivered.shard].append(_settled(delivered, emits, cause))
                case Retry(entry, delay_s):
                    postponed[delivered.shard].append(Postponed(delivered.id, entry, int(delay_s * 1000)))
                case Release(_, counted):
                    released[delivered.shard, counted].append(delivered.id)
        gone: set[tuple[int, bytes]] = set()
        if finished:
            gone |= await self._streams.finish(self._queue, self._consumer, finished)
        for shard, entries in postponed.items():
            ids = await self._streams.retry(self._queue, self._consumer, shard, entries)
            gone.update((shard, lost) for lost in ids)
        for (shard, counted), held in released.items():
            handed = Released(shard, held, counted)
            ids = await self._streams.release(self._queue, self._consumer, handed, self._idle_ms)
            gone.update((shard, lost) for lost in ids)
        return gone


def _settled(delivered: Delivered, emits: Iterable[Emit], cause: str = "") -> Settled:
    entry = delivered.entry
    pairs = [(emit.queue, emit.entry) for emit in emits]
    if entry is None:
        return Settled(delivered.id, "", 0, pairs, cause)
    return Settled(delivered.id, entry.job, entry.slot, pairs, cause)
