"""What `streampoll top` shows: the devices that are slowest, or that fail most, as a table and as JSON."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streampoll.observe import words
from streampoll.observe.keys import Keyed
from streampoll.observe.live import MARKS

RANKINGS = ("slow", "failing")
_TITLES = {"slow": "slowest by median", "failing": "failing most"}
_WIDE = 96  # columns from which site and address are shown


@dataclass(frozen=True, slots=True)
class TopDevice:
    """A device over the last ten minutes; None is unknown."""

    device: str
    address: str | None  # None: the inventory has no such device any more
    site: str | None
    status: str  # of its newest poll
    polls: int
    failed: int
    duration_p50_ms: int
    duration_max_ms: int
    silent_since: int | None = None  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Top:
    """One look."""

    at: float  # seconds since the epoch
    by: str
    devices: Sequence[TopDevice] = ()
    troubles: Sequence[str] = ()


class TopScreen(Keyed):
    """The full screen of `top`: looks and keys in, what is drawn out."""

    def __init__(self, by: str) -> None:
        super().__init__()
        self.by = by
        self.turned = asyncio.Event()  # another ranking is wanted
        self._top: Top | None = None

    def pressed(self, key: str) -> None:
        """Take a key."""
        if key == "s":
            self.by = RANKINGS[(RANKINGS.index(self.by) + 1) % len(RANKINGS)]
            self.turned.set()

    def take(self, top: Top) -> None:
        """Take on the next look; while paused, or if the other ranking is wanted by now, it is forgotten."""
        if not self.paused and top.by == self.by:
            self._top = top

    def draw(self, width: int) -> RenderableType:
        """Lay out the newest look."""
        shown = render(self._top, width) if self._top else Text("reading…", "dim")
        return Group(shown, "", self.keys([("s", "slowest or failing")]))


def to_json(top: Top) -> str:
    """Return one look as one line of JSON; unknown is null."""
    return msgspec.json.encode(top).decode()


def render(top: Top, width: int) -> RenderableType:
    """Lay out one look."""
    title = Text.assemble(("streampoll", "bold"), time.strftime("  %Y-%m-%d %H:%M:%S  ", time.localtime(top.at)))
    parts: list[RenderableType] = [title.append(f"{_TITLES[top.by]}, 10 minutes")]
    parts += [Text(f"! {line}", "bold red") for line in top.troubles]
    if top.devices:
        parts += ["", _table(top, width)]
    elif not top.troubles:
        parts += ["", Text("No poll failed." if top.by == "failing" else "No poll is stored.", "dim")]
    return Group(*parts)


def _table(top: Top, width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold cyan")
    for name in ("Device", *(("Site", "Address") if width >= _WIDE else ()), "last"):
        table.add_column(name, no_wrap=True)
    for name in ("polls", "failed", "p50", "longest", "silent"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in top.devices:
        table.add_row(*_cells(each, top.at, width >= _WIDE))
    return table


def _cells(each: TopDevice, now: float, wide: bool) -> list[Text | str]:
    style, mark = MARKS.get(each.status, ("red", "▚"))
    where = [Text(each.site or words.UNKNOWN), Text(each.address or words.UNKNOWN)] if wide else []
    failed = words.share(each.failed, each.polls)
    return [
        Text(words.clip(each.device, 32)),
        *where,
        Text(f"{mark} {each.status}", style),
        words.count(each.polls),
        Text(failed, "red" if each.failed else ""),
        words.seconds(each.duration_p50_ms / 1000),
        words.seconds(each.duration_max_ms / 1000),
        words.span(now - each.silent_since) if each.silent_since else "",
    ]
