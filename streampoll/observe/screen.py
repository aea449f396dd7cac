"""The full screen of `stats --watch`: snapshots and keys in, what is to be drawn out. It neither reads nor waits."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streampoll.observe import view, words
from streampoll.observe.figures import Stats, WorkerRow, by_class
from streampoll.observe.keys import Keyed
from streampoll.observe.live import sparkline
from streampoll.results.ranking import Ranked

_MOMENTS = 60  # of the sparkline
_SIDE_BY_SIDE = 118  # columns from which the devices stand beside the workers

Order = Callable[[WorkerRow], float]

ORDERS: Sequence[tuple[str, Order | None]] = (
    ("by host", None),
    ("busiest first", lambda row: -(row.in_flight or 0)),
    ("fastest first", lambda row: -(row.rate_per_s or 0.0)),
    ("largest first", lambda row: -(row.rss_bytes or 0)),
    ("most lag first", lambda row: -(row.loop_lag_s or 0.0)),
)
"""How workers are sorted, in the order in which `s` goes through them."""


@dataclass(frozen=True, slots=True)
class Slowest:
    """The devices that take longest, or why they are not known."""

    devices: Sequence[Ranked] = ()
    trouble: str = ""


class Screen(Keyed):
    """What is seen, and how it is wanted."""

    def __init__(self, shards: bool = False) -> None:
        super().__init__()
        self._shards = shards
        self._order = 0
        self._rates: deque[float] = deque(maxlen=_MOMENTS)
        self._stats: Stats | None = None
        self._slowest: Slowest | None = None  # None: not asked yet

    def pressed(self, key: str) -> None:
        """Take a key."""
        match key:
            case "s":
                self._order = (self._order + 1) % len(ORDERS)
            case "d":
                self._shards = not self._shards

    def take(self, stats: Stats) -> None:
        """Take on the next snapshot; while paused, it is forgotten."""
        if self.paused:
            return
        self._stats = stats
        rate = next((row.rate_per_s for row in by_class(stats.queues) if row.queue == "polling"), None)
        if rate is not None:
            self._rates.append(rate)

    def rank(self, slowest: Slowest) -> None:
        """Take on which devices are slowest."""
        if not self.paused:
            self._slowest = slowest

    def draw(self, width: int) -> RenderableType:
        """Lay out the newest snapshot."""
        if self._stats is None:
            return Text("reading…", "dim")
        stats = self._stats
        parts: list[RenderableType] = [view.heading(stats), self._pulse(stats)]
        parts += [Text(f"! {line}", "bold red") for line in (*stats.troubles, *stats.alarms)]
        parts += ["", view.queue_table(stats.queues, self._shards)] if stats.queues else []
        parts += ["", view.job_table(stats.jobs)] if stats.jobs else []
        return Group(
            *parts,
            "",
            self._below(stats, width),
            "",
            self.keys([("s", f"workers {ORDERS[self._order][0]}"), ("d", "shards")]),
        )

    def _pulse(self, stats: Stats) -> Text:
        """Polls a second with their last minute, and how late rows are."""
        newest = self._rates[-1] if self._rates else None
        late = [row.lateness_p99_s for row in stats.jobs if row.lateness_p99_s is not None]
        line = Text.assemble(("polls/s ", "dim"), (f"{words.rate(newest):>7} ", "bold"), sparkline(self._rates))
        return line.append("  late p99 ", "dim").append(words.seconds(max(late, default=None)), "bold")

    def _below(self, stats: Stats, width: int) -> RenderableType:
        workers, devices = self._workers(stats), slow_table(self._slowest)
        if width >= _SIDE_BY_SIDE:
            return Columns([workers, devices], padding=(0, 4))
        return Group(workers, "", devices)

    def _workers(self, stats: Stats) -> RenderableType:
        if not stats.workers:
            return Text("" if stats.troubles else "No worker is alive: `streampoll worker` starts one.", "yellow")
        order = ORDERS[self._order][1]
        return view.worker_table(stats.workers) if order is None else view.sorted_workers(stats.workers, order)


def slow_table(slowest: Slowest | None) -> RenderableType:
    """The slowest devices, a line each."""
    if slowest is None or not slowest.devices:
        reason = "" if slowest is None else slowest.trouble or "no poll is stored of the last minutes"
        return Text(f"Slowest devices: {reason or '…'}", "dim")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold cyan")
    for number, name in enumerate(("Slowest devices", "p50", "longest", "polls")):
        table.add_column(name, justify="left" if number < 1 else "right", no_wrap=True)
    for each in slowest.devices:
        cells = words.seconds(each.duration_p50_ms / 1000), words.seconds(each.duration_max_ms / 1000)
        table.add_row(Text(words.clip(each.device, 24)), *cells, words.count(each.polls))
    return table
