"""`streampoll task`: tasks that wait, run or have ended."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import click

from streampoll.cli.drawing import table_console
from streampoll.cli.options import answer, config_option, json_option, since_option
from streampoll.cli.task_view import as_json, task_table, text_lines, unfinished_json
from streampoll.embedded.endpoints import read_settings
from streampoll.model import QueueClass
from streampoll.results.postgres import connected
from streampoll.tasks import results
from streampoll.tasks.port import State, TaskResult

_STATES = ("waiting", "running", "delayed", *(state.word for state in State))


@click.group("task")
def command() -> None:
    """Look after users' tasks: what was sent, what became of it.

    \b
    Examples:
      streampoll task list --known
      streampoll task list --state failed --since 2h
      streampoll task result 07-5c1e9d0a4f3b2c1d
      streampoll task cancel 07-5c1e9d0a4f3b2c1d
    """


@command.command("list")
@config_option
@since_option("1h")
@click.option("--name", default="", help="Only tasks of this name.")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many of each.")
@click.option("--known", is_flag=True, help="List the names that may be sent, and their classes, instead.")
@json_option
def list_tasks(config: Path, since: float, name: str, state: str | None, limit: int, known: bool, as_json: bool) -> int:
    """List tasks that have not ended, and those that have ended since."""
    if known:
        return asyncio.run(_list_known(config, as_json))
    unfinished = asyncio.run(_unfinished(config, name, state, limit))
    ended = asyncio.run(_ended(config, since, limit, name, state))
    if as_json:
        _print_json(unfinished, ended)
    elif unfinished or ended:
        table_console().print(task_table(unfinished, ended, time.time()))
    else:
        click.echo("no task waits, runs or has ended in that time")
    return 0


@command.command("result")
@config_option
@click.argument("task_id", metavar="ID")
@click.option("--wait", "within", metavar="TIME", default="0", help="Wait so long for it to end: 10s.")
@json_option
def result(config: Path, task_id: str, within: str, as_json: bool) -> int:
    """Show what became of a task; exit code 1 if it did not end well, or has not ended."""
    found = asyncio.run(_result(config, task_id, within))
    if found is None:
        click.echo(f"streampoll: no result of {task_id}: it has not ended, keeps none, or was never sent", err=True)
        return 1
    _print_result(found, as_json)
    return 0 if found.state is State.DONE else 1


@command.command("cancel")
@config_option
@click.argument("ids", metavar="ID…", nargs=-1, required=True)
@json_option
def cancel(config: Path, ids: tuple[str, ...], as_json: bool) -> int:
    """Cancel tasks: one that waits is not run, one that runs in the loop or a process ends within a second."""
    asyncio.run(_cancel(config, ids))
    answer(as_json, {"cancelled": len(ids)}, f"cancelled {len(ids)}")
    return 0


def _client(config: Path) -> Any:
    from streampoll.app.task_client import open_client, own_tasks  # here: `--help` need not load the clients

    settings = read_settings(config, os.environ)
    return open_client(settings, own_tasks(settings, config))


async def _list_known(config: Path, as_json: bool) -> int:
    async with _client(config) as client:
        names = await client.known()
    for name, queue in sorted(names.items()):
        click.echo(json.dumps({"name": name, "queue": queue.value}) if as_json else f"{name}  {queue.value}")
    return 0


async def _unfinished(config: Path, name: str, state: str | None, limit: int) -> list[Any]:
    from streampoll.app.redis_side import open_redis
    from streampoll.shards.entries import Kind
    from streampoll.shards.unfinished import Lookout
    from streampoll.tasks.message import JOB_PREFIX

    settings = read_settings(config, os.environ)
    queues = [queue for queue in QueueClass if queue is not QueueClass.RESULTS]
    async with open_redis(settings) as side:
        found = await Lookout(side.topology, side.keys, settings.shards.count).unfinished(Kind.TASK, queues, limit)
    wanted = [each for each in found if state in (None, each.state) and name in ("", each.entry.job[len(JOB_PREFIX) :])]
    return sorted(wanted, key=lambda each: each.at)[:limit]


async def _ended(config: Path, since: float, limit: int, name: str, state: str | None) -> list[TaskResult]:
    states = {each.word: each for each in State}
    if state is not None and state not in states:
        return []
    async with connected(read_settings(config, os.environ).postgres) as connection:
        return await results.listed(connection, since, limit, name, states.get(state or ""))


async def _result(config: Path, task_id: str, within: str) -> TaskResult | None:
    async with _client(config) as client:
        found: TaskResult | None = await client.result(task_id, within)
        return found


async def _cancel(config: Path, ids: tuple[str, ...]) -> None:
    async with _client(config) as client:
        await client.cancel(*ids)


def _print_json(unfinished: list[Any], ended: list[TaskResult]) -> None:
    for line in (*map(unfinished_json, unfinished), *map(as_json, ended)):
        click.echo(json.dumps(line))


def _print_result(found: TaskResult, plain: bool) -> None:
    if plain:
        click.echo(json.dumps(as_json(found)))
        return
    for line in text_lines(found):
        click.echo(line)
