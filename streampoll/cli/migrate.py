"""`streampoll migrate`: makes or upgrades PostgreSQL's schema."""

import asyncio
import json
import os
from pathlib import Path

import click

from streampoll.cli.options import config_option, json_option
from streampoll.cli.progress import progress
from streampoll.config.settings import PostgresSettings
from streampoll.embedded.endpoints import read_settings


@click.command("migrate")
@config_option
@json_option
def command(config: Path, as_json: bool) -> None:
    """Make the schema in PostgreSQL, or bring it up to date.

    Workers and coordinators do this at their start too; run it by hand where only you may change the schema. To run it
    again, or twice at once, does nothing more.
    """
    with progress("migrating the schema", None):
        applied = asyncio.run(_migrate(read_settings(config, os.environ).postgres))
    if as_json:
        click.echo(json.dumps({"applied": applied}))
        return
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("the schema is up to date")


async def _migrate(settings: PostgresSettings) -> list[str]:
    from streampoll.results.migrations import migrate  # here: `--help` need not load the clients
    from streampoll.results.postgres import connected

    async with connected(settings) as connection:
        return await migrate(connection)
