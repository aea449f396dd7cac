"""The state of runs in PostgreSQL, step by step: each change is one transaction, and says which entries follow from it.

An entry may be delivered again after its transaction was committed. It then finds its step done, and answers with
whatever of the run is queued: an entry too many does no harm, for a step is done by the entry that claims its row. What
changes the course of a run happens under a lock on the run's row, so a fan-out's join counts each element once.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from streampoll.results.postgres import Connection, Postgres
from streampoll.results.queries import load_queries
from streampoll.shards.orders import WHOLE, Look, Order, Start, Work
from streampoll.workflows.definitions import definition_of
from streampoll.workflows.engine import At, RunState, State, pause_s, tries_again, what_next
from streampoll.workflows.keep import keep_version
from streampoll.workflows.plan import LONGEST_STEP_S, Workflow
from streampoll.workflows.port import Again, Claim, Done, Doubt, Later, Nothing, Result, Spread, Turn
from streampoll.workflows.reference import plain
from streampoll.workflows.scope import scope_of

_QUERIES: Final = load_queries("workflows.sql")
_MOST_OUTPUT: Final = 1 << 20  # characters of JSON that one step, or one element, may give
_ERROR: Final = 2_000
_STRAYED_S: Final = LONGEST_STEP_S + 60.0


@dataclass(frozen=True, slots=True)
class _Try:
    """The next time that a step is done."""

    more: int  # by how much its attempts are more then
    delay_s: float
    error: str = ""  # why the last failed
    memo: Any = None  # what the step wants to be told again
    words: Any = None  # what the last was asked, to be shown


class Settled:
    """What follows from a change: orders to be added, and how many seconds later, and the slot of a poll."""

    def __init__(self) -> None:
        self.orders: list[tuple[Order, float]] = []
        self.slot = 0
        self.late = False  # the step was not ours any more

    def add(self, order: Order, delay_s: float = 0.0) -> None:
        """Have an order added."""
        self.orders.append((order, delay_s))


class Journal:
    """Reads and writes runs. `spread` gives a number from 0 to 1 for pauses between attempts."""

    def __init__(self, postgres: Postgres, spread: Callable[[], float]) -> None:
        self._postgres = postgres
        self._spread = spread

    # -- a run begins, is looked at, ends

    async def start(self, order: Start, workflow: Workflow, shard: int) -> Settled:
        """Begin a run, unless it has begun."""
        settled = Settled()
        inputs = {**workflow.inputs, **order.inputs}
        async with self._postgres.transaction() as connection:
            made = await connection.execute(
                _QUERIES["start"], order.run, workflow.name, order.cause, shard, workflow.timeout_s,
                dumped(workflow.definition), dumped(inputs), dumped(list(order.devices)), dumped(order.event),
            )  # fmt: skip
            if made.endswith(" 1"):
                await connection.execute(_QUERIES["add_steps"], order.run, list(workflow.steps))
                await advance(connection, order.run, settled)
            await _strayed(connection, order.run, workflow.name, settled, 0.0)
        return settled

    async def refuse(self, order: Start, shard: int, why: str) -> None:
        """Put on record that a run can't be started."""
        async with self._postgres.transaction() as connection:
            await connection.execute(
                _QUERIES["refuse"], order.run, order.workflow, order.cause, why[:_ERROR], shard,
                dumped(list(order.devices)), dumped(order.event),
            )  # fmt: skip

    async def look(self, order: Look) -> Settled:
        """End a run whose time is over, and bring back what was lost of one."""
        settled = Settled()
        async with self._postgres.transaction() as connection:
            run = await connection.fetchrow(_QUERIES["lock"], order.run)
            if run is None or RunState(run["state"]).ended:
                return settled
            if run["left_s"] <= 0 and run["state"] == RunState.RUNNING:
                await connection.execute(_QUERIES["fail_steps"], order.run, "the run's time was over")
                late = (order.run, RunState.UNDOING, "its time was over", False)
                await connection.execute(_QUERIES["move_run"], *late)
                await advance(connection, order.run, settled)
            await _strayed(connection, order.run, order.workflow, settled, 60.0)
        return settled

    # -- a step

    async def claim(self, order: Work, token: str, begun: bool) -> Claim:
        """Take a step on; `begun`: this entry may have been at it before."""
        where = order.run, order.step, order.element
        async with self._postgres.transaction() as connection:
            row = await connection.fetchrow(_QUERIES["claim"], *where, order.attempt, token)
            doubt = False
            if row is None:
                row = await connection.fetchrow(_QUERIES["step"], *where)
                if row is None or row["attempt"] != order.attempt:
                    return Nothing()
                if row["state"] == State.QUEUED:
                    return Later(max(float(row["wait_s"]), 0.05))
                if row["state"] != State.RUNNING or row["entry"] != token or row["total"]:
                    return Nothing()
                doubt = begun
            run = await connection.fetchrow(_QUERIES["run"], order.run)
            workflow = definition_of(run["workflow"], run["definition"])
            step = workflow.steps[order.step]
            item, memo = loaded(row["item"]), loaded(row["memo"])
            context = await scope_of(connection, run, workflow, step, item)
        turn = Turn(order.run, workflow, step, order.element, order.attempt, token, item, memo, context)
        return Doubt(turn) if doubt and step.once and not turn.spreads else turn

    async def note_input(self, turn: Turn, words: Any) -> None:
        """Put on record what a step that runs once is about to do."""
        async with self._postgres.transaction() as connection:
            await connection.execute(_QUERIES["note_input"], *turn.key, _bounded(words))

    async def doubt(self, turn: Turn, why: str) -> Settled:
        """Put on record that nobody knows what became of a step."""
        settled = Settled()
        async with self._postgres.transaction() as connection:
            await connection.fetchrow(_QUERIES["lock"], turn.run)
            await connection.execute(_QUERIES["doubt"], *turn.key, why)
        return settled

    async def settle(self, turn: Turn, result: Result) -> Settled:
        """Put on record what became of an attempt, and say what follows. To be called again after a lost commit."""
        settled = Settled()
        async with self._postgres.transaction() as connection:
            await connection.fetchrow(_QUERIES["lock"], turn.run)
            match result:
                case Done():
                    await self._settle_done(connection, turn, result, settled)
                case Again(delay_s, memo):
                    await self._again(connection, turn, _Try(0, delay_s, memo=memo), settled)
                case Spread(items):
                    await self._settle_spread(connection, turn, items, settled)
            if settled.late:
                await _strayed(connection, turn.run, turn.workflow.name, settled, 0.0)
        return settled

    async def strays(self, order: Work | Look) -> Settled:
        """Return what of a run is queued: some of it may never have been added."""
        settled = Settled()
        async with self._postgres.transaction() as connection:
            await _strayed(connection, order.run, order.workflow, settled, 0.0)
        return settled

    async def _settle_done(self, connection: Connection, turn: Turn, done: Done, settled: Settled) -> None:
        if done.polled is not None:
            job = poll_job(turn)
            device, slot = done.polled.target.device, int(done.polled.started)
            settled.slot = int(await connection.fetchval(_QUERIES["slot"], job, device, slot))
        output, error = dict(done.output), done.error
        if done.kept is not None and not error:
            output |= await keep_version(connection, done.kept, turn.run)
        text = dumped(plain(output))
        if len(text) > _MOST_OUTPUT:
            text, error = "{}", error or f"it gave {len(text)} characters, more than the {_MOST_OUTPUT} that are kept"
        if error and tries_again(turn.step, turn.attempt):
            delay_s = pause_s(turn.step, turn.attempt, self._spread())
            await self._again(connection, turn, _Try(1, delay_s, error, words=done.input), settled)
            return
        state = State.FAILED if error else State.SKIPPED if done.skipped else State.OK
        ended = await connection.fetchval(
            _QUERIES["end_step"],
            *turn.key,
            state,
            _text(error),
            text,
            None if done.input is None else _bounded(done.input),
        )
        settled.late = ended is None
        if settled.late:
            return
        if turn.element == WHOLE:
            await advance(connection, turn.run, settled)
        else:
            await count_element(connection, _whole(turn), bool(error), settled)

    async def _again(self, connection: Connection, turn: Turn, then: "_Try", settled: Settled) -> None:
        """Have a step go on later; it is late if it is not ours any more."""
        found = await connection.fetchval(
            _QUERIES["again"], *turn.key, then.more, then.delay_s, _text(then.error),
            None if then.memo is None else dumped(plain(then.memo)),
            None if then.words is None else _bounded(then.words),
        )  # fmt: skip
        settled.late = found is None
        if not settled.late:
            settled.add(_next_try(turn, then.more), then.delay_s)

    async def _settle_spread(self, connection: Connection, turn: Turn, items: Sequence[Any], settled: Settled) -> None:
        """Make a fan-out's elements, and start the first of them."""
        if not items:
            await self._settle_done(connection, turn, Done(), settled)
            return
        await connection.execute(_QUERIES["spread"], turn.run, turn.step.name, dumped(plain(list(items))))
        made = await connection.fetchval(
            _QUERIES["spread_out"], turn.run, turn.step.name, turn.token, 0, len(items), None
        )
        settled.late = made is None
        if not settled.late:
            await _next_elements(connection, _whole(turn), turn.step.at_once, settled)


async def _next_elements(connection: Connection, whole: tuple[str, str, str], count: int, settled: Settled) -> None:
    run, workflow, step = whole
    for row in await connection.fetch(_QUERIES["next_elements"], run, step, count):
        settled.add(Work(run, workflow, step, row["element"]))


async def count_element(connection: Connection, whole: tuple[str, str, str], failed: bool, settled: Settled) -> None:
    """Count an element of `whole` (run, workflow, step) that has ended; start the next, or join."""
    run, _, step = whole
    row = await connection.fetchrow(_QUERIES["count_element"], run, step, int(failed))
    if row["done"] < row["total"]:
        await _next_elements(connection, whole, 1, settled)
        return
    state = State.FAILED if row["failed"] else State.OK
    error = f"{row['failed']} of {row['total']} failed" if row["failed"] else ""
    await connection.execute(_QUERIES["join"], run, step, state, error)
    await advance(connection, run, settled)


async def advance(connection: Connection, run_id: str, settled: Settled) -> None:
    """Do what follows from where the steps of a run are; the run's row is locked for it."""
    run = await connection.fetchrow(_QUERIES["run_locked"], run_id)
    if run is None or RunState(run["state"]).ended:
        return
    workflow = definition_of(run["workflow"], run["definition"])
    rows = await connection.fetch(_QUERIES["states"], run_id)
    at = {row["step"]: At(State(row["state"]), row["ended"]) for row in rows}
    todo = what_next(workflow, at, run["state"] == RunState.UNDOING)
    if todo.skip:
        await connection.execute(_QUERIES["skip"], run_id, list(todo.skip))
    if todo.start:
        for row in await connection.fetch(_QUERIES["queue"], run_id, list(todo.start)):
            settled.add(Work(run_id, workflow.name, row["step"]))
    if todo.run != run["state"]:
        failed = [name for name, each in at.items() if each.state is State.FAILED]
        error = f"failed: {', '.join(sorted(failed))}" if todo.run is not RunState.OK and failed else ""
        await connection.execute(_QUERIES["move_run"], run_id, todo.run, error, todo.run.ended)


async def _strayed(connection: Connection, run: str, workflow: str, settled: Settled, after_s: float) -> None:
    """Have the entries of what has been queued for `after_s`, or running for longer than it can, added once more."""
    there = {order for order, _ in settled.orders if isinstance(order, Work)}
    for row in await connection.fetch(_QUERIES["strayed"], run, after_s, _STRAYED_S):
        work = Work(run, workflow, row["step"], row["element"], row["attempt"], row["entry"])
        if work not in there:
            settled.add(work)


def _next_try(turn: Turn, more: int) -> Work:
    return Work(turn.run, turn.workflow.name, turn.step.name, turn.element, turn.attempt + more)


def _whole(turn: Turn) -> tuple[str, str, str]:
    return turn.run, turn.workflow.name, turn.step.name


def poll_job(turn: Turn) -> str:
    """Return the job that a step's polls are rows of."""
    return f"{turn.workflow.name}.{turn.step.name}"


def dumped(value: Any) -> str:
    """Return a value as JSON."""
    return json.dumps(value, ensure_ascii=True, default=str)


def loaded(text: str | None) -> Any:
    """Return what JSON from PostgreSQL says."""
    return None if text is None else json.loads(text)


def _bounded(value: Any) -> str:
    """Return what a step was asked, as JSON that is not too long."""
    text = dumped(plain(value))
    return text if len(text) <= _MOST_OUTPUT else dumped({"cut": text[:10_000]})


def _text(error: str) -> str:
    return str(plain(error))[:_ERROR]
