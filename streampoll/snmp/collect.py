"""Collecting a plan from one agent: scalars, then tables; what became of it is an `Outcome`, whatever happens.

An agent that does not answer the first request is not asked the rest. One that kept silent for several polls gets a
single probe first. What the device does not have is no trouble (the value is None, with the reason); what it refuses,
garbles or breaks off makes the poll partial.
"""

from dataclasses import dataclass, field, replace

from streampoll.model import Outcome, Status, Table, Value
from streampoll.snmp.ber import index_text
from streampoll.snmp.compiled import PROBE, CompiledPlan, CompiledTable
from streampoll.snmp.conversation import Conversation
from streampoll.snmp.convert import NONEXISTENT
from streampoll.snmp.engine import Agent, Engine, Failure
from streampoll.snmp.memory import PROBE_AFTER, Memory
from streampoll.snmp.plan import CollectPlan
from streampoll.snmp.scalars import get, get_fallbacks
from streampoll.snmp.walk import Walk, fill_holes

_MAX_PLANS = 1024  # compiled plans kept; reloads make new ones


@dataclass(slots=True)
class _Harvest:
    """What a poll has brought so far."""

    values: dict[str, Value] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)  # why it is not complete
    answered: int = 0  # scalars with a value
    at: float = 0.0
    failure: Failure | None = None  # what ended it early

    def miss(self, name: str, reason: str, holes: int = 0, rows: int = 0) -> None:
        """Note why a value is missing, and whether that is trouble; of a column, in how many of its rows."""
        if reason not in NONEXISTENT:
            self.troubles.append(f"{name}: {reason}")
        self.missing[name] = f"{reason} in {holes} of {rows} rows" if holes < rows else reason

    @property
    def empty(self) -> bool:
        """True if not one value came."""
        return self.answered == 0 and not any(table.rows for table in self.tables.values())


class Collector:
    """Collects plans on one engine, with the memory of one process."""

    def __init__(self, engine: Engine, memory: Memory) -> None:
        self._engine = engine
        self._memory = memory
        self._compiled: dict[int, CompiledPlan] = {}  # by identity: hashing a plan costs more than collecting it

    async def collect(self, agent: Agent, plan: CollectPlan, deadline: float) -> Outcome:
        """Ask an agent for all of a plan, until `deadline` (of the loop's clock)."""
        compiled = self._compile(plan)
        if not compiled.wants and not compiled.tables:
            return Outcome(Status.CONFIG, f"profile {plan.profile!r} asks for nothing")
        talk = Conversation(self._engine, self._memory, agent, deadline)
        if self._memory.back_off.failures(agent.address) >= PROBE_AFTER:
            failure = await self._probe(agent, deadline, talk)
            if failure is not None:
                return failure
        harvest = _Harvest()
        if compiled.wants:
            await _collect_scalars(talk, compiled, harvest)
        for table in compiled.tables:
            if harvest.failure is None:
                await _collect_table(talk, table, harvest)
            else:
                harvest.missing[table.spec.name] = f"not asked after {harvest.failure.status.word}"
        talk.finish()
        outcome = _outcome(talk, harvest, plan)
        if not talk.first_reply and outcome.status in (Status.TIMEOUT, Status.UNREACHABLE):
            self._memory.back_off.silent(agent.address)
        return outcome

    def _compile(self, plan: CollectPlan) -> CompiledPlan:
        compiled = self._compiled.get(id(plan))
        if compiled is None:
            if len(self._compiled) >= _MAX_PLANS:
                self._compiled.clear()
            compiled = self._compiled[id(plan)] = CompiledPlan(plan)
        return compiled

    async def _probe(self, agent: Agent, deadline: float, talk: Conversation) -> Outcome | None:
        """Ask a silent agent for one value, once; None if it answers."""
        cheap = Agent(agent.address, agent.credential, replace(agent.limits, retries=0))
        result = await self._engine.request(cheap, PROBE, deadline)
        talk.requests += result.sent
        if not isinstance(result, Failure):
            talk.first_reply = result.at
            return None
        self._memory.back_off.silent(agent.address)
        failures = self._memory.back_off.failures(agent.address)
        return Outcome(result.status, f"{result.reason} (a probe: silent for {failures} polls)", requests=result.sent)


async def _collect_scalars(talk: Conversation, plan: CompiledPlan, harvest: _Harvest) -> None:
    """Get the scalars; those that don't exist are asked under their fallback OID."""
    answers = await get(talk, plan.chunks(talk.agent.limits, talk.limit))
    await get_fallbacks(talk, plan.wants, answers)
    harvest.at = answers.at
    harvest.failure = answers.failure
    harvest.answered = len(answers.values)
    values = answers.values
    harvest.values = {name: values.get(oid) for name, oid in plan.names}
    if answers.reasons:
        for name, oid in plan.names:
            if oid in answers.reasons:
                harvest.miss(name, answers.reasons[oid])


async def _collect_table(talk: Conversation, table: CompiledTable, harvest: _Harvest) -> None:
    """Walk a table and note what it lacks."""
    walk = Walk(talk, table)
    await walk.run()
    await fill_holes(talk, walk)
    spec = table.spec
    rows = [[index_text(index), *row] for index, row in walk.rows.items()]
    harvest.tables[spec.name] = Table(table.names, rows, tuple(walk.times), not walk.stopped, spec.key)
    harvest.failure = walk.failure
    if walk.stopped:
        harvest.troubles.append(f"table {spec.name}: {walk.stopped}")
    if not rows:
        harvest.missing[spec.name] = walk.stopped or "no rows"
        return
    for lane in walk.lanes:
        holes = sum(row[lane.place] is None for row in walk.rows.values())
        if holes:
            harvest.miss(f"{spec.name}.{lane.column.metric.name}", lane.reason or "noSuchInstance", holes, len(rows))


def _outcome(talk: Conversation, harvest: _Harvest, plan: CollectPlan) -> Outcome:
    """Sum a poll up."""
    status, error = _verdict(talk, harvest, plan)
    return Outcome(
        status,
        error,
        harvest.values if talk.first_reply else {},
        harvest.tables if talk.first_reply else {},
        harvest.missing if talk.first_reply else {},
        harvest.at,
        talk.first_reply,
        talk.requests,
        talk.varbinds,
    )


def _verdict(talk: Conversation, harvest: _Harvest, plan: CollectPlan) -> tuple[Status, str]:
    """Say how a poll ended, and why where it isn't ok."""
    failure = harvest.failure
    if failure is not None and harvest.empty:
        return failure.status, failure.reason
    if harvest.empty:
        if harvest.troubles:
            return Status.REFUSED, harvest.troubles[0]
        return Status.CONFIG, f"nothing of profile {plan.profile!r} exists on this device"
    troubles = harvest.troubles
    if failure is not None and not any(failure.reason in trouble for trouble in troubles):
        troubles = [failure.reason, *troubles]
    if not troubles:
        return Status.OK, ""
    more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
    return Status.PARTIAL, troubles[0] + more
