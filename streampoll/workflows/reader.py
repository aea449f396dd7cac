"""Runs, steps and what is kept, read for people and programs: as plain values, ready for JSON."""

import json
from collections.abc import Mapping
from typing import Any, Final

from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries

_QUERIES: Final = load_queries("workflows.sql")
_MOST_STEPS: Final = 20_000


async def read_runs(
    connection: Connection, since: float, workflow: str = "", state: str = "", device: str = "", limit: int = 100
) -> list[dict[str, Any]]:
    """Return runs, the newest first."""
    rows = await connection.fetch(_QUERIES["runs"], since, workflow, state, device, limit)
    return [_plain(row) for row in rows]


async def read_run(connection: Connection, run: str, whole: bool = False) -> dict[str, Any] | None:
    """Return a run with its steps, in the workflow's order; with the elements of fan-outs too, if `whole`.

    Without it there are only those elements that have failed, are unknown or run now.
    """
    found = await connection.fetchrow(_QUERIES["run"], run)
    if found is None:
        return None
    head = _plain(found)
    definition = head.pop("definition") or {}
    head.pop("left_s")
    rows = [_plain(row) for row in await connection.fetch(_QUERIES["all_steps"], run, whole, _MOST_STEPS)]
    order = {name: number for number, name in enumerate(definition.get("steps", {}))}
    steps = sorted(
        (row for row in rows if row["element"] < 0), key=lambda row: (row["started"] is None, order.get(row["step"], 0))
    )
    for step in steps:
        step["elements"] = [row for row in rows if row["step"] == step["step"] and row["element"] >= 0]
    return {**head, "steps": sorted(steps, key=lambda row: _depth(row["step"], definition, order))}


async def read_configs(connection: Connection, device: str, name: str, limit: int) -> list[dict[str, Any]]:
    """Return versions of what is kept, the newest first, without their texts."""
    return [_plain(row) for row in await connection.fetch(_QUERIES["configs"], device, name, limit)]


async def read_config(connection: Connection, device: str, name: str, version: int = 0) -> dict[str, Any] | None:
    """Return a version (0: the newest) with its text and its difference from the one before."""
    row = await connection.fetchrow(_QUERIES["config"], device, name, version)
    return None if row is None else _plain(row)


def _depth(step: str, definition: Mapping[str, Any], order: Mapping[str, int]) -> tuple[int, int]:
    """Return what sorts steps as they follow one another: how many come before, then the file's order."""
    tables: Mapping[str, Any] = definition.get("steps", {})

    def depth(name: str, left: int) -> int:
        needs = tables.get(name, {}).get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        return 1 + max((depth(need, left - 1) for need in needs), default=-1) if left else 0

    undoing = {table.get("undo") for table in tables.values() if isinstance(table, Mapping)}
    return (len(tables) if step in undoing else depth(step, len(tables))), order.get(step, 0)


_JSON: Final = frozenset(("definition", "inputs", "devices", "event", "item", "input", "output"))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with JSON as values and times as seconds since the epoch."""
    return {
        key: json.loads(value)
        if key in _JSON and value is not None
        else float(value)
        if key in _TIMES and value
        else value
        for key, value in row.items()
    }


_TIMES: Final = frozenset(("started", "ended", "due", "at", "left_s"))
