"""`streampoll explain DEVICE`: why a poll was late, or is not there."""

import asyncio
import json
import os
from pathlib import Path

import click

from streampoll.app.redis_side import open_redis
from streampoll.cli.options import Since, config_option, json_option
from streampoll.config.settings import Settings
from streampoll.embedded.endpoints import read_settings
from streampoll.observe.story import Story, chapter_line, conclusion, heading, story_json, story_of, without_row
from streampoll.results.ledger import Window
from streampoll.results.postgres import connected
from streampoll.results.reader import StoredPoll, Wanted, results
from streampoll.results.render import clock
from streampoll.results.slots import read_slots
from streampoll.shards.finality import unfinished


@click.command("explain")
@click.argument("device")
@config_option
@click.option("--job", default="", help="Only this job's polls.")
@click.option("--slot", type=Since(), help="The poll that was due then; without it, the newest.")
@json_option
def command(device: str, config: Path, job: str, slot: float | None, as_json: bool) -> int:
    """Tell the story of one poll of DEVICE: due, dispatched, delivered, answered, stored, and where the time went.

    Exit code 1 if there is no such poll; with --job and --slot it says what the books have of that slot.

    \b
    Examples:
      streampoll explain core-1
      streampoll explain core-1 --job interfaces --slot 2026-01-31T08:00:00Z
    """
    found, why = asyncio.run(_find(read_settings(config, os.environ), device, job, slot))
    for poll in found:
        if as_json:
            click.echo(json.dumps(story_json(story_of(poll)), ensure_ascii=False))
            continue
        _show(story_of(poll))
    if not found:
        click.echo(f"streampoll: no poll of {device} is stored{why}", err=True)
    return 0 if found else 1


def _show(story: Story) -> None:
    click.echo(heading(story))
    for chapter in story.chapters:
        click.echo(f"  {chapter_line(chapter)}")
    if said := conclusion(story):
        click.echo(f"  {said}")


async def _find(
    settings: Settings, device: str, job: str, slot: float | None
) -> tuple[list[StoredPoll], str]:  # fmt: skip
    """Return the polls that are asked for, or why there are none."""
    at = None if slot is None else int(slot)
    wanted = Wanted(device, job, limit=1) if at is None else Wanted(device, job, at, at, 10)
    async with connected(settings.postgres) as connection:
        found = [poll async for poll in results(connection, wanted)]
        if found or at is None or not job:
            return found, ""
        running = await _running(settings, job)  # before the books: what ends in between is in them then
        tallies = await read_slots(connection, job, Window(at, at), running)
        tally = next((each for each in tallies or () if each.slot == at), None)
        return [], f" of {clock(at)}: {without_row(tally, at)}"


async def _running(settings: Settings, job: str) -> set[int]:
    """Return the slots of a job of which Redis still holds something: nothing of them is missing yet."""
    async with open_redis(settings) as side:
        left = await unfinished(side.streams, settings.shards.count)
    return {slot for name, slot in left if name == job}
