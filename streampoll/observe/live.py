"""The live view of a run (`bin/demo`): one `Frame` after another in, under 24 lines of 80 columns out."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streampoll.observe import words

MARKS: Mapping[str, tuple[str, str]] = {
    "ok": ("green", "█"),
    "partial": ("yellow", "▓"),
    "timeout": ("magenta", "▒"),
    "unreachable": ("magenta", "▒"),
    "expired": ("yellow", "░"),
}
"""Colour and pattern of outcomes (the pattern for those who see no colour). The others are red: they want a look."""

_OTHER_MARK = ("red", "▚")
_SPARKS = "▁▂▃▄▅▆▇█"
_BAR_WIDTH = 40  # columns, and frames of the sparkline
_MOST_WORKERS = 6


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """One process."""

    name: str
    state: str
    in_flight: int | None = None
    rate_per_s: float | None = None
    rss_bytes: int | None = None
    loop_lag_s: float | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment of a run; None is unknown."""

    phase: str  # "starting PostgreSQL", "polling", "draining", "auditing"
    elapsed_s: float
    total_s: float | None = None  # None: until Ctrl-C
    devices: int | None = None
    interval_s: float | None = None
    devices_per_s: float | None = None
    requests_per_s: float | None = None
    in_flight: int | None = None
    waiting: int | None = None
    lateness_p50_s: float | None = None
    lateness_p99_s: float | None = None
    cycle_done: int | None = None  # polls of the current round that have their row
    cycle_total: int | None = None
    outcomes: Mapping[str, int] = field(default_factory=dict)  # rows by status since the start
    workers: Sequence[WorkerLine] = ()


class LiveView:
    """The frames so far, drawn; hand it to `rich.live.Live`."""

    def __init__(self, title: str = "streampoll demo") -> None:
        self._title = title
        self._frame = Frame("starting", 0.0)
        self._rates: deque[float] = deque(maxlen=_BAR_WIDTH)

    def update(self, frame: Frame) -> None:
        """Take on the next frame."""
        self._frame = frame
        if frame.devices_per_s is not None:
            self._rates.append(frame.devices_per_s)

    def __rich__(self) -> RenderableType:
        """Draw the newest frame."""
        frame = self._frame
        parts: list[RenderableType] = [self._heading(), "", self._progress(), "", _figures(frame)]
        if any(frame.outcomes.values()):
            parts += ["", outcome_line(frame.outcomes), outcome_bar(frame.outcomes)]
        if frame.workers:
            parts += ["", _workers(frame.workers)]
        return Group(*parts)

    def _heading(self) -> Text:
        frame = self._frame
        line = Text.assemble((self._title, "bold"), "  ", (frame.phase, "cyan"))
        if frame.devices is not None:
            every = f" every {words.span(frame.interval_s)}" if frame.interval_s is not None else ""
            line.append(f"  {frame.devices:,} devices{every}")
        return line

    def _progress(self) -> Table:
        """The time of the run, the round it is in and the rate so far, as bars."""
        frame, grid = self._frame, _grid(3)
        if frame.total_s:
            left = f"{words.span(frame.elapsed_s)} of {words.span(frame.total_s)}"
            grid.add_row("run", _bar(frame.elapsed_s, frame.total_s), left)
        else:
            grid.add_row("run", Text("until Ctrl-C".ljust(_BAR_WIDTH), "dim"), words.span(frame.elapsed_s))
        if frame.cycle_total:
            done = f"{words.count(frame.cycle_done)} of {words.count(frame.cycle_total)}"
            grid.add_row("round", _bar(frame.cycle_done or 0, frame.cycle_total), done)
        grid.add_row("rate", sparkline(self._rates), Text(f"{words.rate(frame.devices_per_s)} devices/s", "bold"))
        return grid


def sparkline(rates: Sequence[float]) -> Text:
    """Draw rates over time, the highest as a full block."""
    highest = max(rates, default=0.0)
    if highest <= 0:
        return Text("")
    return Text("".join(_SPARKS[round(rate / highest * (len(_SPARKS) - 1))] for rate in rates), "green")


def outcome_line(outcomes: Mapping[str, int]) -> Text:
    """Write the outcomes with their counts, the frequent first."""
    line = Text()
    for status, count in _by_frequency(outcomes):
        style, mark = MARKS.get(status, _OTHER_MARK)
        line.append(f"{mark} {status} ", style).append(f"{count:,}   ")
    return line


def outcome_bar(outcomes: Mapping[str, int], width: int = 78) -> Text:
    """Draw the outcomes as parts of one bar; each that occurred gets at least one cell, the first the remainder."""
    whole = sum(outcomes.values())
    parts = _by_frequency(outcomes)
    lengths = [max(1, count * width // whole) for _, count in parts]
    lengths[:1] = [max(1, width - sum(lengths[1:]))]
    bar = Text()
    for (status, _), length in zip(parts, lengths, strict=False):
        style, mark = MARKS.get(status, _OTHER_MARK)
        bar.append(mark * length, style)
    return bar


def _by_frequency(outcomes: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted((pair for pair in outcomes.items() if pair[1]), key=lambda pair: -pair[1])


def _figures(frame: Frame) -> Table:
    grid = _grid(4)
    late = f"p50 {words.seconds(frame.lateness_p50_s)}  p99 {words.seconds(frame.lateness_p99_s)}"
    grid.add_row("requests/s", words.rate(frame.requests_per_s), "stored after due", late)
    grid.add_row("in flight", words.count(frame.in_flight), "waiting in Redis", words.count(frame.waiting))
    return grid


def _workers(workers: Sequence[WorkerLine]) -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold cyan")
    for number, name in enumerate(("Worker", "state", "in flight", "devices/s", "RSS", "loop lag")):
        grid.add_column(name, justify="left" if number < 2 else "right", no_wrap=True)
    for worker in workers[:_MOST_WORKERS]:
        grid.add_row(
            Text(words.clip(worker.name, 24)),
            worker.state,
            words.count(worker.in_flight),
            words.rate(worker.rate_per_s),
            words.size(worker.rss_bytes),
            words.seconds(worker.loop_lag_s),
        )
    if len(workers) > _MOST_WORKERS:
        grid.add_row(f"and {len(workers) - _MOST_WORKERS} more", style="dim")
    return grid


def _grid(columns: int) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for number in range(columns):
        grid.add_column(no_wrap=True, style="" if number % 2 else "dim")
    return grid


def _bar(done: float, whole: float) -> Bar:
    return Bar(size=whole, begin=0, end=min(done, whole), width=_BAR_WIDTH, color="cyan", bgcolor="grey23")
