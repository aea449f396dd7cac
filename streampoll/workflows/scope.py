"""What a step's references may lead to: the run, its inputs, and what the steps gave that it refers to."""

import json
from collections.abc import Mapping
from typing import Any, Final

from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries
from streampoll.workflows.plan import DEVICES, Does, Step, Workflow
from streampoll.workflows.reference import expressions_in, steps_in

_QUERIES: Final = load_queries("workflows.sql")


async def scope_of(
    connection: Connection, run: Mapping[str, Any], workflow: Workflow, step: Step, item: Any
) -> dict[str, Any]:
    """Return the document that a step's expressions are looked up in."""
    names = referred(step)
    return {
        "run": {"id": run["id"], "workflow": workflow.name, "cause": run["cause"], "error": run["error"]},
        "inputs": json.loads(run["inputs"]),
        "devices": json.loads(run["devices"]),
        "event": json.loads(run["event"]),
        "item": item,
        "steps": await _outputs(connection, run["id"], names) if names else {},
    }


def referred(step: Step) -> set[str]:
    """Return the steps that a step refers to."""
    expressions = [*expressions_in([step.spec, step.device, step.credential])]
    if step.does is Does.CONDITION:
        expressions.append(step.spec)
    if step.for_each and step.for_each != DEVICES:
        expressions.append(step.for_each)
    return set().union(*map(steps_in, expressions)) if expressions else set()


async def _outputs(connection: Connection, run: str, names: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in await connection.fetch(_QUERIES["outputs"], run, sorted(names)):
        found[row["step"]] = _view(row)
        if row["total"]:
            elements = await connection.fetch(_QUERIES["elements"], run, row["step"])
            found[row["step"]]["items"] = [{"item": json.loads(each["item"]), **_view(each)} for each in elements]
    return found


def _view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step as expressions see it: what it gave, with its state and error."""
    output = json.loads(row["output"]) if row["output"] else {}
    return {**output, "state": row["state"], "error": row["error"]}
