"""`streampoll results DEVICE`: what was stored of a device."""

import asyncio
import csv
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streampoll.cli.drawing import table_grids
from streampoll.cli.names import offer_devices, offer_jobs
from streampoll.cli.options import config_option, json_line, json_option, since_option
from streampoll.config.load import load_profiles
from streampoll.config.profile_port import PollPlan
from streampoll.config.settings import PostgresSettings, Settings
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import ConfigError
from streampoll.observe.looks import look_by_profile
from streampoll.results.postgres import Connection, connected
from streampoll.results.rates_view import RATES_CSV_COLUMNS, cells, heading, rates_csv, rates_json, shown_rate
from streampoll.results.reader import StoredPoll, StoredRow, Wanted, results, stored_rates
from streampoll.results.render import CSV_COLUMNS, Look, as_json, csv_rows, text_lines

Stored = TypeVar("Stored", StoredPoll, StoredRow)
Reading = Callable[[Connection, Wanted], AsyncIterator[Stored]]


@click.command("results")
@click.argument("device", shell_complete=offer_devices)
@config_option
@click.option("--job", default="", shell_complete=offer_jobs, help="Only this job's polls.")
@since_option("1d")
@click.option("--limit", type=click.IntRange(min=1), default=1, show_default=True, help="Polls, the newest first.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
    help="json: an object a line; csv: a value a line.",
)  # fmt: skip
@click.option("--rates", is_flag=True, help="What its counters did a second, in the place of the values.")
@json_option
def command(
    device: str, config: Path, job: str, since: float, limit: int, form: str, rates: bool, as_json: bool
) -> int:
    """Show what was stored of DEVICE, the newest poll first.

    Values are shown with the names and formats of their profile; octets without one as text where they are printable,
    else as 0a:1b:2c; a missing value with its reason. In JSON and CSV numbers stay numbers, with what is shown of them
    beside them. Exit code 1 if there is nothing.

    \b
    Examples:
      streampoll results core-1
      streampoll results core-1 --job interfaces --since 2h --limit 20 --format csv
      streampoll results core-1 --rates
    """
    settings = read_settings(config, os.environ)
    wanted = Wanted(device, job, int(since), limit=limit)
    form = "json" if as_json else form
    if rates:
        shown = asyncio.run(_show_rates(settings.postgres, wanted, form))
    else:
        shown = asyncio.run(_show(settings.postgres, wanted, form, look_by_profile(_profiles(config, settings))))
    if not shown:
        click.echo(f"streampoll: nothing was stored of {device} in that time; try an earlier --since", err=True)
    return 0 if shown else 1


def _profiles(config: Path, settings: Settings) -> Mapping[str, PollPlan]:
    """Return the profiles, by which values are shown; none, with a word, if they have faults."""
    try:
        return load_profiles(config, settings)
    except ConfigError as error:
        click.echo(f"streampoll: values are shown without names and formats: {error.faults[0]}", err=True)
        return {}


async def _show(settings: PostgresSettings, wanted: Wanted, form: str, look_of: Callable[[str], Look]) -> int:
    """Write the polls as they come; return how many there were."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    console = Console(highlight=False)
    count = 0
    async for poll in _read(settings, wanted, results):
        look = look_of(poll.outcome.profile)
        if form == "json":
            click.echo(json_line(as_json(poll, look)))
        elif form == "csv":
            writer.writerows([CSV_COLUMNS, *csv_rows(poll, look)] if not count else csv_rows(poll, look))
        else:
            _draw(console, poll, look)
        count += 1
    return count


async def _read(settings: PostgresSettings, wanted: Wanted, read: Reading[Stored]) -> AsyncIterator[Stored]:
    """Yield what is stored as it comes. What is done with it is outside: of its errors none is PostgreSQL's."""
    async with connected(settings) as connection:
        async for each in read(connection, wanted):
            yield each


async def _show_rates(settings: PostgresSettings, wanted: Wanted, form: str) -> int:
    """Write the rates as they come; return of how many results there were."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    console = Console(highlight=False)
    count = 0
    async for row in _read(settings, wanted, stored_rates):
        if form == "json":
            click.echo(json_line(rates_json(row)))
        elif form == "csv":
            writer.writerows([RATES_CSV_COLUMNS, *rates_csv(row)] if not count else rates_csv(row))
        else:
            _draw_rates(console, row)
        count += 1
    return count


def _draw_rates(console: Console, row: StoredRow) -> None:
    console.print(Text(heading(row)), soft_wrap=True)
    grid = Table(box=None)
    for name in ("table", "row", "counter", "rate", "of speed", "over"):
        grid.add_column(name, justify="right" if name in ("rate", "of speed", "over") else "left", no_wrap=True)
    for table, key, counter, rate, percent, span_s in cells(row):
        full, over = "" if percent is None else f"{percent:.2f} %", "" if span_s is None else f"{span_s:.0f} s"
        grid.add_row(Text(table), Text(key), Text(counter), shown_rate(counter, rate), full, over)
    console.print(grid)


def _draw(console: Console, poll: StoredPoll, look: Look) -> None:
    for line in text_lines(poll, look):
        console.print(Text(line), soft_wrap=True)
    for name, table in poll.outcome.tables.items():
        for grid in table_grids(name, table, console.width, look):
            console.print(grid)
