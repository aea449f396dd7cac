"""Tasks and their results for people and programs."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from streampoll.observe import words
from streampoll.results.render import clock, shown
from streampoll.shards.unfinished import Unfinished
from streampoll.tasks.message import JOB_PREFIX, decode_call
from streampoll.tasks.port import TaskResult


def as_json(result: TaskResult) -> dict[str, Any]:
    """Return a result as JSON has it; octets as text, or as 0a:1b."""
    failure = result.failure
    return {
        "id": result.id,
        "name": result.name,
        "state": result.state.word,
        "sent": clock(result.sent),
        "started": clock(result.started) if result.started else None,
        "finished": clock(result.finished),
        "attempts": result.attempts,
        "worker": result.worker,
        "value": _plain(result.value),
        "error": {"type": failure.type, "text": failure.text, "traceback": failure.traceback} if failure else None,
    }


def unfinished_json(found: Unfinished) -> dict[str, Any]:
    """Return one that has not ended as JSON has it."""
    return {
        "id": decode_call(found.entry).id,
        "name": found.entry.job.removeprefix(JOB_PREFIX),
        "state": found.state,
        "queue": found.queue.value,
        "due" if found.state == "delayed" else "sent": clock(found.at),
        "worker": found.consumer or None,
    }


def text_lines(result: TaskResult) -> Iterator[str]:
    """Yield a result as lines."""
    yield f"{result.name} ({result.id}) {result.state.word}"
    yield f"  sent {clock(result.sent)}, finished {clock(result.finished)}, attempts {result.attempts}"
    if result.failure is None:
        yield f"  value: {_plain(result.value)!r}"
        return
    yield f"  {result.failure.type}: {result.failure.text}"
    yield from (f"  {line}" for line in result.failure.traceback.splitlines())


def task_table(unfinished: Sequence[Unfinished], ended: Sequence[TaskResult], now: float) -> Table:
    """Lay out tasks, those that have not ended first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("id", "name", "state", "age", "what"):
        table.add_column(title, overflow="fold", no_wrap=title == "id")
    for each in unfinished:
        due = f"due in {words.span(max(0.0, each.at - now))}" if each.state == "delayed" else each.consumer
        name = each.entry.job.removeprefix(JOB_PREFIX)
        age = words.span(max(0.0, now - each.entry.slot))
        table.add_row(decode_call(each.entry).id, Text(name), each.state, age, Text(due))
    for result in ended:
        said = f"{result.failure.type}: {result.failure.text}" if result.failure else repr(_plain(result.value))[:100]
        age = words.span(max(0.0, now - result.finished))
        table.add_row(result.id, Text(result.name), result.state.word, age, Text(said))
    return table


def _plain(value: Any) -> Any:
    """Return data of which JSON can be made."""
    if isinstance(value, bytes):
        return shown(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(shown(key)): _plain(each) for key, each in value.items()}
    return value
