"""The one consume loop, for every queue class: read -> admit -> attempt -> settle.

Each step calls the next and none both decides and acts: `_read` brings deliveries, `_admit` says what each needs,
`_attempt` runs the handler and turns whatever happens into dispositions, the settler tells Redis. Beside the loop run
the renewal of what is held, the sweep of what others left behind, and the quarantine of what may have killed them. The
loop never sees an exception from a device.
"""

import asyncio
import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence

from streampoll.errors import UnavailableError
from streampoll.model import QueueClass, Status
from streampoll.shards.entries import VERSION, Delivered
from streampoll.shards.port import Swept
from streampoll.shards.rows import SEVERAL, rows_in
from streampoll.tally import Counted, field
from streampoll.worker.attempt import Attempt, Counts, Ended, Surroundings
from streampoll.worker.guard import Guard, about_entry
from streampoll.worker.leases import Leases
from streampoll.worker.port import LONE_S, Bury, Conclusion, Disposition, Finish, Handler, Limits, Release
from streampoll.worker.quarantine import QUARANTINE_FROM, Care, Suspects, divided
from streampoll.worker.settle import Settler
from streampoll.worker.sweep import Sweeper
from streampoll.worker.unknown import buried

log = logging.getLogger(__name__)

BLOCK_MS = 1_000  # how long a read waits: bounds what a change of homes or a drain waits for
_SMALL = 32  # of a read that came at once: more are let come, so that a busy stream isn't read one by one
_QUIET_WITHIN = 2  # idle times: how long others may take to end where a suspect must run alone
_BACK_OFF_S = (0.25, 2.0)
_NOBODY_DIED = Swept(b"")


class Consumer:
    """Consumes one queue class in one process."""

    def __init__(self, queue: QueueClass, handler: Handler, limits: Limits, around: Surroundings) -> None:
        self.queue = queue
        self.counts = Counts()
        self._handler = handler
        self._guard = Guard(queue, handler, self.counts)
        self._limits = limits
        self._around = around
        self._settler = Settler(
            queue, around.consumer, around.streams, self._idle_ms, self._guard.made, self._settled, limits.gather_s
        )
        self._waiting: deque[Delivered] = deque()
        self._suspects = Suspects(around.solitude, self._launch_one, _QUIET_WITHIN * limits.claim_idle_s)
        self._sweeper = Sweeper(queue, limits.claim_idle_s, around, self._sweepable, self._admit_swept)
        self._leases = Leases(queue, limits.claim_idle_s, around, self._forget, self._sweeper.hold_off)
        self._attempts: set[Attempt] = set()
        self._serving = 0
        self._reading = False  # a read cut short would leave what it brings with a consumer that is gone
        self._room_made = asyncio.Event()
        self._draining = False
        together = limits.batch > 1  # what is served together is worth waiting for
        self._linger_s, self._small = (
            (limits.gather_s, max(_SMALL, limits.batch // 4)) if together else (LONE_S, _SMALL)
        )
        self._rotation = 0
        self._found_empty = 0  # homes, in a row
        around.solitude.join(lambda: self.attempts, self._start)

    @property
    def _idle_ms(self) -> int:
        return int(self._limits.claim_idle_s * 1000)

    @property
    def in_flight(self) -> int:
        """Entries that the handler is at."""
        return self._serving

    @property
    def homes(self) -> int:
        """How many shards this process reads the class from."""
        return len(self._around.homes(self.queue))

    @property
    def unread_s(self) -> float:
        """For how long nothing was read, while there was nothing else to do; 0.0 where there was."""
        idle = self.homes and not self._serving and self.counts.read_at
        return self._around.monotonic() - self.counts.read_at if idle else 0.0

    @property
    def held(self) -> int:
        """Entries this process holds a lease on."""
        return len(self._leases)

    def counted(self) -> Counted:
        """Return what it has done."""
        counts = self.counts
        done = {"read": counts.read, "done": counts.done, "claimed": counts.claimed, "lost": counts.lost,
                "payloads_lost": counts.payloads_lost, "failed": counts.failed, **self._settler.turned}  # fmt: skip
        return {field(f"entries_{what}", self.queue): count for what, count in done.items() if count}

    @property
    def attempts(self) -> "frozenset[asyncio.Task[None]]":
        """The attempts under way."""
        return frozenset(attempt.task for attempt in self._attempts if attempt.task)

    def tasks(self) -> "list[tuple[str, Callable[[], asyncio._CoroutineLike[None]]]]":
        """Return the long-running parts, by name, for the process to start."""
        return [
            (f"{self.queue}-read", self._read_for_ever),
            (f"{self.queue}-renew", self._leases.renew_for_ever),
            (f"{self.queue}-sweep", lambda: self._sweeper.run(self._handler.ready, self.counts)),
            (f"{self.queue}-settle", self._settler.run),
            (f"{self.queue}-quarantine", self._suspects.run),
        ]

    # -- read

    async def _read_for_ever(self) -> None:
        back_off_s = _BACK_OFF_S[0]
        while not self._draining:
            try:
                await self._handler.ready()
                await self._read()
                back_off_s = _BACK_OFF_S[0]
            except UnavailableError as error:
                self._outage(error)
                self._found_empty = self.homes  # of a Cluster's node that is away: a read of all passes it by
                await asyncio.sleep(back_off_s * random.uniform(0.5, 1.0))
                back_off_s = min(2 * back_off_s, _BACK_OFF_S[1])
            finally:
                self._around.beat()

    async def _read(self) -> None:
        shards, count, block_ms = self._portion(await self._room())
        if not shards:
            await asyncio.sleep(self._limits.claim_idle_s / 100)  # home of nothing: wait for the next look at who lives
            return
        asked = self._around.monotonic()
        self._reading = True
        try:
            deliveries = await self._around.streams.read(self.queue, shards, self._around.consumer, count, block_ms)
        finally:
            self._reading = False
        empty = len(shards) - len({each.shard for each in deliveries})
        self._found_empty = empty if deliveries else self._found_empty + empty
        self.counts.read += len(deliveries)
        self.counts.read_at = self._around.monotonic()
        self._admit(deliveries)
        waited_s = self._around.monotonic() - asked
        if not deliveries or waited_s >= LONE_S:
            return  # it was a lone one, and so may be the next
        if len(deliveries) < self._small and max(Counter(each.shard for each in deliveries).values()) < count:
            await asyncio.sleep(self._linger_s)  # it was all that there was

    async def _room(self) -> int:
        """Wait until entries may be read, and return how many; with little room wait a moment for more."""
        while (room := self._room_now()) <= 0 and not self._draining:
            self._found_empty = 0
            self._room_made.clear()
            await self._room_made.wait()
            await asyncio.sleep(LONE_S)
        return room

    def _room_now(self) -> int:
        """Suspects do not count: the poll that killed two processes must not keep a third from its work too."""
        if self._around.solitude.wanted:
            return 0
        return self._free_slots() + self._limits.prefetch - len(self._waiting)

    def _sweepable(self) -> int:
        """Say how many entries may be claimed; here suspects count, for this is where they come from."""
        return 0 if self._draining else self._room_now() - len(self._suspects)

    def _free_slots(self) -> int:
        if self._limits.concurrency:
            return self._limits.concurrency - self._serving
        return self._around.slots.free(self.queue)

    def _portion(self, room: int) -> tuple[Sequence[int], int, int]:
        """Say which home shards to read, how much of each, since COUNT is per stream, and how long to wait for it.

        With less room than homes they are read in turns, and none is waited for: what is there for another would wait
        that long. Once all were found empty all are waited for, and what comes first is taken: one, or where it comes
        for all at that moment (in a Cluster, between two looks) one of each.
        """
        homes = self._around.homes(self.queue)
        if not homes or room <= 0:
            return (), 0, 0
        if room >= len(homes) or self._found_empty >= len(homes):
            return homes, max(1, room // len(homes)), BLOCK_MS
        first = self._rotation % len(homes)
        self._rotation += room
        return (*homes, *homes)[first : first + room], 1, 0

    def _outage(self, error: UnavailableError) -> None:
        log.debug("%s: %s", self.queue, error)
        self._sweeper.hold_off()

    # -- admit

    def _admit_swept(self, swept: Swept) -> None:
        self._admit(swept.entries, swept)

    def _admit(self, deliveries: Sequence[Delivered], died: Swept = _NOBODY_DIED) -> None:
        """Say what each delivery needs: an attempt, quarantine, or an end without one."""
        for delivered in deliveries:
            if not self._leases.take(delivered):
                continue
            if (verdict := self._verdict(delivered, died.crashed)) is not None:
                self._settler.add(delivered, verdict)
            elif delivered.delivery >= QUARANTINE_FROM:
                self._suspects.add(delivered, delivered.id in died.suspected)
            else:
                self._waiting.append(delivered)
        self._start()

    def _verdict(self, delivered: Delivered, crashed: frozenset[bytes]) -> Disposition | None:
        """Return what becomes of a delivery that must not be attempted; None if it may."""
        if self._draining:
            return Release("draining")
        if delivered.entry is None or delivered.entry.version != VERSION:
            if delivered.delivery == 1:
                return Release("unreadable here", counted=True)  # a newer worker may read it
            return self._bury(delivered, Status.ERROR, "no worker can read this entry")
        if delivered.id in crashed:
            cause = f"died {delivered.delivery - 1} times with it in hand, the last time with it alone"
            return self._divide(delivered, cause) or self._bury(delivered, Status.CRASHED, cause)
        return None

    def _divide(self, delivered: Delivered, cause: str) -> Finish | None:
        if finish := divided(delivered):
            log.warning("%s: %d rows of %s of shard %d are served one by one: %s", self.queue, len(finish.emits),
                        delivered.id.decode(), delivered.shard, cause, extra=about_entry(delivered))  # fmt: skip
        return finish

    def _bury(self, delivered: Delivered, status: Status, cause: str) -> Bury:
        """Send to the dead letters, with what the class emits for an entry that failed so."""
        log.error("%s: burying %s of shard %d: %s", self.queue, delivered.id.decode(), delivered.shard, cause,
                  extra=about_entry(delivered))  # fmt: skip
        if delivered.entry is None:
            return Bury(cause)
        return buried(cause, self._handler.fail(delivered, status, cause))

    # -- attempt

    def _start(self) -> None:
        """Start attempts on what waits, as far as slots are free; suspects first, as they have waited the longest."""
        if self._around.solitude.wanted:
            return
        waiting, suspects = self._waiting, self._suspects
        while suspects.ready and self._free_slots() > 0:
            suspects.start_one()
        while waiting and (free := self._free_slots()) > 0:
            self._launch([waiting.popleft() for _ in range(min(free, self._limits.batch, len(waiting)))])
        if not self._limits.concurrency:
            self._around.slots.want(self.queue, self._start if waiting or suspects.ready else None)
        self._room_made.set()

    def _launch_one(self, delivered: Delivered, care: Care) -> "asyncio.Task[None]":
        return self._launch([delivered], care)

    def _launch(self, batch: Sequence[Delivered], care: Care = Care.NONE) -> "asyncio.Task[None]":
        attempt = Attempt(batch, self._around.monotonic(), care)
        self._serving += len(batch)
        if not self._limits.concurrency:
            self._around.slots.take(self.queue, len(batch))
        self._attempts.add(attempt)
        attempt.task = task = asyncio.get_running_loop().create_task(self._run(attempt))
        return task

    async def _run(self, attempt: Attempt) -> None:
        """Attempt a batch; whatever happens, each entry has a disposition then.

        What waits for the handler is in this one coroutine: there are as many as polls in flight.
        """
        batch = attempt.batch
        attempt.begun = True
        answers: Sequence[Conclusion]
        try:
            if attempt.ended:
                raise asyncio.CancelledError
            unfit = await self._note(attempt) if attempt.care is not Care.NONE else None
            answers = [unfit] if unfit else self._guard.answered(batch, await self._handler.handle(batch))
        except asyncio.CancelledError as cancelled:
            answers = self._interrupted(attempt, cancelled)
        except Exception as error:  # noqa: BLE001 - a bug of a handler costs the entry that meets it
            answers = await self._after_bug(attempt, error)
        finally:  # here and not in callbacks of the task, which the loop would have to run one by one
            self._attempts.discard(attempt)
        self._conclude(attempt, answers)

    def _conclude(self, attempt: Attempt, answers: Sequence[Conclusion]) -> None:
        """Settle a batch, and make room for the next."""
        batch = attempt.batch
        self._serving -= len(batch)
        if attempt.care is not Care.NONE:
            self._suspects.ended(attempt.care)
        if not self._limits.concurrency:
            self._around.slots.give(self.queue, len(batch))
        for delivered, answer in zip(batch, answers, strict=True):
            if self._leases.holds(delivered):
                self._settler.add(delivered, answer)
        if self._waiting or self._suspects.ready or not self._room_made.is_set():
            self._start()

    async def _after_bug(self, attempt: Attempt, error: Exception) -> Sequence[Conclusion]:
        try:
            return await self._guard.find_bug(attempt.batch, error)
        except asyncio.CancelledError as cancelled:
            return self._interrupted(attempt, cancelled)

    def _interrupted(self, attempt: Attempt, cancelled: asyncio.CancelledError) -> Sequence[Disposition]:
        """Say what becomes of a batch that we cancelled ourselves; any other cancellation goes on."""
        if attempt.ended is None or attempt.task is None:
            raise cancelled
        attempt.task.uncancel()
        if attempt.ended is Ended.SOFT_LIMIT:
            return self._guard.fail(attempt.batch, f"soft limit of {self._limits.soft_limit_s:g} s")
        self.counts.failed += len(attempt.batch)
        return [Release("draining")] * len(attempt.batch)

    async def _note(self, attempt: Attempt) -> Release | None:
        """Note in Redis that an entry starts in quarantine; return what becomes of it if that can't be noted."""
        [delivered] = attempt.batch
        alone = attempt.care is Care.ALONE
        try:
            ours = await self._around.streams.mark(
                self.queue, self._around.consumer, delivered.shard, delivered.id, alone
            )
        except UnavailableError as error:
            self._outage(error)
            return Release("Redis is away")
        if not ours:
            return Release("claimed by another")
        log.warning("%s: delivery %d of %s runs %s", self.queue, delivered.delivery, delivered.id.decode(),
                    "alone" if alone else "in quarantine", extra=about_entry(delivered))  # fmt: skip
        return None

    def _settled(self, delivered: Delivered, was_ours: bool) -> None:
        self._leases.end(delivered)
        if was_ours:
            self.counts.done += 1
            entry = delivered.entry
            self.counts.by_shard[delivered.shard] += rows_in(entry) if entry and entry.kind in SEVERAL else 1
        else:
            self.counts.lost += 1

    # -- what becomes of what was held

    def _forget(self, lost: Sequence[Delivered]) -> None:
        """Drop lost leases: their attempts are cancelled and what comes of them is thrown away.

        What waited is gone through once for all of them: one by one, a process that lost thousands was busy for
        seconds, in which it lost more.
        """
        if not lost:
            return
        served = {id(delivered): attempt for attempt in self._attempts for delivered in attempt.batch}
        unserved = set()
        for delivered in lost:
            self.counts.lost += 1
            if (attempt := served.get(id(delivered))) is not None:
                if len(attempt.batch) == 1:
                    attempt.cancel(Ended.LOST)
            elif not self._suspects.drop(delivered):
                unserved.add(id(delivered))
        if unserved:
            self._waiting = deque(each for each in self._waiting if id(each) not in unserved)
        self._start()

    # -- limits and the end

    def enforce(self) -> None:
        """Cancel attempts past the soft limit; called each second."""
        if not self._limits.soft_limit_s:
            return
        late = self._around.monotonic() - self._limits.soft_limit_s
        for attempt in list(self._attempts):
            if attempt.started < late:
                attempt.cancel(Ended.SOFT_LIMIT)

    def stop_reading(self) -> None:
        """Begin the drain: read nothing more, hand back what has not started."""
        self._draining = True
        self._room_made.set()
        while self._waiting:
            self._settler.add(self._waiting.popleft(), Release("draining"))
        for suspect in self._suspects.take():
            self._settler.add(suspect, Release("draining"))
        self._start()

    @property
    def drained(self) -> bool:
        """True when nothing is being served, Redis knows of everything that was, and no read may still bring more."""
        return not (self._serving or self._settler.unsettled or self._reading)

    def cut(self) -> None:
        """The drain's time is over: cancel what is left, so that it is handed back."""
        for attempt in list(self._attempts):
            attempt.cancel(Ended.DRAIN)

    async def close(self) -> None:
        """Close the handler."""
        await self._handler.close()
