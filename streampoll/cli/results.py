"""`streampoll results DEVICE`: what was stored of a device."""

import asyncio
import csv
import json
import os
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from streampoll.cli.drawing import table_grids
from streampoll.cli.options import config_option, since_option
from streampoll.config.settings import PostgresSettings
from streampoll.embedded.endpoints import read_settings
from streampoll.results.postgres import connected
from streampoll.results.reader import StoredPoll, Wanted, results
from streampoll.results.render import CSV_COLUMNS, as_json, csv_rows, text_lines


@click.command("results")
@click.argument("device")
@config_option
@click.option("--job", default="", help="Only this job's polls.")
@since_option("1d")
@click.option("--limit", type=click.IntRange(min=1), default=1, show_default=True, help="Polls, the newest first.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
    help="json: an object a line; csv: a value a line.",
)  # fmt: skip
def command(device: str, config: Path, job: str, since: float, limit: int, form: str) -> int:
    """Show what was stored of DEVICE, the newest poll first.

    Bytes are shown as text where they are printable, else as 0a:1b:2c; a missing value with its reason. Exit code 1 if
    there is nothing.

    \b
    Examples:
      streampoll results core-1
      streampoll results core-1 --job interfaces --since 2h --limit 20 --format csv
    """
    settings = read_settings(config, os.environ).postgres
    shown = asyncio.run(_show(settings, Wanted(device, job, int(since), limit=limit), form))
    if not shown:
        click.echo(f"streampoll: nothing was stored of {device} in that time; try an earlier --since", err=True)
    return 0 if shown else 1


async def _show(settings: PostgresSettings, wanted: Wanted, form: str) -> int:
    """Write the polls as they come; return how many there were."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    console = Console(highlight=False)
    count = 0
    async with connected(settings) as connection:
        async for poll in results(connection, wanted):
            if form == "json":
                click.echo(json.dumps(as_json(poll), ensure_ascii=False))
            elif form == "csv":
                writer.writerows([CSV_COLUMNS, *csv_rows(poll)] if not count else csv_rows(poll))
            else:
                _draw(console, poll)
            count += 1
    return count


def _draw(console: Console, poll: StoredPoll) -> None:
    for line in text_lines(poll):
        console.print(Text(line), soft_wrap=True)
    for name, table in poll.outcome.tables.items():
        for grid in table_grids(name, table, console.width):
            console.print(grid)
