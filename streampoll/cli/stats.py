"""`streampoll stats`: queues, jobs and workers, now or live."""

import asyncio
from pathlib import Path

import click

from streampoll.cli import EXIT_FAILED
from streampoll.cli.options import config_option, json_option
from streampoll.observe.watch import Look, show_once, terminal_console, watch


@click.command("stats")
@config_option
@click.option("--watch", "watching", is_flag=True, help="Show again and again, full-screen.")
@click.option("--every", type=click.FloatRange(min=0.1), default=1.0, show_default=True, help="Seconds between two.")
@click.option("--shards", is_flag=True, help="Show each shard that holds something.")
@json_option
def command(config: Path, watching: bool, every: float, shards: bool, as_json: bool) -> int:
    """Show queues, jobs and workers: what waits, how old it is, who does it and how fast.

    With --watch on a terminal, keys: q quits, p pauses, s sorts workers, d shows shards; the slowest devices come from
    PostgreSQL. It reads what is there and asks no worker, so it answers at once however busy they are. What is not
    known is shown as "–" (null in JSON, which is one object a line). Exit code 1 if a server could not be read.

    \b
    Examples:
      streampoll stats
      streampoll stats --watch --shards
      streampoll stats --json | jq '.queues[] | select(.dead > 0)'
    """
    well = asyncio.run(_show(config, Look(as_json, shards), every if watching else 0.0))
    return 0 if well else EXIT_FAILED


async def _show(config: Path, look: Look, every_s: float) -> bool:
    from streampoll.app.looks import open_stats, open_top  # here: `--help` need not load the clients

    async with open_stats(config) as source:
        if not every_s:
            return await show_once(source, look, terminal_console())
        async with open_top(config) as top:
            await watch(source, look, terminal_console(), every_s, top.ranked)
        return True
