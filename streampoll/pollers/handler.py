"""The handler of class polling: an entry becomes an outcome, and the outcome a row on its way to the store.

    decode -> expired? -> poll (until its expiry) -> result

Whatever a device does ends as an `Outcome`; so does a bug of a poller, as status `error`.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from streampoll.errors import EntryError
from streampoll.logs import about
from streampoll.model import LAG_TOLD_S, Outcome, QueueClass, Result, Status, Target, Trace
from streampoll.pollers.counts import PollCounts
from streampoll.pollers.failing import Failing
from streampoll.pollers.wraps import WrapWarnings
from streampoll.shards.entries import Delivered, Entry, Kind, Log, decode_target, encode_analyze, encode_result
from streampoll.tally import Counted
from streampoll.worker.port import Bury, Conclusion, Disposition, Emit, Finish
from streampoll.worker.unknown import not_known

log = logging.getLogger(__name__)

Poll = Callable[[Target, float], Awaitable[Outcome]]
"""Polls a target until a deadline in the loop's time."""

_LAST_ANSWERED = Status.PARTIAL  # every status behind it is a failure

Encode = Callable[[Outcome, Trace], bytes]


@dataclass(frozen=True, slots=True)
class PollPorts:
    """What the handler works with."""

    poll: Poll
    encode: Encode
    now: Callable[[], float]  # wall-clock seconds of Redis
    consumer: str
    close: Callable[[], Awaitable[None]]
    kept_for_outputs: int = 0  # results kept in a shard for outputs besides PostgreSQL; 0: there are none
    analysed: Callable[[], bool] = lambda: False  # whether somebody analyses results
    lag_s: Callable[[], float] = lambda: 0.0  # how late this process's loop has been lately
    device_lines: int = 0  # lines a minute on devices that begin to fail or answer again; 0: none


class DuePoll(msgspec.Struct, gc=False):
    """A poll that is to be made, or was too late to be."""

    entry: Entry
    target: Target
    started: float  # by Redis' clock
    deadline: float  # by the loop's
    outcome: Outcome | None = None  # what is known of it without asking


class PollHandler:
    """Polls devices and hands each outcome to the results stream of its shard."""

    def __init__(self, ports: PollPorts) -> None:
        self._ports = ports
        self._bugs: set[str] = set()
        self._wraps = WrapWarnings()
        self._failing = Failing(ports.device_lines)
        self.counts = PollCounts()

    def counted(self) -> Counted:
        """Return what has been polled."""
        return self.counts.lay_out()

    async def ready(self) -> None:
        """Polling needs nothing but the network."""

    async def close(self) -> None:
        """Close the pollers' sockets."""
        self._failing.close()
        await self._ports.close()

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Conclusion]:
        """Poll each device of the batch, in order; nearly always it is one.

        What waits for a device is in this one coroutine: there are as many as polls in flight.
        """
        answers: list[Conclusion] = []
        for delivered in batch:
            work = self._read(delivered)
            if not isinstance(work, DuePoll):
                answers.append(work)
                continue
            try:
                outcome = work.outcome or await self._ports.poll(work.target, work.deadline)
            except Exception as error:  # noqa: BLE001 - a bug of a poller is an outcome too
                outcome = self._bug(delivered, work, error)
            answers.append(partial(self._finish, delivered, work, outcome, self._ports.now()))
        return answers

    def _read(self, delivered: Delivered) -> DuePoll | Disposition:
        """Return what is to be polled, and whether it still is; or what becomes of an entry that is no poll."""
        entry = delivered.entry
        if entry is None or entry.kind != Kind.POLL:
            return not_known(delivered, "", partial(self.fail, delivered, Status.ERROR))
        try:
            target, _ = decode_target(entry.body)
        except EntryError as error:
            return not_known(delivered, str(error), partial(self.fail, delivered, Status.ERROR))
        started, expiry = self._ports.now(), entry.expiry
        if not expiry:
            return DuePoll(entry, target, started, math.inf)
        if started < expiry:
            return DuePoll(entry, target, started, asyncio.get_running_loop().time() + expiry - started)
        expired = Outcome(Status.EXPIRED, f"not polled: its next slot began {started - expiry:.1f} s before")
        return DuePoll(entry, target, started, 0.0, expired)

    def _bug(self, delivered: Delivered, work: DuePoll, error: Exception) -> Outcome:
        """Make an outcome of a bug; the first of its kind is logged."""
        name = type(error).__name__
        if name not in self._bugs:
            self._bugs.add(name)
            extra = about(work.entry.job, work.target.device, work.entry.slot, delivered.shard)
            log.error("device %s: a bug in its poller", work.target.device, exc_info=error, extra=extra)
        return Outcome(Status.ERROR, f"a bug in the poller: {name}: {error}")

    def _finish(self, delivered: Delivered, work: DuePoll, outcome: Outcome, done: float) -> Disposition:
        """Make the row of a poll that was done by then, and count it."""
        entry, device, started = work.entry, work.target.device, work.started
        if outcome.half_wrap_s and entry.expiry:
            self._wraps.note(device, outcome, entry.expiry - entry.slot)
        self.counts.note(outcome, done - started, started - entry.slot)
        if outcome.status > _LAST_ANSWERED or (entry.job, device) in self._failing.spells:
            self._failing.note((entry.job, device), outcome, entry.slot, delivered.shard, done)
        dispatched = delivered.dispatched
        now = self._ports.now()
        read = max(dispatched, now - (time.monotonic() - delivered.leased))  # it may have waited for it
        lag_s = self._ports.lag_s()
        ahead_s = now - time.time()  # of Redis' clock before this host's, by which pollers tell the time
        outcome.asked.shift(ahead_s)
        trace = Trace(
            dispatched, read, started, outcome.first_reply and outcome.first_reply + ahead_s, done,
            delivered.delivery, self._ports.consumer, outcome.asked, lag_s if lag_s >= LAG_TOLD_S else 0.0,
        )  # fmt: skip
        result = Result(
            entry.job, device, entry.slot, outcome.status, int((done - started) * 1000),
            self._ports.encode(outcome, trace),
        )  # fmt: skip
        stored = encode_result(result)
        emits = [Emit(QueueClass.RESULTS, stored)]
        if kept := self._ports.kept_for_outputs:
            emits.append(Emit(Log.OUTPUTS, encode_result(result, kept)))
        if self._ports.analysed():
            lag_ms = int(1000 * lag_s) if outcome.status is Status.TIMEOUT else 0
            emits.append(Emit(QueueClass.ANALYSIS, encode_analyze(stored, lag_ms)))
        return Finish(emits)

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """End a poll whose attempt did not: its row says why."""
        entry = delivered.entry
        if entry is None:
            return Bury(cause)
        try:
            target, _ = decode_target(entry.body)
        except EntryError:
            return Bury(cause)
        now = self._ports.now()
        return self._finish(delivered, DuePoll(entry, target, now, 0.0), Outcome(status, cause), now)
