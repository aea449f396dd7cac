"""What a benchmark says: tables for people, one JSON object a line for programs, plots for the docs."""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.rig.plot import Plot, draw

_PACKAGES = ("streampoll", "redis", "hiredis", "asyncpg", "uvloop", "msgpack", "isal", "zlib-ng", "pysnmp", "gufo-snmp")

_CORES = len(os.sched_getaffinity(0))  # before a benchmark keeps itself on one of them
_WIDTH = 132  # where no terminal says

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table as people read it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(slots=True)
class Report:
    """The outcome of one benchmark."""

    benchmark: str
    metrics: dict[str, Any]
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # peer -> why it could not be measured
    versions: dict[str, str] = field(default_factory=dict)  # of peers and servers


def parser_of(text: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object on a line, and nothing else")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write plots (SVG and PNG) into this directory")
    return parser


def emit(report: Report, options: argparse.Namespace) -> None:
    """Print the report as the options ask, and write its plots."""
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
        for plot in report.plots:
            draw(plot, options.plots)
    if options.json:
        said = {"benchmark": report.benchmark, "metrics": report.metrics, "missing": report.missing}
        print(json.dumps(said | {"machine": machine() | {"versions": versions() | report.versions}}), flush=True)
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    for table in report.tables:
        console.print(_drawn(table))
    for peer, why in report.missing.items():
        console.print(f"missing: {peer}: {why}", markup=False)
    console.print(" · ".join(f"{name} {value}" for name, value in machine().items()), style="dim", markup=False)


def progress(text: str) -> None:
    """Say what goes on, where it is in nobody's way."""
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": _CORES,
        "cpu": _cpu(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": round(os.getloadavg()[0], 1),  # of everything on the machine, us included: is it a quiet run
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Return the versions of what runs in our own processes."""
    known = {each.metadata["name"].lower(): each.version for each in importlib.metadata.distributions()}
    return {name: known[name] for name in _PACKAGES if name in known}


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _drawn(table: Table) -> RichTable:
    drawn = RichTable(title=table.title, title_justify="left", title_style="bold")
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if number else "left")
    for row in table.rows:
        drawn.add_row(*map(_text, row))
    return drawn


def _text(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:,.4g}"
    return f"{cell:,}" if isinstance(cell, int) else cell
