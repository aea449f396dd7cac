"""The last step of the chain: what handlers decided is told to Redis, many entries a round trip.

Settling one by one is what makes a stream slow (7,700 entries a second against 62,000). So decisions are gathered: a
lone one for a few milliseconds, on a busy stream for as long as more come and their class allows; and while one call is
under way the next gathers. Every call may be sent again: the scripts check the owner, and find nothing left to do the
second time.

Decisions about a shard whose server is away are set aside until it is asked again, with back-off; those about others go
on (in a Cluster one node may be away by itself).
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from streampoll.errors import RedisPartlyUnavailable, UnavailableError
from streampoll.model import QueueClass
from streampoll.shards.entries import Delivered
from streampoll.shards.port import Later, Postponed, Released, Settled, WorkStreams
from streampoll.shards.rows import SEVERAL, rows_in
from streampoll.worker.port import LONE_S, Bury, Conclusion, Disposition, Draft, Emit, Finish, Release, Retry

log = logging.getLogger(__name__)

FULL = 256  # this many are not waited on any longer
QUIET_S = 0.02  # nothing new for so long: no more is waited for
_BACK_OFF_S = (0.1, 2.0)

_TURNED: dict[type[Conclusion], str] = {Retry: "retried", Release: "released", Bury: "buried"}

Decision = tuple[Delivered, Disposition]
Key = tuple[int, bytes]
"""(shard, id) of an entry."""


class Settler:
    """Settles the entries of one queue class for one consumer.

    `made` makes a disposition of its draft, whatever happens; `on_settled` is told of each entry that is off our hands,
    and whether it was still ours when it went.
    """

    def __init__(
        self,
        queue: QueueClass,
        consumer: str,
        streams: WorkStreams,
        idle_ms: int,
        made: Callable[[Delivered, Draft], Disposition],
        on_settled: Callable[[Delivered, bool], None],
        gather_s: float = LONE_S,
    ) -> None:
        self._queue = queue
        self._consumer = consumer
        self._streams = streams
        self._idle_ms = idle_ms
        self._made = made
        self._on_settled = on_settled
        self._gather_s = gather_s
        self._told_at = 0.0  # by the loop's clock
        self._pending: list[tuple[Delivered, Conclusion]] = []
        self._aside: dict[int, list[tuple[Delivered, Conclusion]]] = {}  # shard that is away -> what it is to be told
        self._pauses_s: dict[int, float] = {}  # shard that did not answer last time -> how long it was left alone
        self._sending = 0
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self.turned = {"retried": 0, "released": 0, "buried": 0, "stale": 0}  # entries that were not simply finished

    def add(self, delivered: Delivered, answer: Conclusion) -> None:
        """Take a decision on; it is sent within milliseconds."""
        self._count(answer)
        if (aside := self._aside.get(delivered.shard)) is not None:
            aside.append((delivered, answer))
            return
        pending = self._pending
        if not pending:
            self._wake.set()
        pending.append((delivered, answer))
        if len(pending) >= FULL:
            self._full.set()

    @property
    def unsettled(self) -> int:
        """Decisions that Redis does not know yet."""
        return len(self._pending) + self._sending + sum(map(len, self._aside.values()))

    async def run(self) -> None:
        """Send decisions as they come, for ever; while Redis is away they are kept."""
        while True:
            await self._gather()
            await self._flush()

    async def _gather(self) -> None:
        """Wait for the first decision, then for more as long as they come; only a little if none was told just now."""
        await self._wake.wait()
        loop = asyncio.get_running_loop()
        is_busy = loop.time() - self._told_at < self._gather_s
        left_s = self._gather_s if is_busy else min(LONE_S, self._gather_s)
        before = 0
        while before < len(self._pending) < FULL and left_s > 0:
            before = len(self._pending)
            pause_s = min(QUIET_S, left_s)
            left_s -= pause_s
            self._full.clear()
            timer = loop.call_later(pause_s, self._full.set)
            await self._full.wait()
            timer.cancel()

    async def _flush(self) -> None:
        """Send what is pending now; on a bug or a cancellation all of it is pending again."""
        batch = self._to_send()
        self._sending = len(batch)
        try:
            gone, untold = await self._send(batch)
        except BaseException:
            self._pending = batch + self._pending
            self._wake.set()
            raise
        finally:
            self._sending = 0
            self._told_at = asyncio.get_running_loop().time()
        self._note_away({delivered.shard for delivered, _ in batch}, {shard for shard, _ in untold})
        for delivered, disposition in batch:
            if (key := (delivered.shard, delivered.id)) in untold:
                self._aside[delivered.shard].append((delivered, disposition))
            else:
                self._on_settled(delivered, key not in gone or self._stale(disposition))

    def _stale(self, disposition: Disposition) -> bool:
        """Count an entry that was handed back for the records it writes; like any that is released, it was ours."""
        stale = isinstance(disposition, Finish | Bury) and bool(disposition.writes)
        self.turned["stale"] += stale
        return stale

    def _to_send(self) -> list[Decision]:
        """Take what is pending; what came for a shard while a call went out that found it away waits with the rest."""
        pending, self._pending = self._pending, []
        self._wake.clear()
        for delivered, answer in pending if self._aside else ():
            if (aside := self._aside.get(delivered.shard)) is not None:
                aside.append((delivered, answer))
        return [(each, self._decided(each, answer)) for each, answer in pending if each.shard not in self._aside]

    def _decided(self, delivered: Delivered, answer: Conclusion) -> Disposition:
        if not isinstance(answer, partial):
            return answer
        disposition = self._made(delivered, answer)
        self._count(disposition)
        return disposition

    def _count(self, answer: Conclusion) -> None:
        if turned := _TURNED.get(type(answer)):
            self.turned[turned] += 1

    def _note_away(self, asked: Iterable[int], away: Iterable[int]) -> None:
        """Leave shards that are away alone for a while, longer each time."""
        least_s, most_s = _BACK_OFF_S
        pauses_s = {shard: min(2 * self._pauses_s.get(shard, least_s / 2), most_s) for shard in away}
        for shard in asked:
            self._pauses_s.pop(shard, None)
        self._pauses_s.update(pauses_s)
        loop = asyncio.get_running_loop()
        for shard, pause_s in pauses_s.items():
            self._aside[shard] = []
            loop.call_later(pause_s * random.uniform(0.5, 1.0), self._ask_again, shard)

    def _ask_again(self, shard: int) -> None:
        self._pending = self._aside.pop(shard) + self._pending
        self._wake.set()

    async def _send(self, batch: Sequence[Decision]) -> tuple[set[Key], set[Key]]:
        """Send decisions; return the entries that were not ours any more, and those whose shard could not be told."""
        answers = await asyncio.gather(*map(self._told, _by_call(batch)))
        return set().union(*(gone for gone, _ in answers)), set().union(*(untold for _, untold in answers))

    async def _told(self, decisions: Sequence[Decision]) -> tuple[AbstractSet[Key], AbstractSet[Key]]:
        try:
            return await self._tell(decisions), set()
        except RedisPartlyUnavailable as error:
            return error.gone, {(each.shard, each.id) for each, _ in decisions if each.shard in error.away}
        except UnavailableError as error:
            log.debug("%s: %d entries can't be settled now: %s", self._queue, len(decisions), error)
            return set(), {(each.shard, each.id) for each, _ in decisions}

    async def _tell(self, decisions: Sequence[Decision]) -> AbstractSet[Key]:
        """Make one call; return the entries that were not ours any more."""
        queue, consumer, streams = self._queue, self._consumer, self._streams
        delivered, first = decisions[0]
        shard = delivered.shard
        match first:
            case Retry():
                ids = await streams.retry(queue, consumer, shard, list(_postponed(decisions)))
            case Release(_, counted):
                handed = Released(shard, [each.id for each, _ in decisions], counted)
                ids = await streams.release(queue, consumer, handed, self._idle_ms)
            case _:
                return await streams.finish(queue, consumer, _finished(decisions))
        return {(shard, entry_id) for entry_id in ids}


def _by_call(batch: Iterable[Decision]) -> Iterable[list[Decision]]:
    """Sort decisions into calls: one for all that are finished, one a shard for each other kind."""
    finished: list[Decision] = []
    others: dict[tuple[type[Disposition], int, bool], list[Decision]] = defaultdict(list)
    for decision in batch:
        delivered, disposition = decision
        if isinstance(disposition, Finish | Bury):  # nearly all of them: hence no match, and the pairs as they are
            finished.append(decision)
        else:
            counted = isinstance(disposition, Release) and disposition.counted
            others[type(disposition), delivered.shard, counted].append(decision)
    return [finished, *others.values()] if finished else others.values()


def _finished(decisions: Iterable[Decision]) -> dict[int, list[Settled]]:
    finished: dict[int, list[Settled]] = defaultdict(list)
    for delivered, disposition in decisions:
        if isinstance(disposition, Finish):
            settled = _settled(delivered, disposition.emits)
        elif isinstance(disposition, Bury):
            settled = _settled(delivered, disposition.emits, disposition.cause or "for no reason given")
        else:
            continue  # not of this call
        settled.writes = disposition.writes
        finished[delivered.shard].append(settled)
    return finished


def _postponed(decisions: Iterable[Decision]) -> Iterable[Postponed]:
    for delivered, disposition in decisions:
        if isinstance(disposition, Retry):
            yield Postponed(delivered.id, disposition.entry, int(disposition.delay_s * 1000))


def _settled(delivered: Delivered, emits: Iterable[Emit], cause: str = "") -> Settled:
    entry = delivered.entry
    pairs = []
    later: list[Later] = []
    for emit in emits:
        if (emit.delay_s or emit.unique) and isinstance(emit.queue, QueueClass):
            later.append(Later(emit.queue, emit.entry, int(emit.delay_s * 1000), emit.unique))
        else:
            pairs.append((emit.queue, emit.entry))
    if entry is None:
        return Settled(delivered.id, "", 0, pairs, cause, later)
    settled = Settled(delivered.id, entry.job, entry.slot, pairs, cause, later)
    if entry.kind in SEVERAL:
        settled.rows = rows_in(entry)
    return settled
