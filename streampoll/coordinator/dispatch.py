"""The coordinator: wait to lead, lead, dispatch what is due each second, until told to stop.

A term is what happens between taking the lease and losing it. All its knowledge is made anew from Redis (how far the
dispatch has come) and the configuration (plans), so a standby that takes over is a coordinator that starts.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

from streampoll.config.settings import CoordinatorSettings
from streampoll.coordinator.line import Line, Pace, WentBack
from streampoll.coordinator.losses import Losses, LossStore
from streampoll.coordinator.pauses import HEED_S, NOTHING_PAUSED, Pauses
from streampoll.coordinator.plan import Plan
from streampoll.coordinator.planning import Place, Planning, PlanStore
from streampoll.errors import ConfigError, UnavailableError
from streampoll.shards.port import Answer, Dispatch, Dispatched, DispatchStreams, Lease
from streampoll.tally import Counted, field

log = logging.getLogger(__name__)

Told = Callable[[Sequence[Dispatch], Sequence[Dispatched], float], Awaitable[None]]
"""Is told what was sent, what was answered, and when that began, in wall-clock seconds of Redis."""

_PARTS_AT_ONCE = 64  # in one round trip
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Ports:
    """What a coordinator works with."""

    streams: DispatchStreams
    lease: Lease
    plans: PlanStore
    now: Callable[[], float]  # wall-clock seconds of Redis
    beat: Callable[[], None]
    load: Callable[[], Sequence[Plan]]  # the plans that the configuration asks for; raises ConfigError
    losses: LossStore
    publish: Callable[[Mapping[str, Any]], Awaitable[None]]  # figures for `stats`
    pauses: Pauses = NOTHING_PAUSED
    told: Told | None = None  # of each round trip; None: nobody is


class Fenced(Exception):  # noqa: N818 - an event in a term, not an error
    """A shard has seen a newer leader."""


class Coordinator:
    """Leads when it can, stands by when it can't."""

    def __init__(self, settings: CoordinatorSettings, shards: int, memory_high_water: float, ports: Ports) -> None:
        self._settings = settings
        self._shards = range(shards)
        self._high_water = memory_high_water
        self._ports = ports
        self._planning = Planning(ports.plans, self._leads)
        self._losses = Losses(ports.losses, ports.streams, self._shards)
        self._plans: Sequence[Plan] = ()  # of the configuration, those of paused jobs among them
        self._paused: frozenset[str] = frozenset()
        self._lines: dict[Place, Line] = {}
        self._skipped: Counter[str] = Counter()  # polls by job, since this term began
        self.counts: Counter[str] = Counter()  # since the process started, as in tally.py
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()  # ends a pause early: a stop, or plans that may be due at once
        self._changed = asyncio.Event()
        self._newer = False
        self._epoch = 0  # of this term
        self._skipping = ""
        self._standing_by_for = ""
        self._away = ""
        self._looked = 0  # the second that was looked at last
        self._lag_s = 0.0  # how late a second was looked at, the worst of late

    def stop(self) -> None:
        """Stop dispatching at the next tick, and resign."""
        self._stop.set()
        self._wake.set()

    def counted(self) -> Counted:
        """Return what was dispatched and skipped since the process started."""
        return dict(self.counts)

    def reload(self) -> None:
        """Look at the configuration again."""
        self._changed.set()

    async def run(self, plans: Sequence[Plan]) -> None:
        """Lead and stand by until stopped, by these plans until the configuration changes; outages are waited out."""
        self._plans = plans
        while not self._stop.is_set():
            try:
                if await self._ports.lease.take(self._ports.streams, self._shards, self._newer):
                    self._newer = False
                    await self._term()
                else:
                    self._stand_by()
                    await self._pause(self._settings.lease_s / 3)
            except* UnavailableError as away:
                self._outage(_first_line(away))
                await self._pause(_RETRY_S)
            except* Fenced:
                log.warning("a shard has seen a newer leader than epoch %d; taking a newer one", self._epoch)
                self._newer = True
            except* WentBack:
                log.warning("going on from what Redis holds now")
        await self._resign()

    def _stand_by(self) -> None:
        holder = self._ports.lease.holder
        if holder != self._standing_by_for:
            log.info("standing by: %s leads", holder)
            self._standing_by_for = holder

    def _outage(self, what: str) -> None:
        """Say once that something is away, though its errors vary while it goes and comes."""
        server = what.partition(":")[0]
        if server != self._away:
            log.warning("%s; trying again each second", what)
            self._away = server

    async def _pause(self, seconds: float) -> None:
        """Wait, but not past a stop, nor once there are plans to dispatch."""
        self._ports.beat()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
        self._ports.beat()

    async def _resign(self) -> None:
        try:
            await self._ports.lease.resign()
        except UnavailableError as error:
            log.debug("resign: %s", error)

    # -- a term

    async def _term(self) -> None:
        """Lead until the lease is lost or we are told to stop."""
        self._epoch = self._ports.lease.epoch
        if not await self._ports.streams.fence(self._epoch, self._shards):
            raise Fenced
        progress = await self._ports.streams.progress(self._shards)
        self._want(await self._ports.pauses.remembered())
        self._skipped.clear()
        self._lines = self._planning.resume(progress, floor(self._ports.now()))
        self._losses.begin(self._lines)
        await self._losses.look_back(floor(self._ports.now()))
        self._standing_by_for, self._away = "", ""
        jobs = {line.job for line in self._lines.values()}
        self.counts["leader_terms"] += 1
        log.info("leading with epoch %d: %d jobs over %d shards", self._epoch, len(jobs), len(self._shards))
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(self._renew_for_ever(), name="lease"),
                group.create_task(self._plan_for_ever(), name="plans"),
                group.create_task(self._losses.keep_for_ever(), name="losses"),
            ]
            try:
                while self._leads() and not self._stop.is_set():
                    await self._look()
                    await self._publish()
                    await self._until_next_second()
            finally:
                for task in beside:
                    task.cancel()

    def _leads(self) -> bool:
        """True while the lease that this term began with is held."""
        return self._ports.lease.held and self._ports.lease.epoch == self._epoch

    async def _renew_for_ever(self) -> None:
        """Renew the lease each third of it; `held` ends by itself when that fails.

        A process that was asleep may get the lease again, with a newer epoch: that is another term, for somebody else
        may have led meanwhile, by other plans.
        """
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            try:
                await self._ports.lease.take(self._ports.streams, self._shards)
                if not self._leads():
                    return
            except UnavailableError as error:
                self._outage(str(error))

    async def _plan_for_ever(self) -> None:
        """Take up changes of the configuration and pauses, and have plans committed; dispatch does not wait for it."""
        while True:
            await self._heed_and_commit()
            try:
                async with asyncio.timeout(_RETRY_S if self._planning.behind else HEED_S):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()
            await self._take_up_configuration()

    def _want(self, paused: frozenset[str]) -> None:
        """Plan by the configuration, but for jobs that are paused."""
        self._paused = paused
        self._planning.want(plan for plan in self._plans if plan.terms.job not in paused)

    async def _take_up_configuration(self) -> None:
        """Plan by the configuration as it is now; a bad one is refused with its lines, and the old one stays.

        A large inventory takes seconds to read: dispatch goes on meanwhile.
        """
        try:
            plans = await asyncio.to_thread(self._ports.load)
        except ConfigError as error:
            log.error("the new configuration is refused, the old one stays:\n%s", error)
            return
        self._plans = plans
        self._want(self._paused)
        self._planning.refresh(self._lines, floor(self._ports.now()))

    async def _heed_and_commit(self) -> None:
        """Take up what is paused, then have plans committed that are not: never one of a job that was paused before."""
        try:
            paused = await self._ports.pauses.decided()
            if paused != self._paused:
                self._want(paused)
                self._planning.refresh(self._lines, floor(self._ports.now()))
            if self._planning.behind:
                await self._commit()
            self._away = ""
        except UnavailableError as error:
            self._outage(str(error))

    async def _commit(self) -> None:
        await self._losses.resolve()
        await self._planning.commit(self._lines, floor(self._ports.now()))
        self._losses.settle()
        self._wake.set()

    async def _until_next_second(self) -> None:
        """Wait for the second after the one that was looked at, which may have begun during the look.

        A timer may fire, and a reading of the clock correct it, a moment before a second: then the look was at the one
        before, and the slot of this one is not to wait for the next.
        """
        now = self._ports.now()
        wait_s = max(0.0, min(self._looked, floor(now)) + 1 - now + 0.001)
        await self._pause(wait_s)
        self._lag_s = max(0.0, self._ports.now() - now - wait_s, 0.9 * self._lag_s)

    async def _publish(self) -> None:
        """Publish figures; that Redis has no room for them is no reason to stop leading."""
        try:
            await self._ports.publish(self._figures())
        except UnavailableError as error:
            log.debug("figures: %s", error)

    def _figures(self) -> dict[str, Any]:
        """What `stats` shows of jobs; see observe/snapshot.py for the reader."""
        devices: Counter[str] = Counter()
        for line in self._lines.values():
            devices[line.job] += line.plan.devices if line.plan else 0
        return {"devices": devices, "skipped": self._skipped, "loop_lag_s": self._lag_s}

    # -- a look

    async def _look(self) -> None:
        """Dispatch what is due now, every line for itself."""
        self._looked = now = floor(self._ports.now())
        pace = Pace(int(self._settings.grace_s), self._settings.batch_size, await self._cause())
        self._bring_back(now)
        work = [(line, sends) for line in self._lines.values() if (sends := line.wanted(now, pace))]
        while work:
            some, work = _slice(work)
            await self._send(some)
            if not self._leads():
                return

    def _bring_back(self, now: int) -> None:
        """Let lines that are ahead of the clock go on from now: it went back, or a replica's was behind."""
        ahead = [by for line in self._lines.values() if (by := line.bring_back(now))]
        if ahead:
            log.error("the clock of Redis went back: %d lines were up to %d s ahead", len(ahead), max(ahead))

    async def _cause(self) -> str:
        """Return why everything must be skipped now: Redis is nearly full."""
        fill = await self._ports.streams.fill()
        cause = "memory" if fill > self._high_water else ""
        if cause != self._skipping:
            self._skipping = cause
            if cause:
                log.error("Redis is %.0f %% full: polls are skipped until it is below %.0f %%",
                          100 * fill, 100 * self._high_water)  # fmt: skip
            else:
                log.info("Redis has room again: polls are dispatched")
        return cause

    async def _send(self, work: Sequence[tuple[Line, Sequence[Dispatch]]]) -> None:
        parts = [part for _, sends in work for part in sends]
        began = self._ports.now()
        answers = await self._ports.streams.dispatch(self._epoch, self._settings.results_high_water, parts)
        if self._ports.told is not None:
            await self._ports.told(parts, answers, began)
        first = 0
        for line, sends in work:
            self._hear(line, sends, answers[first : first + len(sends)])
            first += len(sends)

    def _hear(self, line: Line, sends: Sequence[Dispatch], answers: Sequence[Dispatched]) -> None:
        if any(answer.answer is Answer.FENCED for answer in answers):
            raise Fenced
        for send, said in zip(sends, answers, strict=True):
            polls = send.skipped or len(send.polls)
            if said.answer is Answer.SKIPPED:
                self._skipped[line.job] += polls
                self.counts[field("polls_skipped", said.cause or send.cause)] += polls
            elif said.answer is Answer.OK:
                self.counts["polls_dispatched"] += polls
        setback = line.heard(sends, answers)
        if setback is not None:
            self._losses.notice(setback)
            raise WentBack


def _first_line(errors: BaseExceptionGroup[UnavailableError]) -> str:
    """Return the text of the first error of a group."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return str(first)


Work = list[tuple[Line, list[Dispatch]]]


def _slice(work: Work) -> tuple[Work, Work]:
    """Split off lines with about as many parts as go into one round trip, at least one line."""
    count = 0
    for number, (_, sends) in enumerate(work):
        count += len(sends)
        if count >= _PARTS_AT_ONCE:
            return work[: number + 1], work[number + 1 :]
    return work, []
