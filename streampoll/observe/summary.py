"""What is said at the end of a run: the equation of the audit, its verdict, and the figures.

It reads the same mapping that `--json` prints. A key that is not there, or is null, is shown as unknown.
"""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streampoll.observe import words
from streampoll.observe.live import outcome_bar, outcome_line

_TERMS = ("ok", "partial", "failed", "expired", "skipped", "lost", "missing")
_GOOD = "green"
_BAD = "bold red"


def summary(audit: Mapping[str, Any], title: str = "streampoll demo") -> RenderableType:
    """Lay out the end of a run in under 24 lines of 80 columns."""
    outcomes = _outcomes(audit)
    parts: list[RenderableType] = [Text.assemble((title, "bold"), "  ", verdict(audit)), ""]
    parts += [equation(audit)]
    if any(outcomes.values()):
        parts += ["", outcome_line(outcomes), outcome_bar(outcomes)]
    return Group(*parts, "", _figures(audit))


def verdict(audit: Mapping[str, Any]) -> Text:
    """Say in one sentence whether every poll is accounted for."""
    expected, missing, twice = (audit.get(key) for key in ("expected", "missing", "duplicates"))
    if expected is None or missing is None or twice is None:
        return Text("the audit could not be completed", _BAD)
    if missing or twice:
        wrong = [f"{missing:,} missing"] * bool(missing) + [f"{twice:,} twice"] * bool(twice)
        return Text(f"NOT accounted for: {', '.join(wrong)}", _BAD)
    if not expected:
        return Text("no poll was due", "yellow")
    if not _adds_up(audit):
        return Text("the audit does not add up", _BAD)
    return Text(f"all {expected:,} polls are accounted for", _GOOD)


def equation(audit: Mapping[str, Any]) -> Table:
    """Lay out expected = ok + partial + … with every term, and what must be zero beside it."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("expected", *_TERMS):
        sign = "" if name == "expected" else "= " if name == "ok" else "+ "
        table.add_column(f"{sign}{name}", justify="right", no_wrap=True)
    table.add_row(*(_cell(name, audit.get(name)) for name in ("expected", *_TERMS)))
    return table


def _adds_up(audit: Mapping[str, Any]) -> bool:
    terms = [audit.get(name) for name in _TERMS]
    return None not in terms and sum(term for term in terms if term is not None) == audit.get("expected")


def _cell(name: str, value: int | None) -> Text:
    wrong = name in ("missing", "lost") and bool(value)
    return Text(words.count(value), _BAD if wrong else "bold" if name == "expected" else "")


def _outcomes(audit: Mapping[str, Any]) -> dict[str, int]:
    """Return the rows by status: failures by their cause where it is known."""
    failed = audit.get("failed_by_status") or {"failed": audit.get("failed") or 0}
    others = {name: audit.get(name) or 0 for name in ("ok", "partial", "expired")}
    return {**others, **{name: count for name, count in failed.items() if name not in others}}


def _figures(audit: Mapping[str, Any]) -> RenderableType:
    """The figures, two to a line; the CPU times have one of their own."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for number in range(4):
        grid.add_column(no_wrap=True, style="" if number % 2 else "dim", justify="right" if number == 1 else "left")
    twice = words.count(audit.get("duplicates"))
    grid.add_row("devices", words.count(audit.get("devices")), "stored after due", _two(audit, "lateness"))
    grid.add_row("devices/s", words.rate(audit.get("devices_per_s")), "round complete", _two(audit, "cycle"))
    grid.add_row("requests/s", words.rate(audit.get("requests_per_s")), "rows twice", twice)
    grid.add_row("values/s", words.rate(audit.get("varbinds_per_s")), "polled twice", _twice(audit))
    grid.add_row("worker RSS", _megabytes(audit.get("worker_rss_mb_max")), "", "")
    return Group(grid, Text.assemble(("CPU seconds ", "dim"), _cpu(audit.get("cpu_s") or {})))


def _two(audit: Mapping[str, Any], name: str) -> str:
    p50, p99 = (words.seconds(audit.get(f"{name}_{part}_s")) for part in ("p50", "p99"))
    return f"p50 {p50}  p99 {p99}"


def _twice(audit: Mapping[str, Any]) -> str:
    count: int | None = audit.get("executed_twice")
    return words.count(count) + (" (second outcomes, not stored)" if count else "")


def _cpu(cpu_s: Mapping[str, float]) -> str:
    return "  ".join(f"{role} {value:,.1f}" for role, value in cpu_s.items()) or words.UNKNOWN


def _megabytes(value: float | None) -> str:
    return words.size(None if value is None else int(value * (1 << 20)))
