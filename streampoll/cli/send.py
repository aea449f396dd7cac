"""`streampoll send NAME`: sends a task."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import click

from streampoll.cli.options import config_option
from streampoll.cli.task_view import as_json, text_lines
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import ConfigError, Fault
from streampoll.tasks.port import Priority, State


@click.command("send")
@click.argument("name")
@config_option
@click.option(
    "--json", "arguments", metavar="ARGS", default="[]", help="Arguments: a list, or an object of named ones."
)
@click.option("--delay", metavar="TIME", default="0", help="Not before this has passed: 10s, 5m.")
@click.option("--expires", metavar="TIME", default="0", help="Not after this has passed.")
@click.option("--key", default="", help="Within a day only the first of a key is run.")
@click.option("--urgent", is_flag=True, help="Before all that waits in its class.")
@click.option("--retries", type=click.IntRange(min=0), help="Further attempts, instead of those it declares.")
@click.option("--wait", "within", metavar="TIME", is_flag=False, flag_value="60s", help="Wait for its result (60s).")
def command(name: str, config: Path, arguments: str, within: str | None, urgent: bool, **options: Any) -> int:
    """Send task NAME and print its id; with --wait its result as JSON.

    Ends with 1 if it did not end well, or not in time; with 2 for a name that nobody has registered.

    \b
    Examples:
      streampoll send reports.daily
      streampoll send reports.site --json '["berlin", 7]' --delay 10s --expires 5m
      streampoll send reports.site --json '{"site": "berlin"}' --key berlin-today --wait
    """
    args, kwargs = read_arguments(arguments)
    priority = Priority.URGENT if urgent else Priority.NORMAL
    sending = _send(config, within, name, *args, kwargs=kwargs, priority=priority, **options)
    return asyncio.run(sending)


def read_arguments(text: str) -> tuple[list[Any], dict[str, Any]]:
    """Return (arguments, named arguments) of `--json`."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ConfigError(
            [Fault("--json", f"is not JSON: {error}", """write '["text", 1]' or '{"name": 1}'""")]
        ) from None
    match data:
        case list():
            return data, {}
        case dict():
            return [], data
    return [data], {}


async def _send(config: Path, within: str | None, name: str, *args: Any, **options: Any) -> int:
    from streampoll.app.task_client import open_client, own_tasks  # here: `--help` need not load the clients

    settings = read_settings(config, os.environ)
    async with open_client(settings, own_tasks(settings, config)) as client:
        task_id = await client.send(name, *args, **options)
        if within is None:
            click.echo(task_id)
            return 0
        result = await client.result(task_id, within)
    if result is None:
        click.echo(f"streampoll: {task_id} has not ended within {within}; `streampoll task result {task_id}`", err=True)
        return 1
    if result.state is State.DONE:
        click.echo(json.dumps(as_json(result)["value"]))
        return 0
    for line in text_lines(result):
        click.echo(line, err=True)
    return 1
