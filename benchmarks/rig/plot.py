"""Plots of results, as SVG for the docs and PNG for wherever that can't be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

_TITLE_WIDTH = 64  # characters
_INK, _OURS, _THEIRS = "#24292f", "#1f6feb", "#9aa4af"
_SERIES = ("#1f6feb", "#d29922", "#2da44e", "#cf222e", "#8250df", "#57606a")


@dataclass(frozen=True, slots=True)
class Bars:
    """One bar each, the longest on top; ours has a colour of its own."""

    name: str  # of the file
    title: str
    unit: str
    values: Mapping[str, float]
    ours: str = "streampoll"
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Stacked:
    """Bars made of parts: CPU by role."""

    name: str
    title: str
    unit: str
    values: Mapping[str, Mapping[str, float]]  # bar -> part -> value


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines over a common axis."""

    name: str
    title: str
    axes: tuple[str, str]
    x: Sequence[float]
    series: Mapping[str, Sequence[float]]
    logarithmic_x: bool = False


Plot = Bars | Stacked | Lines


def draw(plot: Plot, where: Path) -> None:
    """Write NAME.svg and NAME.png into a directory."""
    import matplotlib as mpl  # only those who want plots need it

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "streampoll", "font.size": 9, "text.color": _INK, "axes.labelcolor": _INK})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, _height(plot)), layout="constrained")
    _DRAW[type(plot)](axes, plot)
    axes.set_title(fill(plot.title, _TITLE_WIDTH), loc="left", fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(where / f"{plot.name}.svg", metadata={"Date": None})
    figure.savefig(where / f"{plot.name}.png", dpi=150)
    pyplot.close(figure)


def _height(plot: Plot) -> float:
    if isinstance(plot, Lines):
        return 3.6
    return 1.1 + 0.34 * len(plot.values) + (0.3 if isinstance(plot, Stacked) else 0.0)


def _bars(axes: Any, plot: Bars) -> None:
    names = sorted(plot.values, key=plot.values.__getitem__)
    drawn = axes.barh(
        names,
        [plot.values[name] for name in names],
        color=[_OURS if name.startswith(plot.ours) else _THEIRS for name in names],
    )
    axes.bar_label(drawn, [f" {_said(plot.values[name])}" for name in names])
    axes.set_xlabel(plot.unit)
    axes.margins(x=0.12)
    if plot.logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,.0f}")


def _said(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _stacked(axes: Any, plot: Stacked) -> None:
    names = list(plot.values)
    parts = list(dict.fromkeys(part for bar in plot.values.values() for part in bar))
    left = [0.0] * len(names)
    for number, part in enumerate(parts):
        widths = [plot.values[name].get(part, 0.0) for name in names]
        axes.barh(names, widths, left=left, label=part, color=_SERIES[number % len(_SERIES)])
        left = [so_far + width for so_far, width in zip(left, widths, strict=True)]
    axes.set_xlabel(plot.unit)
    axes.invert_yaxis()
    axes.figure.legend(frameon=False, ncols=len(parts), loc="outside lower left")


def _lines(axes: Any, plot: Lines) -> None:
    for number, (name, values) in enumerate(plot.series.items()):
        axes.plot(plot.x, values, marker="o", label=name, color=_SERIES[number % len(_SERIES)])
    axes.set_xlabel(plot.axes[0])
    axes.set_ylabel(plot.axes[1])
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    if plot.logarithmic_x:
        axes.set_xscale("log")


_DRAW: dict[type, Any] = {Bars: _bars, Stacked: _stacked, Lines: _lines}
