"""What a device's counters did a second: rates that analysis stored, and where there are none, differences of polls.

A stored rate knows what a difference of two polls does not (the device's clock, discontinuities, wraps of 32 bits), so
between two polls of which one has rates nothing is worked out: what analysis left out, it left out for a reason.
"""

from bisect import bisect
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from streampoll.results.choice import Choice
from streampoll.results.postgres import Connection
from streampoll.results.rates_codec import Rate
from streampoll.results.reader import StoredPoll, StoredRow, Wanted, gathered, stored_rates, unrated
from streampoll.results.series import Path, Point, Sample, column_samples, rates, samples

Column = tuple[str, str]
"""A table ("": scalars) and a counter of it."""

Measured = tuple[float, Rate, float]
"""When a rate was known (seconds since the epoch), the rate a second, and over how many seconds it is."""

_SLACK = 0.1  # of a rate's time, by which the clock of the device may differ from ours


@dataclass(frozen=True, slots=True)
class RateHistory:
    """What one job left of a device's counters, the oldest first."""

    job: str
    rows: Sequence[StoredRow]
    runs: Sequence[Sequence[StoredPoll]]  # polls without rates; those of a run have no rates between them

    @classmethod
    def of(cls, job: str, rows: Sequence[StoredRow], polls: Sequence[StoredPoll]) -> "RateHistory":
        """Put together what is of one job; it comes the newest first."""
        slots = sorted(row.slot for row in rows)
        runs: list[list[StoredPoll]] = []
        for poll in polls[::-1]:
            if not runs or bisect(slots, runs[-1][-1].slot) != bisect(slots, poll.slot):
                runs.append([])
            runs[-1].append(poll)
        return cls(job, rows[::-1], runs)

    @property
    def profile(self) -> str:
        """The profile of the polls; "" where all have rates, which don't say."""
        return self.runs[-1][-1].outcome.profile if self.runs else ""

    @property
    def columns(self) -> list[Column]:
        """The counters that have stored rates."""
        scalars = [("", name) for row in self.rows for name in row.rates.scalars]
        tables = [(name, each) for row in self.rows for name, table in row.rates.tables.items() for each in table.per_s]
        return list(dict.fromkeys([*scalars, *tables]))


@dataclass(slots=True)
class RateLine:
    """A counter's rates over time."""

    stored: list[Measured]
    made: list[Measured]  # of polls

    @property
    def source(self) -> str:
        """Where they are from: `rates`, the table; `polls`, two of them; `both`, polls where the table has none."""
        return "both" if self.stored and self.made else "rates" if self.stored else "polls"

    def points(self, most: int) -> list[Point]:
        """Return at most so many points (and gaps), evenly: means over the time of those that are drawn as one."""
        found = sorted(self.stored + self.made, key=lambda each: each[0])
        step = -(-len(found) // most) or 1
        first = len(found) % step
        parts = ([found[:first]] if first else []) + [found[at : at + step] for at in range(first, len(found), step)]
        return list(_with_gaps([_mean(part) for part in parts]))


async def read_rates(connection: Connection, wanted: Wanted, choice: Choice | None = None) -> list[RateHistory]:
    """Read the newest rates of a device, and those of its newest polls that have none; a history a job.

    Raises:
        UnknownNameError: nothing was ever stored for this device, or by this job.
    """
    chosen = choice or Choice()
    rows = await gathered(chosen.of_rates(row) async for row in stored_rates(connection, wanted))
    rated = {(row.job, row.slot) for row in rows}
    polls = await gathered(chosen.of_poll(poll) async for poll in unrated(connection, wanted, rated))
    jobs = sorted({row.job for row in rows} | {poll.job for poll in polls})
    return [
        RateHistory.of(job, [row for row in rows if row.job == job], [poll for poll in polls if poll.job == job])
        for job in jobs
    ]


def rate_lines(history: RateHistory, columns: Collection[Column], most: int = 0) -> dict[Path, RateLine]:
    """Return the rates of some counters; `most` > 0: about so many of those that are made of polls."""
    lines = {path: RateLine(found, []) for path, found in _stored(history.rows, columns).items()}
    for run in _fewer(history.runs, most) if most else history.runs:
        for path, found in _sampled(run, columns).items():
            if made := list(_differences(found)):
                lines.setdefault(path, RateLine([], [])).made.extend(made)
    return lines


def joined(lines: Iterable[RateLine]) -> RateLine:
    """Return the rates that several jobs have of one counter, as one line."""
    line = RateLine([], [])
    for each in lines:
        line.stored += each.stored
        line.made += each.made
    return line


def _fewer(runs: Sequence[Sequence[StoredPoll]], most: int) -> list[Sequence[StoredPoll]]:
    """Return so many polls that about `most` rates are made of them: each run's first and last, and evenly between."""
    step = max(1, -(-sum(len(run) - 1 for run in runs) // most))
    return [[*run[:1], *run[1:][(len(run) - 2) % step :: step]] for run in runs]


def _stored(rows: Sequence[StoredRow], columns: Collection[Column]) -> dict[Path, list[Measured]]:
    found: dict[Path, list[Measured]] = {}
    for table, column in columns:
        by_row = _stored_by_row(rows, table, column) if table else {"": list(_stored_scalar(rows, column))}
        found |= {Path(column, table, key): measured for key, measured in by_row.items() if measured}
    return found


def _stored_scalar(rows: Iterable[StoredRow], column: str) -> Iterator[Measured]:
    for each in rows:
        if column in each.rates.scalars:
            yield each.rates.at or float(each.slot), each.rates.scalars[column], each.rates.span_s


def _stored_by_row(rows: Iterable[StoredRow], table: str, column: str) -> Mapping[str, list[Measured]]:
    by_row: defaultdict[str, list[Measured]] = defaultdict(list)
    for each in rows:
        at = each.rates.at or float(each.slot)
        if (found := each.rates.tables.get(table)) and column in found.per_s:
            for key, rate, span_s in zip(found.rows, found.per_s[column], found.spans_s, strict=True):
                by_row[key].append((at, rate, span_s or 0.0))
    return by_row


def _sampled(polls: Sequence[StoredPoll], columns: Collection[Column]) -> Mapping[Path, list[Sample]]:
    found: dict[Path, list[Sample]] = {}
    for table, column in columns:
        if not table:
            found[Path(column)] = list(samples(polls, Path(column)))
            continue
        by_row: defaultdict[str, list[Sample]] = defaultdict(list)
        for poll in polls:
            if table in poll.outcome.tables:
                for row, sample in column_samples(poll, poll.outcome.tables[table], column):
                    by_row[row].append(sample)
        found |= {Path(column, table, row): each for row, each in by_row.items()}
    return found


def _differences(found: Sequence[Sample]) -> Iterator[Measured]:
    numbers = [each for each in found if isinstance(each.value, int | float)]
    for before, after in pairwise(numbers):
        for at, rate in rates((before, after)):
            yield at, rate, at - before.at


def _mean(part: Sequence[Measured]) -> Measured:
    """Return some rates as one: what was counted, over the time that it was counted in."""
    if len(part) == 1:
        return part[0]
    known = [(rate * span, span) for _, rate, span in part if rate is not None and span > 0]
    span_s = sum(span for _, span in known)
    return part[-1][0], sum(counted for counted, _ in known) / span_s if known else None, span_s


def _with_gaps(found: Iterable[Measured]) -> Iterator[Point]:
    """Yield points, with one without a value before a rate whose time does not begin where the last one's ended."""
    last_at: float | None = None
    for at, rate, span_s in found:
        if last_at is not None and rate is not None and at - span_s > last_at + _SLACK * span_s + 1.0:
            yield at - span_s, None
        yield at, rate
        last_at = at
