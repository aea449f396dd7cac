"""`streampoll top`: the devices that are slowest, or that fail most, live."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from streampoll.cli import EXIT_FAILED
from streampoll.cli.options import config_option, json_option
from streampoll.observe.top import RANKINGS, Top, TopScreen, render, to_json
from streampoll.observe.watch import full_screen, terminal_console, until_interrupted

if TYPE_CHECKING:
    from streampoll.app.top import TopReader


@click.command("top")
@config_option
@click.option("--by", type=click.Choice(RANKINGS), default="slow", show_default=True, help="What the worst are.")
@click.option("-n", "--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Devices.")
@click.option(
    "--every", type=click.FloatRange(min=1.0), default=5.0, show_default=True, help="Seconds between two looks."
)
@click.option("--once", is_flag=True, help="Show once, as it does where there is no terminal.")
@json_option
def command(config: Path, by: str, limit: int, every: float, once: bool, as_json: bool) -> int:
    """Show the slowest devices, or those that fail most, of the last ten minutes.

    On a terminal it is full-screen and live. Keys: q quits, p pauses, s shows the other ranking. Durations of the slow
    are of polls that got an answer. Since when a device is silent is what workers have on record in Redis. Exit code 1
    if a server could not be read.

    \b
    Examples:
      streampoll top
      streampoll top --by failing --once
      streampoll top --json | jq -r '.devices[].device'
    """
    return asyncio.run(_show(config, TopScreen(by), limit, 0.0 if once or as_json else every, as_json))


async def _show(config: Path, screen: TopScreen, limit: int, every_s: float, as_json: bool) -> int:
    from streampoll.app.looks import open_top  # here: `--help` need not load the clients

    console = terminal_console()
    async with open_top(config) as reader:
        if every_s and console.is_terminal:
            await until_interrupted(_follow(reader, console, screen, limit, every_s))
            return 0
        top: Top = await reader.top(screen.by, limit)
        if as_json:
            click.echo(to_json(top))
        else:
            console.print(render(top, console.width))
        return EXIT_FAILED if top.troubles else 0


async def _follow(reader: "TopReader", console: Console, screen: TopScreen, limit: int, every_s: float) -> None:
    with full_screen(console, screen) as changed:
        while True:
            screen.take(await reader.top(screen.by, limit))
            changed()
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await screen.turned.wait()
            screen.turned.clear()
