"""Shows figures once, or again and again until Ctrl-C or `q`; full-screen on a terminal, plain lines elsewhere."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from rich.console import Console, RenderableType
from rich.live import Live

from streampoll.errors import StreampollError
from streampoll.observe.figures import Stats, StatsSource
from streampoll.observe.keyboard import keys
from streampoll.observe.screen import Screen, Slowest
from streampoll.observe.view import render, to_json
from streampoll.results.ranking import Ranked

_RANK_S = 10.0  # between two questions to PostgreSQL

Changed = Callable[[], None]
Rank = Callable[[], Awaitable[Sequence[Ranked]]]
"""Asks for the slowest devices."""


class Drawn(Protocol):
    """What takes keys and is drawn."""

    ended: bool

    def press(self, key: str) -> None:
        """Take a key."""

    def draw(self, width: int) -> RenderableType:
        """Lay it out."""


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


async def watch(source: StatsSource, look: Look, console: Console, every_s: float, rank: Rank | None = None) -> None:
    """Show the figures again and again until SIGINT, SIGTERM or `q`, which are the ordinary end of it."""
    if look.json or not console.is_terminal:
        await until_interrupted(_repeat(source, every_s, lambda stats: write(console, stats, look)))
        return
    await until_interrupted(_on_screen(source, Screen(look.shards), console, every_s, rank))


async def _on_screen(source: StatsSource, screen: Screen, console: Console, every_s: float, rank: Rank | None) -> None:
    with full_screen(console, screen) as changed:

        def take(stats: Stats) -> None:
            screen.take(stats)
            changed()

        await asyncio.gather(_repeat(source, every_s, take), _rank(screen, rank))  # what one raises ends both


@contextmanager
def full_screen(console: Console, drawn: Drawn) -> Iterator[Changed]:
    """Take the screen and the keys, and give both back; yields what has it drawn anew. A key does so by itself.

    It is for within `until_interrupted`: a signal must find its handler before there is a terminal to give back.
    """
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:

        def changed() -> None:
            live.update(drawn.draw(console.width), refresh=True)

        def press(key: str) -> None:
            drawn.press(key)
            changed()
            if drawn.ended:
                signal.raise_signal(signal.SIGINT)  # as Ctrl-C: at once, also while a server does not answer

        with keys(press):
            changed()  # before the first answer, which a server may keep one waiting for
            yield changed


async def _rank(screen: Screen, rank: Rank | None) -> None:
    """Ask for the slowest devices from time to time; why they are not known is shown in their place."""
    while rank is not None:
        try:
            screen.rank(Slowest(await rank()))
        except StreampollError as error:
            screen.rank(Slowest(trouble=str(error)))
        await asyncio.sleep(_RANK_S)


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


async def until_interrupted(repeating: Coroutine[Any, Any, None]) -> None:
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
