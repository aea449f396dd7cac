"""What is looked at over all devices: which are slow, which fail, and how late polls were over the last hours.

A fleet may store thousands of rows a second, so none of these reads more than a bounded number: a ranking looks less
far back, a history at a part of the seconds. Both say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streampoll.model import Status
from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries

_QUERIES = load_queries("ranking.sql")
_MOST_ROWS = 300_000  # read for one answer: a third of a second
_SHORTEST_S = 10
_STEPS = 180  # points of a history, about


@dataclass(frozen=True, slots=True)
class Ranked:
    """A device over the last minutes."""

    device: str
    polls: int
    failed: int
    duration_p50_ms: int
    duration_max_ms: int
    status: Status  # of its newest poll


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows to read."""

    first: int  # slots, seconds since the epoch, both included
    last: int
    every: int = 1  # only one second of so many


@dataclass(frozen=True, slots=True)
class PastStep:
    """All polls of some seconds."""

    at: int  # when they begin, seconds since the epoch
    polls_per_s: float
    failed_per_s: float
    late_p50_ms: int | None  # None: no poll got an answer
    late_p99_ms: int | None
    cycle_p50_ms: int
    cycle_p99_ms: int


def recent(now: int, seconds: int, due_per_s: float) -> Span:
    """Return the last seconds, or as many of them as can be read at once where so many polls are due."""
    most = int(_MOST_ROWS / due_per_s) if due_per_s > 0 else seconds
    return Span(now - max(_SHORTEST_S, min(seconds, most)), now)


def sampled(now: int, seconds: int, due_per_s: float) -> Span:
    """Return the last seconds whole, and how few of them must be looked at where so many polls are due."""
    return Span(now - seconds, now, max(1, round(due_per_s * seconds / _MOST_ROWS)))


def step_of(span: Span) -> int:
    """Return the seconds of a step of a history, such that each has something of what is looked at."""
    return max(10, (span.last - span.first) // _STEPS, 4 * span.every)


async def ranked(connection: Connection, by: str, span: Span, limit: int) -> list[Ranked]:
    """Return the devices that are slowest ("slow", by their median) or that fail most ("failing"), the worst first."""
    rows = await connection.fetch(_QUERIES["ranked"], span.first, span.last, limit, by == "failing")
    return [_ranked(row) for row in rows]


async def past(connection: Connection, span: Span) -> Sequence[PastStep]:
    """Return what was stored, step by step; steps without a poll are left out, as is the one that is not over yet."""
    step_s = step_of(span)
    rows = await connection.fetch(_QUERIES["past"], span.first, span.last, span.every, step_s)
    return [_step(row, step_s, span.every) for row in rows if span.first <= row["at"] <= span.last - step_s]


def _ranked(row: Mapping[str, Any]) -> Ranked:
    return Ranked(
        row["device"], row["polls"], row["failed"], row["p50_ms"], row["max_ms"], Status(row["status"])
    )  # fmt: skip


def _step(row: Mapping[str, Any], step_s: int, every: int) -> PastStep:
    return PastStep(
        row["at"], row["polls"] * every / step_s, row["failed"] * every / step_s, row["late_p50_ms"],
        row["late_p99_ms"], row["cycle_p50_ms"], row["cycle_p99_ms"],
    )  # fmt: skip
