"""`streampoll dead`: dead letters, listed, shown, put back to work or deleted."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from streampoll.cli.drawing import table_console
from streampoll.cli.options import answer, config_option, json_option
from streampoll.cli.progress import followed
from streampoll.embedded.endpoints import read_settings
from streampoll.model import QueueClass
from streampoll.observe import words
from streampoll.results.render import clock, shown
from streampoll.shards.letters import Letter, Letters

queue_option = click.option(
    "--queue", type=click.Choice([queue.value for queue in QueueClass]), help="Only this queue class."
)


@click.group("dead")
def command() -> None:
    """Look after dead letters: entries that nobody could serve, with the cause.

    \b
    Examples:
      streampoll dead list --queue polling
      streampoll dead show polling/07/1700000000000-0
      streampoll dead requeue polling/07/1700000000000-0
      streampoll dead purge --queue results --yes
    """


@command.command("list")
@config_option
@queue_option
@json_option
def list_letters(config: Path, queue: str | None, as_json: bool) -> int:
    """List dead letters, the oldest first in each shard."""
    letters = asyncio.run(_all(config, queue))
    if as_json:
        for letter in letters:
            click.echo(json.dumps(_as_json(letter)))
    elif letters:
        table_console().print(_table(letters))
    else:
        click.echo("there are no dead letters")
    return 0


@command.command("show")
@config_option
@click.argument("name")
@json_option
def show(config: Path, name: str, as_json: bool) -> int:
    """Show one letter whole, as JSON; with --json on one line."""
    letter = asyncio.run(_find(config, name))
    click.echo(json.dumps(_as_json(letter) | {"fields": _fields(letter)}, indent=None if as_json else 2))
    return 0


@command.command("requeue")
@config_option
@queue_option
@click.option("--all", "everything", is_flag=True, help="Every letter (of --queue).")
@click.argument("names", nargs=-1)
@json_option
def requeue(config: Path, queue: str | None, everything: bool, names: Sequence[str], as_json: bool) -> int:
    """Put letters back to work; a poll gets a new slot: now."""
    if bool(names) == everything:
        raise click.UsageError("name letters, or say --all")
    done, asked = asyncio.run(_requeue(config, queue, names))
    answer(as_json, {"requeued": done, "asked": asked}, f"put back {done} of {asked}")
    return 0 if done == asked else 1


@command.command("purge")
@config_option
@queue_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("names", nargs=-1)
@json_option
def purge(config: Path, queue: str | None, yes: bool, names: Sequence[str], as_json: bool) -> int:
    """Delete letters for good: those named, or all (of --queue)."""
    letters = asyncio.run(_chosen(config, queue, names))
    if letters and not yes and not _agreed(f"delete {len(letters)} dead letters for good?"):
        return 1
    deleted = asyncio.run(_purge(config, letters))
    answer(as_json, {"deleted": deleted}, f"deleted {deleted}")
    return 0


def _agreed(question: str) -> bool:
    """Ask on stderr; where nobody can answer, say what to write instead."""
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        raise click.UsageError("nobody answered, and nothing is deleted; --yes deletes without asking") from None
    if not agreed:
        click.echo("nothing is deleted", err=True)
    return agreed


@asynccontextmanager
async def _letters(config: Path) -> AsyncIterator[Letters]:
    from streampoll.app.redis_side import open_redis  # here: `--help` need not load the clients

    settings = read_settings(config, os.environ)
    async with open_redis(settings) as side:
        yield Letters(side.scripts, side.keys, settings.shards.count)


async def _all(config: Path, queue: str | None) -> list[Letter]:
    async with _letters(config) as letters:
        return [letter async for letter in letters.read(_queues(queue))]


async def _find(config: Path, name: str) -> Letter:
    async with _letters(config) as letters:
        return await _known(letters, name)


async def _known(letters: Letters, name: str) -> Letter:
    found = await letters.find(name)
    if found is None:
        raise click.UsageError(f"there is no dead letter {name!r}; `streampoll dead list` names them")
    return found


async def _chosen(config: Path, queue: str | None, names: Sequence[str]) -> list[Letter]:
    if not names:
        return await _all(config, queue)
    async with _letters(config) as letters:
        return [await _known(letters, name) for name in names]


async def _requeue(config: Path, queue: str | None, names: Sequence[str]) -> tuple[int, int]:
    chosen = await _chosen(config, queue, names)
    async with _letters(config) as letters:
        done = [await letters.requeue(letter, time.time()) for letter in followed("requeue", chosen)]
        return sum(done), len(chosen)


async def _purge(config: Path, chosen: Sequence[Letter]) -> int:
    async with _letters(config) as letters:
        return await letters.purge(chosen)


def _queues(name: str | None) -> tuple[QueueClass, ...]:
    return (QueueClass(name),) if name else tuple(QueueClass)


def _as_json(letter: Letter) -> dict[str, Any]:
    return {
        "name": letter.name,
        "queue": letter.queue.value,
        "shard": letter.shard,
        "buried": clock(letter.buried),
        "cause": letter.cause,
        "delivery": letter.delivery,
        "kind": letter.entry.kind if letter.entry else None,
        "job": letter.entry.job if letter.entry else None,
        "slot": clock(letter.entry.slot) if letter.entry else None,
        "device": letter.device or None,
    }


def _fields(letter: Letter) -> dict[str, Any]:
    return {name: shown(value) for name, value in letter.fields.items()}


def _table(letters: Sequence[Letter]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("name", "age", "job", "device", "cause"):
        table.add_column(title, overflow="fold", no_wrap=title == "name")
    for letter in letters:
        job = letter.entry.job if letter.entry else words.UNKNOWN
        age = words.span(time.time() - letter.buried)
        table.add_row(letter.name, age, Text(job), Text(letter.device), Text(letter.cause))
    return table
