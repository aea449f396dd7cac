"""A line over time as a picture, by matplotlib: only imported where one is wanted."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from matplotlib import dates, pyplot, ticker

from streampoll.results.series import Point

_INCHES, _DOTS = (10.0, 4.2), 144
_LINE, _GRID, _TEXT = "#2457d6", "#dfe4ec", "#576274"


def draw(title: str, points: Sequence[Point], output: Path) -> None:
    """Write the picture; its format follows from the file's name. Where a value is missing, the line has a gap."""
    figure, axes = pyplot.subplots(figsize=_INCHES, dpi=_DOTS, layout="constrained")
    zone = datetime.now().astimezone().tzinfo
    times: Any = [datetime.fromtimestamp(at, zone) for at, _ in points]
    shown = [float("nan") if value is None else value for _, value in points]
    axes.plot(times, shown, color=_LINE, linewidth=1.6)
    axes.fill_between(times, shown, color=_LINE, alpha=0.08)
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.yaxis.set_major_formatter(ticker.EngFormatter(sep=" "))
    formatter: Any = dates.ConciseDateFormatter
    axes.xaxis.set_major_formatter(formatter(axes.xaxis.get_major_locator(), tz=zone))
    axes.grid(color=_GRID, linewidth=0.8)
    axes.tick_params(colors=_TEXT, length=0)
    axes.spines[:].set_visible(False)
    figure.savefig(output)
    pyplot.close(figure)
