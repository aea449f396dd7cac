"""Shows figures once, or again and again until Ctrl-C; full-screen on a terminal, plain lines elsewhere."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NoReturn

from rich.console import Console
from rich.live import Live

from streampoll.observe.figures import Stats, StatsSource
from streampoll.observe.view import render, to_json


@dataclass(frozen=True, slots=True)
class Look:
    """How the figures are to be shown."""

    json: bool = False  # one object a line
    shards: bool = False  # the shards of each class, too


def terminal_console() -> Console:
    """Make the console of stdout: colours only on a terminal without NO_COLOR, no character that it can't write."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure and not (sys.stdout.encoding or "").lower().startswith("utf"):
        reconfigure(errors="replace")
    return Console(highlight=False)


async def show_once(source: StatsSource, look: Look, console: Console) -> bool:
    """Write the figures; return whether all of them could be read."""
    stats = await source.snapshot()
    write(console, stats, look)
    return not stats.troubles


async def watch(source: StatsSource, look: Look, console: Console, every_s: float) -> None:
    """Show the figures again and again until SIGINT or SIGTERM, which are the ordinary end of it."""
    if look.json or not console.is_terminal:
        await _until_interrupted(_repeat(source, every_s, lambda stats: write(console, stats, look)))
        return
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        await _until_interrupted(
            _repeat(source, every_s, lambda stats: live.update(render(stats, look.shards), refresh=True))
        )


def write(console: Console, stats: Stats, look: Look) -> None:
    """Write one snapshot where the cursor is."""
    if look.json:
        console.out(to_json(stats), highlight=False)
    else:
        console.print(render(stats, look.shards))


async def _repeat(source: StatsSource, every_s: float, draw: Callable[[Stats], None]) -> NoReturn:
    while True:
        draw(await source.snapshot())
        await asyncio.sleep(every_s)


async def _until_interrupted(repeating: Coroutine[Any, Any, NoReturn]) -> None:
    """Run it until a signal cancels it; whatever else ends it is raised."""
    loop, task = asyncio.get_running_loop(), asyncio.create_task(repeating, name="watch")
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
    finally:
        task.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
