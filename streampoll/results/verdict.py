"""What audit found, for people. Pure."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table as Grid
from rich.text import Text

from streampoll.results.audit import AuditReport, Stopped
from streampoll.results.equation import Shortfall
from streampoll.results.render import clock

_TERMS = ("expected", "ok", "partial", "failed", "expired", "skipped", "lost", "missing")
_BESIDE = ("devices", "duplicates", "executed_twice")
_BAD = ("missing", "duplicates")


def equation_grids(report: AuditReport) -> list[Grid]:
    """Draw the equation and what stands beside it, a line a job and one for the total; each fits 80 columns."""
    figures = report.as_json()
    lines = list(figures["jobs"].items())
    if len(lines) != 1:
        lines.append(("all", figures))
    equation, beside = _grid(*_TERMS), _grid(*_BESIDE, "stored after due", "cycle")
    for job, found in lines:
        equation.add_row(Text(job), *_counts(found, _TERMS))
        beside.add_row(Text(job), *_counts(found, _BESIDE), _pair(found, "lateness"), _pair(found, "cycle"))
    return [equation, beside]


def _grid(*columns: str) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("job", overflow="fold")
    for column in columns:
        grid.add_column(column.replace("_", " "), justify="right", no_wrap=True)
    return grid


def _counts(found: dict[str, Any], names: Sequence[str]) -> list[Text]:
    return [Text(f"{found[name]:,}", style="red" if name in _BAD and found[name] else "") for name in names]


def _pair(found: dict[str, Any], name: str) -> Text:
    p50, p99 = found[f"{name}_p50_s"], found[f"{name}_p99_s"]
    return Text("–" if p50 is None else f"p50 {p50:.1f}s p99 {p99:.1f}s")


def verdict(report: AuditReport) -> str:
    """Say in a line or two how it went."""
    tally = report.total.tally
    by_status = report.total.as_json()["failed_by_status"]
    span = f"{clock(report.window.first)} to {clock(report.window.last)}"
    said = (
        f"{tally.expected:,} polls from {span}: nothing missing, nothing doubled"
        if report.passed
        else f"{tally.expected:,} polls from {span}: {tally.missing:,} MISSING, {tally.duplicates:,} rows too many"
    )
    failed = ", ".join(f"{count:,} {word}" for word, count in by_status.items())
    unfinished = (
        f"{report.open_polls:,} unfinished entries: their slots are not judged yet" if report.open_polls else ""
    )
    one_of = report.total.one_of
    sampled = f"stored after due, cycle: of one slot in {one_of:,}" if one_of > 1 else ""
    return "\n".join(filter(None, (said, failed and f"failed: {failed}", unfinished, sampled)))


def stopped_line(stopped: Stopped) -> str:
    """Say where dispatch has stopped: that is not judged."""
    return (
        f"job {stopped.job}, shard {stopped.shard}: nothing dispatched since {clock(stopped.since)}"
        f" ({stopped.polls:,} polls were due; is a coordinator running?)"
    )


def shortfall_line(shortfall: Shortfall, devices: Sequence[str]) -> str:
    """Name the polls that fall short at one slot, with the devices that they most likely are."""
    shards = ", ".join(map(str, shortfall.shards)) or "?"
    where = f"{clock(shortfall.slot)}  job {shortfall.job}, shard {shards}"
    lost = f", {shortfall.lost:,} of them lost" if shortfall.lost else ""
    likely = f"; likely {', '.join(devices)}" if devices else ""
    return f"{where}: {shortfall.count:,} {shortfall.gap}{lost}{likely}"
