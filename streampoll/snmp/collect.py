"""Collecting a plan from one agent: scalars, then tables; what became of it is an `Outcome`, whatever happens.

An agent that answers neither a request for several things at once nor a GET is not asked the rest. One that kept silent
for several polls gets a single probe first. What the device does not have is no trouble (the value is None, with the
reason); what it refuses, garbles or breaks off makes the poll partial.
"""

from dataclasses import replace

from streampoll.model import ColumnRows, Outcome, Status, Table
from streampoll.snmp.ber import index_text
from streampoll.snmp.compiled import PROBE, CompiledPlan, CompiledTable
from streampoll.snmp.conversation import Conversation
from streampoll.snmp.convert import NO_FACTOR
from streampoll.snmp.engine import Agent, Engine, Failure, Reply
from streampoll.snmp.grid import Grid
from streampoll.snmp.harvest import Harvest, sum_up
from streampoll.snmp.join import make, walked_grid
from streampoll.snmp.memory import PROBE_AFTER, Memory
from streampoll.snmp.opening import Openings
from streampoll.snmp.plain_rows import PlainRows
from streampoll.snmp.plan import CollectPlan
from streampoll.snmp.scalars import get, get_fallbacks
from streampoll.snmp.shape import Shape
from streampoll.snmp.sieve import sift
from streampoll.snmp.walk import Walk, fill_holes

_MAX_PLANS = 1024  # compiled plans kept; reloads make new ones


class Collector:
    """Collects plans on one engine, with the memory of one process."""

    def __init__(self, engine: Engine, memory: Memory) -> None:
        self._engine = engine
        self._memory = memory
        self._openings: dict[int, Openings] = {}  # by identity: hashing a plan costs more than collecting it

    async def collect(self, agent: Agent, plan: CollectPlan, deadline: float) -> Outcome:
        """Ask an agent for all of a plan, until `deadline` (of the loop's clock)."""
        openings = self._openings_of(plan)
        compiled = openings.plan
        if not compiled.asks:
            return Outcome(Status.CONFIG, f"profile {plan.profile!r} asks for nothing")
        talk = Conversation(self._engine, self._memory, agent, deadline)
        if self._memory.back_off.failures(agent.address) >= PROBE_AFTER:
            failure = await self._probe(talk)
            if failure is not None:
                return failure
        harvest = Harvest()
        rows: PlainRows | None = None  # the first of the first table
        opening = openings.first(talk) if compiled.wants else None
        if opening is not None:
            result = talk.note(await talk.send(opening.request))
            if isinstance(result, Reply) and (parts := opening.parts(result)) is not None:
                values, rows = parts
                harvest.open(opening.chunk.keys, values, result.at)
                if rows is not None:
                    openings.met()
            elif opening.form is None or openings.is_final(talk, result):
                await _collect_scalars(talk, compiled, harvest, result)
            else:
                await _collect_scalars(talk, compiled, harvest)
                openings.missed(talk, is_heard=harvest.failure is None)
        elif compiled.wants:
            await _collect_scalars(talk, compiled, harvest)
        if not compiled.only_scalars:
            await _collect_rest(talk, compiled, harvest, rows)
        talk.finish()
        outcome = sum_up(talk, harvest, plan)
        if not talk.first_reply and outcome.status in (Status.TIMEOUT, Status.UNREACHABLE):
            self._memory.back_off.silent(agent.address)
        return outcome

    def _openings_of(self, plan: CollectPlan) -> Openings:
        openings = self._openings.get(id(plan))
        if openings is None:
            if len(self._openings) >= _MAX_PLANS:
                self._openings.clear()
            openings = self._openings[id(plan)] = Openings(CompiledPlan(plan), self._memory)
        return openings

    async def _probe(self, talk: Conversation) -> Outcome | None:
        """Ask a silent agent for one value, once; None if it answers."""
        agent, address, asked = talk.agent, talk.agent.address, talk.agent.asked
        cheap = Agent(address, agent.credential, replace(agent.limits, retries=0), asked)  # who it is: asked once, too
        result = await self._engine.request(cheap, PROBE, talk.deadline)
        talk.requests += result.sent
        if isinstance(result, Reply):
            talk.first_reply = asked.last_reply = result.at
            return None
        self._memory.back_off.silent(address)
        failures = self._memory.back_off.failures(address)
        why = f"{result.reason} (a probe: silent for {failures} polls)"
        return Outcome(result.status, why, requests=result.sent, asked=asked)


async def _collect_rest(
    talk: Conversation, compiled: CompiledPlan, harvest: Harvest, rows: PlainRows | None
) -> None:  # fmt: skip
    """Collect what the scalars decide on, make of them what is stored, and walk the tables that are for the device."""
    if compiled.branches is not None:
        compiled = compiled.branch(None if harvest.failure else harvest.values)
        harvest.leave_out(compiled.absent)
        if compiled.wants:
            await _collect_scalars(talk, compiled, harvest)
    if compiled.shape is not None:
        await _shape_scalars(talk, compiled.shape, harvest)
    for table in compiled.tables:
        if harvest.failure is not None:
            harvest.missing[table.spec.name] = f"not asked after {harvest.failure.status.word}"
            continue
        walk = await sift(talk, table, table.sieve) if table.sieve is not None else None
        if walk is None:
            walk = Walk(talk, table)
            if rows is not None:
                walk.take(rows, harvest.at)
                rows = None
            await walk.run()  # here, since each coroutine that a walk waits under costs it a microsecond
            if not walk.is_plain:
                await fill_holes(talk, walk)
        _note_walk(table, walk, harvest)
        if table.shape is None:
            _keep_table(table, walk, harvest)
        else:
            await _shape_table(talk, table, table.shape, walk, harvest)
    if compiled.tables is not compiled.tables_in_order:
        harvest.order_tables(table.spec.name for table in compiled.tables_in_order)


async def _collect_scalars(
    talk: Conversation, plan: CompiledPlan, harvest: Harvest, first: Reply | Failure | None = None
) -> None:  # fmt: skip
    """Get the scalars, of which the first may have been asked; those that don't exist, under their fallback OID."""
    if harvest.failure is not None:
        for want in plan.wants:
            harvest.values[want.key] = None
            harvest.miss(want.key, f"not asked after {harvest.failure.status.word}")
        return
    answers = await get(talk, plan.chunks(talk.agent.limits, talk.limit), first)
    await get_fallbacks(talk, plan.wants, answers)
    harvest.at = harvest.at or answers.at
    harvest.failure = answers.failure
    harvest.answered += len(answers.values)
    harvest.counter32 += tuple(answers.counter32)
    got = answers.values
    if answers.reasons:
        got = {want.key: got.get(want.key) for want in plan.wants}
        for want in plan.wants:
            if want.key in answers.reasons:
                harvest.miss(want.key, answers.reasons[want.key])
    harvest.values = harvest.values | got if harvest.values else got


async def _shape_scalars(talk: Conversation, shape: Shape, harvest: Harvest) -> None:
    """Make the scalars that are stored: a grid of one row."""
    grid = Grid([b""], shape.kinds)
    for name, value in harvest.values.items():
        grid.put(name, [value], harvest.missing.get(name, ""))
    grid.counter32 = dict.fromkeys(harvest.counter32)
    await make(talk, shape, grid, harvest.known)
    harvest.values = {name: grid.made.get(name, [None])[0] for name in shape.names}
    harvest.answered = sum(value is not None for value in harvest.values.values())
    harvest.counter32 = tuple(name for name in shape.names if name in grid.counter32)
    for name in set(grid.raw).difference(shape.names):
        harvest.missing.pop(name, None)
    for name, value in harvest.values.items():
        if value is None and name not in harvest.missing:
            harvest.miss(name, grid.reasons.get(name, NO_FACTOR))


def _note_walk(table: CompiledTable, walk: Walk, harvest: Harvest) -> None:
    """Note how a walk ended, and what other tables may look up in it."""
    harvest.failure = walk.failure
    if walk.stopped:
        harvest.troubles.append(f"table {table.spec.name}: {walk.stopped}")
    elif table.shared and walk.seen is None:
        harvest.known.learn(walk, table.shared)


def _keep_table(table: CompiledTable, walk: Walk, harvest: Harvest) -> None:
    """Keep the rows as they were walked, and note what they lack."""
    spec = table.spec
    indexes, columns = walk.columns()
    rows = ColumnRows([[index_text(index) for index in indexes], *columns])
    harvest.add(table, Table(table.names, rows, tuple(walk.times), not walk.stopped, spec.key, walk.rows32()))
    if not indexes:
        harvest.missing[spec.name] = walk.stopped or "no rows"
    if not indexes or walk.is_plain:
        return
    for lane, column in zip(walk.lanes, columns, strict=True):
        if None in column:
            holes, name = column.count(None), f"{spec.name}.{lane.column.metric.name}"
            harvest.miss(name, lane.reason or "noSuchInstance", holes, len(indexes))


async def _shape_table(talk: Conversation, table: CompiledTable, shape: Shape, walk: Walk, harvest: Harvest) -> None:
    """Make the rows that are stored of those that were walked."""
    grid = walked_grid(walk, shape.kinds)
    failure = await make(talk, shape, grid, harvest.known, harvest.failure)
    harvest.failure = harvest.failure or failure
    rows = shape.rows(grid, list(map(index_text, grid.indexes)))
    name, complete = table.spec.name, not walk.stopped
    rows32 = {column: each for column, each in grid.rows32().items() if column in table.names}
    harvest.add(table, Table(table.names, rows, tuple(grid.times), complete, table.spec.key, rows32))
    if not rows:
        harvest.missing[name] = walk.stopped or ("no row is wanted" if walk.rows or walk.seen else "no rows")
        return
    for column, holes in shape.holes(grid).items():
        harvest.miss(f"{name}.{column}", grid.reasons.get(column, "noSuchInstance"), holes, len(rows))
