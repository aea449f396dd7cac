"""The handler of class workflows: an entry starts a run, does one of its steps, or looks after it.

    claim (committed) -> do -> settle (committed) -> finish, with the entries of what follows

So a worker that dies in the middle leaves a step that is claimed: its entry is delivered again, and the step is done
again, or, if it runs once, is `unknown` until a person says what became of it. While PostgreSQL is away entries are put
off, and no slot is held. What a step did is told to PostgreSQL for as long as a minute before it is given up.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from streampoll.errors import ConfigError, EntryError, PostgresUnavailable
from streampoll.model import QueueClass, Result, Status, Trace
from streampoll.results.postgres import RowRefused
from streampoll.shards.entries import Delivered, Entry, Kind, encode_result
from streampoll.shards.orders import Look, Order, Start, Work, decode_order, encode_order
from streampoll.shards.ring import device_hash
from streampoll.shards.runs import ad_hoc_ledger
from streampoll.tally import Counted, field
from streampoll.worker.port import Bury, Disposition, Emit, Finish, Release, Retry
from streampoll.worker.unknown import not_known
from streampoll.workflows.journal import Journal, Settled, poll_job
from streampoll.workflows.plan import Workflow
from streampoll.workflows.port import Done, Doubt, Later, Nothing, Polled, Turn
from streampoll.workflows.port import Result as StepResult

log = logging.getLogger(__name__)

_AWAY_S = 1.0  # until an entry is tried again while PostgreSQL is away
_SETTLE_S = 60.0  # for which what a step did is told to PostgreSQL
_AFTER_A_BUG_S = 30.0


@dataclass(frozen=True, slots=True)
class RunPorts:
    """What the handler works with."""

    journal: Journal
    workflows: Mapping[str, Workflow]  # as the configuration has them now
    do: Callable[[Turn], Awaitable[StepResult]]
    encode: Callable[..., bytes]  # (outcome, trace) -> payload
    now: Callable[[], float]  # wall-clock seconds of Redis
    consumer: str
    close: Callable[[], Awaitable[None]]


class RunHandler:
    """Serves runs."""

    def __init__(self, ports: RunPorts) -> None:
        self._ports = ports
        self._away = False
        self.counts: dict[str, int] = {}

    async def ready(self) -> None:
        """Whether PostgreSQL is there shows entry by entry: the class carries users' tasks too, which don't need it."""

    async def close(self) -> None:
        """Close connections to PostgreSQL and devices."""
        await self._ports.close()

    def counted(self) -> Counted:
        """Return how many steps ended how."""
        return {field("workflow_steps", state): count for state, count in self.counts.items()}

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        """Serve each entry of the batch."""
        return await asyncio.gather(*map(self._serve, batch))

    async def _serve(self, delivered: Delivered) -> Disposition:
        entry = delivered.entry
        if entry is None or entry.kind not in (Kind.RUN, Kind.EVENT):
            return not_known(delivered, "no worker knows such an entry")
        try:
            order = decode_order(entry)
        except EntryError as error:
            return not_known(delivered, str(error))
        try:
            disposition = await self._obey(delivered, order)
        except PostgresUnavailable as error:
            self._report(str(error))
            return Retry(_unbegun(entry, order, delivered), _AWAY_S * random.uniform(1.0, 2.0))
        except ConfigError as error:
            return Bury(f"this release can't read the run's workflow: {error.faults[0]}")
        self._report("")
        return disposition

    async def _obey(self, delivered: Delivered, order: Order) -> Disposition:
        match order:
            case Start():
                return await self._start(delivered, order)
            case Look():
                return self._finish(await self._ports.journal.look(order))
            case Work():
                return await self._work(delivered, order)

    async def _start(self, delivered: Delivered, order: Start) -> Disposition:
        workflow = self._ports.workflows.get(order.workflow)
        if workflow is None:
            if delivered.delivery == 1:
                return Release("a workflow that is not known here", counted=True)  # another may have read it already
            await self._ports.journal.refuse(order, delivered.shard, "no workflow of that name")
            return Finish()
        if order.cause in ("event", "schedule") and not workflow.enabled:
            return Finish()
        return self._finish(await self._ports.journal.start(order, workflow, delivered.shard))

    async def _work(self, delivered: Delivered, order: Work) -> Disposition:
        token = order.held or f"{delivered.shard}:{delivered.id.decode()}"
        begun = order.begun or delivered.delivery > 1
        claim = await self._ports.journal.claim(order, token, begun)
        match claim:
            case Later(wait_s):
                return Retry(encode_order(order, int(self._ports.now())), wait_s)
            case Nothing():
                return self._finish(await self._ports.journal.strays(order))
            case Doubt(turn):
                return self._finish(await self._doubt(turn, order.crashed))
        if order.crashed:
            if claim.step.once:
                return self._finish(await self._doubt(claim, order.crashed))
            return await self._settle(delivered, claim, Done(error=order.crashed))
        return await self._settle(delivered, claim, await self._do(claim))

    async def _doubt(self, turn: Turn, crashed: str) -> Settled:
        why = crashed or "its process died while it ran"
        log.error(
            "workflow %s, run %s: step %s runs once, and %s: nobody knows whether it is done;"
            " `streampoll workflow resolve` tells",
            turn.workflow.name, turn.run, turn.step.name, why,
        )  # fmt: skip
        self._count("unknown")
        return await self._ports.journal.doubt(turn, why)

    async def _do(self, turn: Turn) -> StepResult:
        """Do a step; a bug of ours is a failure of the step."""
        if turn.step.once and not turn.spreads:
            await self._ports.journal.note_input(turn, turn.step.spec)
        try:
            return await self._ports.do(turn)
        except Exception as error:
            log.exception("workflow %s, step %s: a bug", turn.workflow.name, turn.step.name)
            return Done(error=f"a bug: {type(error).__name__}: {error}")

    async def _settle(self, delivered: Delivered, turn: Turn, result: StepResult) -> Disposition:
        """Put on record what became of an attempt; PostgreSQL may be away for a while."""
        ends = asyncio.get_running_loop().time() + _SETTLE_S
        while True:
            try:
                settled = await self._ports.journal.settle(turn, result)
                break
            except RowRefused as error:
                result = Done(error=f"PostgreSQL refuses what it gave: {error}")
            except PostgresUnavailable as error:
                self._report(str(error))
                if asyncio.get_running_loop().time() > ends:
                    order = Work(
                        turn.run, turn.workflow.name, turn.step.name, turn.element, turn.attempt, turn.token
                    )  # fmt: skip
                    return Retry(encode_order(order, int(self._ports.now())), _AWAY_S)
                await asyncio.sleep(_AWAY_S * random.uniform(0.5, 1.0))
        emits: list[Emit] = []
        if isinstance(result, Done):
            self._count("failed" if result.error else "skipped" if result.skipped else "ok")
            if result.polled is not None and settled.slot:
                emits += self._poll_emits(delivered, turn, result.polled, settled.slot)
            if not settled.late:
                emits += result.emits
        return self._finish(settled, emits)

    def _poll_emits(self, delivered: Delivered, turn: Turn, polled: Polled, slot: int) -> list[Emit]:
        """Return an ad hoc poll's row and the ledger entry that accounts for it."""
        job, device = poll_job(turn), polled.target.device
        trace = Trace(
            delivered.dispatched, polled.started, polled.started, polled.outcome.first_reply, polled.done,
            delivered.delivery, self._ports.consumer,
        )  # fmt: skip
        result = Result(
            job, device, slot, polled.outcome.status, int((polled.done - polled.started) * 1000),
            self._ports.encode(polled.outcome, trace),
        )  # fmt: skip
        ledger = Entry(Kind.LEDGER, job, slot, 0, ad_hoc_ledger(delivered.shard, slot, [device_hash(device)]))
        return [Emit(QueueClass.RESULTS, ledger), Emit(QueueClass.RESULTS, encode_result(result))]

    def _finish(self, settled: Settled, emits: Sequence[Emit] = ()) -> Finish:
        """Finish an entry with the orders that follow, each when it is due."""
        now = int(self._ports.now())
        orders = [Emit(QueueClass.WORKFLOWS, encode_order(order, now), delay_s) for order, delay_s in settled.orders]
        return Finish([*emits, *orders])

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """Book a step that killed its process, or ran past the class's limit, as failed; anything else waits."""
        entry = delivered.entry
        if entry is None:
            return Bury(cause)
        try:
            order = decode_order(entry)
        except EntryError:
            return Bury(cause)
        if not isinstance(order, Work):
            return Bury(cause) if status is Status.CRASHED else Retry(entry, _AFTER_A_BUG_S)
        held = order.held or f"{delivered.shard}:{delivered.id.decode()}"
        return Retry(encode_order(replace(order, held=held, crashed=cause), entry.slot), 0.1)

    def _count(self, state: str) -> None:
        self.counts[state] = self.counts.get(state, 0) + 1

    def _report(self, away: str) -> None:
        """Say once that PostgreSQL is away, and once that it is back."""
        if away and not self._away:
            log.error("workflows: runs wait; %s", away)
        elif self._away and not away:
            log.warning("workflows: PostgreSQL is back")
        self._away = bool(away)


def _unbegun(entry: Entry, order: Order, delivered: Delivered) -> Entry:
    """Return an entry to be tried again, of which nothing has been done."""
    if not isinstance(order, Work):
        return entry
    held = order.held or f"{delivered.shard}:{delivered.id.decode()}"
    begun = (order.begun and bool(order.held)) or delivered.delivery > 1
    return encode_order(replace(order, held=held, begun=begun), entry.slot)
