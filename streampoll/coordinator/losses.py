"""What Redis lost is put on record: only where there is a record does a poll that is missing count as `lost`.

A record says: polls of this shard, of these ticks, may have been in Redis when it lost its data. Its first tick is the
one behind those that were *final* (nothing of them left in Redis) when the leader last looked and PostgreSQL last took
note; its last is the last that was dispatched before the loss. What was final before stays `missing` if it is short.

A loss is noticed in four ways, since it may take the lease along:

- a leader finds that Redis holds an older mark than it had confirmed (`Setback`): at its next dispatch of the line, or
  when it looks at what is final, for a line may have nothing to dispatch for an hour. Its term begins anew then
- a new leader finds an older mark than the ledger in PostgreSQL has; it looks before it dispatches, since its own ticks
  will be in the ledger too, and does not wait for a PostgreSQL that is away
- a new leader finds no mark at all where the ledger in PostgreSQL has entries of the same job and shard
- what is counted as open is in no stream: single entries were deleted by hand

Whoever notices it, and if nobody does: a term goes on from the marks that Redis holds, and where there is none behind
what was final. So all that may have been lost is gone over again: dispatched if it is recent, else skipped, as after
any pause. That is in the ledger with the new mark, by one script; so that a tick was lost after its dispatch shows
there too (results/equation.py), when nobody lived to put it on record.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streampoll.coordinator.line import Line, Setback, WentBack
from streampoll.coordinator.planning import Place
from streampoll.errors import UnavailableError
from streampoll.logs import about
from streampoll.shards.finality import JUDGED
from streampoll.shards.port import DispatchStreams, Ghost, ShardFigures, mark_of, tick_of

log = logging.getLogger(__name__)

LOOK_S = 5.0  # between two notes of what is final
_LOOK_BACK_S = 0.5  # dispatch waits for it


@dataclass(frozen=True, slots=True)
class Loss:
    """Ticks of a shard, first and last, some of whose polls may have been lost with Redis' data."""

    shard: int
    first: int
    last: int
    reason: str


class LossStore(Protocol):
    """Where losses are on record."""

    async def final(self) -> Mapping[int, int]:
        """Return the tick up to which each shard is known to be final."""

    async def note_final(self, ticks: Mapping[int, int]) -> None:
        """Take note of the tick up to which each shard is final."""

    async def dispatched(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Return the last tick that the ledger has of a (job, shard), for those of which it has any."""

    async def began(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Return the first tick of any plan of a (job, shard), for those that have one."""

    async def record(self, losses: Sequence[Loss]) -> None:
        """Put losses on record; idempotent."""


class Losses:
    """Notices losses and keeps them until they are on record."""

    def __init__(self, store: LossStore, streams: DispatchStreams, shards: Sequence[int]) -> None:
        self._store = store
        self._streams = streams
        self._shards = shards
        self._final: dict[int, int] | None = None  # as PostgreSQL has it; None: not read in this term
        self._lines: Mapping[Place, Line] = {}
        self._settled: set[Place] = set()  # without a mark, and it is known where they go on
        self._setbacks: list[Setback] = []
        self._unrecorded: list[Loss] = []
        self._noticed = asyncio.Event()

    def begin(self, lines: Mapping[Place, Line]) -> None:
        """Begin a term with these lines; what an earlier term noticed stays to be recorded."""
        self._final, self._lines = None, lines
        self._settled.clear()

    @property
    def _doubtful(self) -> list[Place]:
        """Lines without a mark: are they new, or did Redis forget them?"""
        return sorted(place for place, line in self._lines.items() if not line.mark and place not in self._settled)

    async def look_back(self, now: int) -> None:
        """Notice marks older than the ledger; ticks ahead of `now` are no sign, for the clock may have gone back."""
        marked = {place: line.mark for place, line in self._lines.items() if line.mark}
        try:
            async with asyncio.timeout(_LOOK_BACK_S):
                known = await self._store.dispatched(sorted(marked))
        except (UnavailableError, TimeoutError) as error:
            log.debug("losses: not compared with the ledger: %r", error)
            return
        for (job, shard), last in known.items():
            if tick_of(mark := marked[job, shard]) < last <= now:
                self.notice(Setback(job, shard, mark_of(last, 0), mark))

    async def resolve(self) -> None:
        """Let lines that Redis forgot go on behind what was final, before they are given a plan.

        Raises:
            UnavailableError: PostgreSQL is away, and nothing is known.
        """
        doubtful = self._doubtful
        if not doubtful:
            return
        final = await self._read_final()
        last = await self._store.dispatched(doubtful)
        began = await self._store.began(sorted(last))
        for place, tick in last.items():
            self._lines[place].go_on_behind(last_final(tick, began.get(place, tick + 1), final.get(place[1])))
        self._unrecorded += forgotten({place: (self._lines[place].tick, tick) for place, tick in last.items()})
        self._noticed.set()

    def settle(self) -> None:
        """Take note that all lines there are know where they go on."""
        self._settled = set(self._lines)

    def notice(self, setback: Setback) -> None:
        """Take a loss that the leader has met."""
        log.error(
            "job %s, shard %d: Redis lost data: it had confirmed tick %d and now holds %s",
            setback.job, setback.shard, tick_of(setback.expected), tick_of(setback.found) or "none",
            extra=about(setback.job, shard=setback.shard),
        )  # fmt: skip
        self._setbacks.append(setback)
        self._noticed.set()

    async def keep_for_ever(self) -> None:
        """Record losses as they are noticed, and note now and then what is final; outages are waited out."""
        while True:
            try:
                await self.keep()
            except UnavailableError as error:
                log.debug("losses: %s", error)
            try:
                async with asyncio.timeout(1.0 if self._behind else LOOK_S):
                    await self._noticed.wait()
            except TimeoutError:
                pass

    @property
    def _behind(self) -> bool:
        return bool(self._unrecorded or self._setbacks or self._doubtful)

    async def _read_final(self) -> dict[int, int]:
        if self._final is None:
            self._final = dict(await self._store.final())
        return self._final

    async def keep(self) -> None:
        """Do all there is to do, in this order: what is final is not moved on past a loss that is not on record.

        Raises:
            WentBack: Redis holds an older mark than it had confirmed.
        """
        self._noticed.clear()
        places = self._lines.keys() - self._doubtful
        fresh = await self._look()
        final = await self._read_final()
        setbacks, self._setbacks = self._setbacks, []
        self._unrecorded += went_back(setbacks, final)
        self._unrecorded += vanished(await self._streams.reconcile(self._shards))
        if self._unrecorded:
            await self._record()
        if fresh and self._lines.keys() == places and not self._setbacks:
            await self._store.note_final(fresh)
            final |= fresh

    async def _look(self) -> dict[int, int]:
        """Return what is final, by what Redis holds."""
        before = {place: (line.mark, line.tick) for place, line in self._lines.items()}
        figures = await self._streams.figures(self._shards)
        marks = {(job, shard.shard): mark for shard in figures for job, mark in shard.dispatched.items()}
        behind = [
            line.setback(marks.get(place, 0))
            for place, line in self._lines.items()
            if place in before and marks.get(place, 0) < line.mark == before[place][0]  # or the clock brought it back
        ]
        for setback in behind:
            self.notice(setback)
        if behind:
            raise WentBack
        return {shard.shard: tick for shard in figures if (tick := final_before(shard, before)) is not None}

    async def _record(self) -> None:
        losses = tuple(self._unrecorded)
        await self._store.record(losses)
        del self._unrecorded[: len(losses)]
        for loss in losses:
            log.error("shard %d: ticks %d to %d: %s; what is short there counts as lost",
                      loss.shard, loss.first, loss.last, loss.reason, extra=about(shard=loss.shard))  # fmt: skip


def final_before(shard: ShardFigures, lines: Mapping[Place, tuple[int, int]]) -> int | None:
    """Return the tick up to which nothing of a shard is left in Redis, nor to be dispatched.

    `lines` are their (mark, next tick) from before the figures were read. None if Redis does not hold these marks any
    more (or yet): what is not there may be lost, and is not final.
    """
    ticks = [slot - 1 for (queue, _, slot), count in shard.open.items() if queue in JUDGED and count]
    for (job, number), (mark, tick) in lines.items():
        if number == shard.shard:
            if shard.dispatched.get(job, 0) < mark:
                return None
            ticks.append(tick - 1)
    return min(ticks, default=None)


def last_final(dispatched: int, began: int, final: int | None) -> int:
    """Return the tick behind which all may be lost of a line: `final` is its shard's, `began` that of its first plan.

    A clock that went back may have had ticks dispatched from before its first plan.
    """
    behind = min(dispatched, began - 1 if final is None else final)
    return behind if dispatched < began else max(behind, began - 1)


def forgotten(gone_over: Mapping[Place, tuple[int, int]]) -> list[Loss]:
    """Return the losses that a new leader infers: Redis has no mark, and goes over these ticks again."""
    return [
        Loss(shard, first, last, f"Redis has no mark of job {job} any more")
        for (job, shard), (first, last) in gone_over.items()
        if first <= last
    ]


def went_back(setbacks: Sequence[Setback], final: Mapping[int, int]) -> list[Loss]:
    """Return the losses that a leader met: all that was not final where the mark is gone, else the step."""
    gone = [each for each in setbacks if not each.found]
    stepped = [each for each in setbacks if each.found]
    reason = "Redis had confirmed a tick of job {} that it does not hold any more"
    return [
        *_losses([(each.shard, tick_of(each.expected), reason.format(each.job)) for each in gone], final),
        *(
            Loss(each.shard, tick_of(each.found), tick_of(each.expected), reason.format(each.job))
            for each in stepped
        ),
    ]  # fmt: skip


def vanished(ghosts: Sequence[Ghost]) -> list[Loss]:
    """Return the losses of entries that are counted as open and are not there: their payloads are gone."""
    judged = {(ghost.shard, ghost.slot) for ghost in ghosts if ghost.queue in JUDGED}
    return [Loss(shard, slot, slot, "entries are gone from their stream") for shard, slot in sorted(judged)]


def _losses(found: Sequence[tuple[int, int, str]], final: Mapping[int, int]) -> list[Loss]:
    """Make one loss a shard, up to the last of its ticks; without a note of what is final, of that tick alone."""
    last: dict[int, tuple[int, str]] = {}
    for shard, tick, reason in found:
        last[shard] = max(last.get(shard, (0, "")), (tick, reason))
    return [Loss(shard, min(final.get(shard, tick - 1) + 1, tick), tick, why) for shard, (tick, why) in last.items()]
