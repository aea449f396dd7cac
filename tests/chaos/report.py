"""What a run found: the matrix, the equation, the verdict; for people and as JSON."""

from collections import defaultdict
from statistics import median
from typing import Any

from tests.chaos.fault import FAULTS
from tests.chaos.run import BAR_S, Event, Verdict

_COUNTS = ("expired", "skipped", "lost", "missing", "duplicates", "executed_twice")


def matrix(verdict: Verdict) -> str:
    """Return a line a fault, as Markdown."""
    by_fault: defaultdict[str, list[Event]] = defaultdict(list)
    for event in verdict.events:
        by_fault[event.fault.name].append(event)
    lines = [
        f"| fault | times | lasted | normal after (bar {BAR_S} s) | {' | '.join(_COUNTS)} |".replace("_", " "),
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_line(by_fault[name]) for name in FAULTS if name in by_fault]
    return "\n".join(lines)


def _line(events: list[Event]) -> str:
    sums = {name: sum(event.figures.get(name, 0) for event in events) for name in _COUNTS}
    cells = [
        events[0].fault.what, len(events), f"{median(event.lasted_s for event in events):.1f} s", _normal(events),
        *(f"{sums[name]:,}" for name in _COUNTS),
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def _normal(events: list[Event]) -> str:
    if any(event.normal_s is None for event in events):
        return "not"
    times = sorted(event.normal_s or 0.0 for event in events)
    return f"{times[-1]:.1f} s" if len(times) == 1 else f"{median(times):.1f} s, at most {times[-1]:.1f} s"


def equation(verdict: Verdict) -> str:
    """Return the equation's figures in one line."""
    figures = verdict.audit.total.as_json()
    names = (
        "expected",
        "ok",
        "partial",
        "failed",
        "expired",
        "skipped",
        "lost",
        "missing",
        "duplicates",
        "executed_twice",
    )
    return ", ".join(f"{name.replace('_', ' ')} {figures[name]:,}" for name in names)


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Return everything that was found."""
    return {
        "seed": verdict.seed,
        "passed": verdict.passed,
        "bar_s": BAR_S,
        "wrong": verdict.wrong,
        "slow": verdict.slow,
        "audit": verdict.audit.as_json(),
        "faults": [
            {
                "name": event.fault.name,
                "told": event.told,
                "began": round(event.began, 3),
                "lasted_s": round(event.lasted_s, 1),
                "normal_s": None if event.normal_s is None else round(event.normal_s, 1),
                **{name: event.figures.get(name, 0) for name in _COUNTS},
            }
            for event in verdict.events
        ],
    }
