"""`streampoll explain DEVICE`: why a poll was late, or is not there."""

import asyncio
import os
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from streampoll.app.explaining import Explained, open_explainer
from streampoll.cli.names import offer_devices, offer_jobs
from streampoll.cli.options import Since, config_option, json_line, json_option
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import UnavailableError
from streampoll.observe.fate import Fate, What, fate_json
from streampoll.observe.story import LATE_S, Story, chapter_line, conclusion, heading, story_json, story_of
from streampoll.results.reader import UnknownNameError
from streampoll.results.render import clock
from streampoll.shards.whereabouts import PollKey


@click.command("explain")
@click.argument("device", shell_complete=offer_devices)
@config_option
@click.option("--job", default="", shell_complete=offer_jobs, help="Only this job's polls.")
@click.option("--slot", type=Since(), help="The poll that was due then; without it, the newest, and one that is due.")
@json_option
def command(device: str, config: Path, job: str, slot: float | None, as_json: bool) -> int:
    """Tell the story of one poll of DEVICE: due, dispatched, delivered, asked, answered, stored; where the time went.

    Of a poll without a row it says what became of it: skipped and why, with which worker, given up, not due, lost.
    Exit code 1 if there is no row.

    \b
    Examples:
      streampoll explain core-1
      streampoll explain core-1 --job interfaces --slot 2026-01-31T08:00:00Z
    """
    told = asyncio.run(_find(config, device, job, None if slot is None else int(slot)))
    stories = [story_of(poll) for poll in told.stored]
    if as_json:
        for each in (*map(story_json, stories), *(fate_json(*other) for other in told.others)):
            click.echo(json_line(each))
    else:
        _show(stories, told)
    if not stories and not told.others:
        why = "no job polls it" if told.known else "no inventory has it"
        click.echo(
            f"streampoll: no poll of {device} is stored{f' of {clock(slot)}' if slot else ''}, and {why}", err=True
        )
    return 0 if stories else 1


async def _find(config: Path, device: str, job: str, slot: int | None) -> Explained:
    """Return the polls that are asked for; rows are told also while Redis is away."""
    async with open_explainer(config, read_settings(config, os.environ)) as explainer:
        unknown = None
        try:
            stored = await explainer.stored(device, job, slot)
        except UnknownNameError as error:  # of a name without a row, which may be new
            if job and not explainer.knows(job):
                raise
            stored, unknown = [], error
        try:
            told = await explainer.without_row(device, job, slot, stored)
        except UnavailableError as error:
            if not stored:
                raise
            click.echo(f"streampoll: what became of polls without a row is not known: {error}", err=True)
            return Explained(stored)
        if unknown is not None and not told.known:
            raise unknown
        return told


def _show(stories: list[Story], told: Explained) -> None:
    """Show what there is to tell: on a terminal its lines are folded, and what took long stands out."""
    console = Console(highlight=False)
    for story in stories:
        _print(console, heading(story), "bold")
        for chapter in story.chapters:
            _print(console, f"  {chapter_line(chapter)}", "yellow" if chapter.took_s >= LATE_S else "")
        if said := conclusion(story):
            _print(console, f"  {said}", "yellow")
    for key, fate in told.others:
        _show_fate(console, key, fate)


def _show_fate(console: Console, key: PollKey, fate: Fate) -> None:
    due = " at" if fate.what in (What.NOT_DUE, What.UNKNOWN) else ", due"
    _print(console, f"{key.job} of {key.device}{due} {clock(key.slot)}: {fate.what}", "bold")
    _print(console, f"  {fate.why}")


def _print(console: Console, line: str, style: str = "") -> None:
    """Print a line, folded to the width of a terminal below its own beginning; whole where it is no terminal."""
    indent = len(line) - len(line.lstrip())
    text = Text(line.lstrip(), style)
    rows = text.wrap(console, max(20, console.width - indent)) if console.is_terminal else [text]
    for row in rows:
        row.rstrip()
        console.print(Text(" " * indent) + row, soft_wrap=True)
