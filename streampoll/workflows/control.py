"""What people and programs do with runs: start one, cancel it, say what became of a step that nobody knows of."""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from streampoll.config.report import nearest, shorten
from streampoll.errors import ConfigError, Fault
from streampoll.model import QueueClass
from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries
from streampoll.shards.orders import WHOLE, Look, Start, Work, encode_order, run_id
from streampoll.shards.port import DispatchStreams
from streampoll.shards.ring import hash64
from streampoll.workflows.engine import RunState, State
from streampoll.workflows.journal import Settled, advance, count_element
from streampoll.workflows.plan import Workflow

_QUERIES: Final = load_queries("workflows.sql")
_MOST_DEVICES: Final = 10_000


class Starter:
    """Starts runs: a function for the API and the command line alike."""

    def __init__(self, streams: DispatchStreams, shards: int, workflows: Mapping[str, Workflow]) -> None:
        self._streams = streams
        self._shards = shards
        self._workflows = workflows

    async def start(
        self,
        name: str,
        devices: Sequence[str] = (),
        inputs: Mapping[str, Any] | None = None,
        cause: str = "api",
        key: str = "",
    ) -> str:
        """Start a workflow and return the run's id; of starts with one `key` there is one run.

        Raises:
            ConfigError: there is no such workflow, or it has no such input.
            UnavailableError: Redis is away; whether it was started is not known.
        """
        workflow = self._checked(name, devices, inputs or {})
        run = run_id(workflow.name, key or secrets.token_hex(16))
        start = Start(run, workflow.name, cause, tuple(devices), typed(workflow, inputs or {}))
        entry = encode_order(start, int(time.time()))
        await self._streams.add(QueueClass.WORKFLOWS, hash64(run) % self._shards, [entry])
        return run

    def _checked(self, name: str, devices: Sequence[str], inputs: Mapping[str, Any]) -> Workflow:
        workflow = self._workflows.get(name)
        if workflow is None:
            raise ConfigError([Fault("workflow", f"no workflow {shorten(name)}", nearest(name, self._workflows))])
        if len(devices) > _MOST_DEVICES:
            raise ConfigError([Fault("devices", f"{len(devices)} devices", f"name at most {_MOST_DEVICES}")])
        for each in inputs.keys() - workflow.inputs.keys():
            known = nearest(each, workflow.inputs) or "it has no inputs"
            raise ConfigError([Fault("inputs", f"workflow '{name}' has no input {shorten(each)}", known)])
        return workflow


def typed(workflow: Workflow, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs as their defaults' types, texts from a command line too. Raises ConfigError: one is not."""
    return {name: _as(name, value, workflow.inputs[name]) for name, value in inputs.items()}


def _as(name: str, value: Any, default: Any) -> Any:
    if isinstance(value, str) and not isinstance(default, str):
        value = _from_text(value, default)
    number = isinstance(value, int | float) and isinstance(default, int | float)
    if isinstance(value, bool) != isinstance(default, bool) or not (number or isinstance(value, type(default))):
        kind = "true or false" if isinstance(default, bool) else f"a {type(default).__name__}"
        raise ConfigError([Fault(f"inputs.{name}", f"{shorten(value)} is not {kind}", f"its default is {default!r}")])
    return value


def _from_text(text: str, default: Any) -> Any:
    if isinstance(default, bool):
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    if isinstance(default, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return int(text) if isinstance(default, int) else float(text)
    except ValueError:
        return text


async def cancel(connection: Connection, run: str, by: str) -> bool:
    """Cancel a run: nothing more of it is begun, and what is under way counts for nothing. False if it had ended.

    To be called in a transaction.
    """
    found = await connection.fetchrow(_QUERIES["lock"], run)
    if found is None or RunState(found["state"]).ended:
        return False
    await connection.execute(_QUERIES["cancel_steps"], run, State.CANCELLED, f"cancelled by {by}")
    await connection.execute(_QUERIES["move_run"], run, RunState.CANCELLED, f"cancelled by {by}", True)
    return True


async def resolve(connection: Connection, run: str, step: str, element: int, done: bool, by: str) -> Settled | None:
    """Say of a step that is unknown that it is done, or have it done again; None if it is not unknown.

    To be called in a transaction; what follows is to be added after it.
    """
    found = await connection.fetchrow(_QUERIES["lock"], run)
    if found is None or RunState(found["state"]).ended:
        return None
    workflow = str(await connection.fetchval("SELECT workflow FROM workflow_runs WHERE id = $1", run))
    state, more = (State.OK, 0) if done else (State.QUEUED, 1)
    note = f"{by} said it is done" if done else ""
    attempt = await connection.fetchval(_QUERIES["resolve"], run, step, element, state, more, note)
    if attempt is None:
        return None
    settled = Settled()
    if not done:
        settled.add(Work(run, workflow, step, element, attempt))
    elif element == WHOLE:
        await advance(connection, run, settled)
    else:
        await count_element(connection, (run, workflow, step), False, settled)
    return settled


async def add_orders(streams: DispatchStreams, shard: int, settled: Settled) -> None:
    """Add what follows from a change that a person made."""
    now = int(time.time())
    for order, delay_s in settled.orders:
        await streams.add(QueueClass.WORKFLOWS, shard, [encode_order(order, now)], delay_s)


async def look_after(connection: Connection, streams: DispatchStreams, after_s: float, keep_days: int) -> int:
    """Have runs looked at that nothing has happened to for a while: their entries may be lost. Return how many.

    To be called in a transaction.
    """
    rows = await connection.fetch(_QUERIES["forgotten"], after_s)
    now = int(time.time())
    for row in rows:
        entry = encode_order(Look(row["id"], row["workflow"]), now)
        await streams.add(QueueClass.WORKFLOWS, row["shard"], [entry])
    if keep_days:
        await connection.execute(_QUERIES["retire"], keep_days)
    return len(rows)
