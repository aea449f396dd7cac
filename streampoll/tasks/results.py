"""Ends of tasks as rows of PostgreSQL, both ways."""

from collections.abc import Iterable, Sequence
from typing import Any

from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries
from streampoll.tasks.message import decode_value
from streampoll.tasks.port import Failure, State, TaskResult

QUERIES = load_queries("tasks.sql")

End = tuple[TaskResult, bytes]
"""A result without its value, and that, packed."""


async def insert(connection: Connection, ends: Iterable[End]) -> None:
    """Store ends, one of each task; to store them again changes nothing."""
    firsts: dict[str, End] = {}
    for end in ends:
        kept = firsts.setdefault(end[0].id, end)
        if end[0].sent > kept[0].sent:
            firsts[end[0].id] = end
    rows = [_row(*firsts[task_id]) for task_id in sorted(firsts)]  # sorted: concurrent batches lock in one order
    await connection.execute(QUERIES["insert_tasks"], *map(list, zip(*rows, strict=True)))


async def read(connection: Connection, ids: Sequence[str]) -> dict[str, TaskResult]:
    """Return the results of those tasks that have ended."""
    found = await connection.fetch(QUERIES["task_results"], list(ids))
    return {row["id"]: _result(row) for row in found}


async def listed(
    connection: Connection, since: float, limit: int, name: str = "", state: State | None = None
) -> list[TaskResult]:
    """Return what has ended since a time, the newest first."""
    number = None if state is None else int(state)
    return [_result(row) for row in await connection.fetch(QUERIES["task_list"], since, limit, name, number)]


def _row(result: TaskResult, value: bytes) -> tuple[Any, ...]:
    failure = result.failure or Failure("", "")
    return (
        result.sent, result.finished, result.started or None, result.attempts, int(result.state), result.id,
        result.name, result.worker, value, failure.type, failure.text, failure.traceback,
    )  # fmt: skip


def _result(row: Any) -> TaskResult:
    failure = Failure(row["error_type"], row["error"], row["traceback"]) if row["error_type"] else None
    return TaskResult(
        row["id"], row["name"], State(row["state"]), row["sent"], row["started"] or 0.0, row["finished"],
        row["attempts"], row["worker"], decode_value(row["value"]), failure,
    )  # fmt: skip
