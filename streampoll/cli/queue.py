"""`streampoll queue`: queue classes paused and resumed."""

import asyncio
from pathlib import Path

import click

from streampoll.cli.options import answer, config_option, json_option, reason_option, who
from streampoll.model import QueueClass

queue_argument = click.argument("name", metavar="CLASS", type=click.Choice([queue.value for queue in QueueClass]))


@click.group("queue")
def command() -> None:
    """Pause and resume queue classes: what is paused is read by no worker, and waits in Redis.

    \b
    Examples:
      streampoll queue pause notifications --reason "the mail server is down"
      streampoll queue resume notifications
    """


@command.command("pause")
@config_option
@reason_option
@queue_argument
@json_option
def pause(config: Path, name: str, reason: str, as_json: bool) -> int:
    """Have workers read nothing of CLASS, within two seconds; what they have in hand is finished."""
    asyncio.run(_decide(config, name, reason, pausing=True))
    answer(as_json, {"kind": "queue", "name": name, "paused": True}, f"{name} is paused")
    return 0


@command.command("resume")
@config_option
@queue_argument
@json_option
def resume(config: Path, name: str, as_json: bool) -> int:
    """Have workers read CLASS again. Exit code 1 if it was not paused."""
    found = asyncio.run(_decide(config, name, "", pausing=False))
    text = f"{name} goes on" if found else f"{name} is not paused"
    answer(as_json, {"kind": "queue", "name": name, "paused": False}, text)
    return 0 if found else 1


async def _decide(config: Path, name: str, reason: str, pausing: bool) -> bool:
    from streampoll.app.control import open_desk  # here: `--help` need not load the clients
    from streampoll.shards.port import Paused

    async with open_desk(config) as desk:
        if not pausing:
            return await desk.decisions.resume(Paused.QUEUE, name, who())
        await desk.decisions.pause(Paused.QUEUE, name, who(), reason)
        return True
