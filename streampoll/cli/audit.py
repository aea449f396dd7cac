"""`streampoll audit`: proves that nothing is missing and nothing doubled, or says what is."""

import asyncio
import json
import os
import time
from pathlib import Path

import click

from streampoll.app.redis_side import open_redis
from streampoll.cli.drawing import table_console
from streampoll.cli.options import config_option, json_option, since_option
from streampoll.config.settings import Settings
from streampoll.embedded.endpoints import read_settings
from streampoll.results.audit import AuditReport, audit, likely_devices
from streampoll.results.equation import Shortfall
from streampoll.results.postgres import Connection, connected
from streampoll.results.verdict import equation_grids, shortfall_line, stopped_line, verdict
from streampoll.shards.finality import unfinished

_LISTED = 200


@click.command("audit")
@config_option
@since_option("10m")
@json_option
@click.option("--list", "listing", is_flag=True, help="Name the polls that fall short.")
def command(config: Path, since: float, as_json: bool, listing: bool) -> int:
    """Hold plans, ledger and stored rows against one another.

    \b
      expected = ok + partial + failed + expired + skipped + lost + missing

    by job, over every slot since TIME that is finished. Exit code 1 if a poll is missing or a row doubled.

    \b
    Examples:
      streampoll audit --since 1h
      streampoll audit --since 10m --list
      streampoll audit --since 1d --json | jq .missing
    """
    settings = read_settings(config, os.environ)
    report, listed = asyncio.run(_audit(settings, int(since), listing))
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        console = table_console()
        for grid in equation_grids(report):
            console.print(grid)
        console.print(verdict(report), markup=False, soft_wrap=True)
    for line in (*map(stopped_line, report.stopped), *listed):
        click.echo(line, err=as_json)
    return 0 if report.passed else 1


async def _audit(settings: Settings, since: int, listing: bool) -> tuple[AuditReport, list[str]]:
    """Audit up to now; with `listing`, the shortfalls as lines."""
    async with open_redis(settings) as redis, connected(settings.postgres) as connection:
        report = await audit(
            connection, since, int(time.time()), lambda: unfinished(redis.streams, settings.shards.count)
        )
        listed = await _listed(connection, report) if listing else []
    return report, listed


async def _listed(connection: Connection, report: AuditReport) -> list[str]:
    lines = [await _line(connection, report, shortfall) for shortfall in report.shortfalls[:_LISTED]]
    more = len(report.shortfalls) - _LISTED
    return [*lines, f"and {more} more slots"] if more > 0 else lines


async def _line(connection: Connection, report: AuditReport, shortfall: Shortfall) -> str:
    return shortfall_line(shortfall, await likely_devices(connection, shortfall, report.window))
