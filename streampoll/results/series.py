"""A device's values over time, and the rates of its counters, out of stored polls. Pure.

A rate is the difference of two polls over the time between their replies, not over the nominal interval. Where a
counter fell, or the device booted between the two, there is none: nothing is made up.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from streampoll.errors import StreampollError
from streampoll.model import Outcome, Table, Value
from streampoll.results.reader import StoredPoll
from streampoll.results.render import shown

_PATH = re.compile(r"(?P<table>[^.\[\]]+)\.(?P<column>[^\[\]]+)\[(?P<row>.+)\]", re.DOTALL)
UPTIME = "sysUpTime"

Point = tuple[float, float | None]
"""When (seconds since the epoch), and the value; None where there is none."""


class PathError(StreampollError):
    """What was asked for is no path of a value; the text says what one is."""


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value stands."""

    column: str  # or the name of a scalar
    table: str = ""  # "": a scalar
    row: str = ""

    def __str__(self) -> str:
        return f"{self.table}.{self.column}[{self.row}]" if self.table else self.column


@dataclass(slots=True)
class Sample:
    """One value as it was read."""

    at: float  # when its reply arrived, seconds since the epoch
    value: Value
    uptime: int | None  # of the device then, hundredths of a second; None: not known


def parse_path(text: str) -> Path:
    """Read `sysUpTime` or `ifTable.ifHCInOctets[Ethernet1]`.

    Raises:
        PathError: it is neither.
    """
    if found := _PATH.fullmatch(text):
        return Path(found["column"], found["table"], found["row"])
    if not text or re.search(r"[\[\]]", text):
        raise PathError(f"{text!r} is no path of a value: write a scalar, sysUpTime, or table.column[row]")
    return Path(text)


def samples(polls: Iterable[StoredPoll], path: Path) -> Iterator[Sample]:
    """Yield a value of each poll that has it, in the order of the polls."""
    for poll in polls:
        if not path.table and path.column in poll.outcome.values:
            yield Sample(poll.outcome.at or float(poll.slot), poll.outcome.values[path.column], _uptime(poll.outcome))
        if (table := poll.outcome.tables.get(path.table)) is not None:
            yield from (each for row, each in column_samples(poll, table, path.column) if row == path.row)


def column_samples(poll: StoredPoll, table: Table, column: str) -> Iterator[tuple[str, Sample]]:
    """Yield each row's name and value of a column."""
    if column not in table.columns:
        return
    place = table.columns.index(column) + 1
    for name, row, (at, uptime) in zip(row_names(table), table.rows, _times(table, poll), strict=False):
        yield name, Sample(at, row[place], uptime)


def row_names(table: Table) -> list[str]:
    """Return what each row is called: what its key column says, else its index."""
    key = table.columns.index(table.key) + 1 if table.key in table.columns else 0
    return [str(shown(row[key] if row[key] not in (None, b"", "") else row[0])) for row in table.rows]


def rates(found: Iterable[Sample]) -> list[Point]:
    """Return the rate at each sample but the first, per second; samples come in the order of their time."""
    points: list[Point] = []
    last: Sample | None = None
    for sample in found:
        if not isinstance(sample.value, int | float):
            continue
        if last is not None and sample.at > last.at:
            points.append((sample.at, _rate(last, sample)))
        last = sample
    return points


def values(found: Iterable[Sample]) -> list[Point]:
    """Return the values that are numbers; None for those that are not."""
    return [(each.at, float(each.value) if isinstance(each.value, int | float) else None) for each in found]


def thinned(polls: Sequence[StoredPoll], most: int) -> Sequence[StoredPoll]:
    """Return at most so many polls, evenly, the last among them: rates over longer spans are means, so none is lost."""
    step = -(-len(polls) // most)
    return polls[(len(polls) - 1) % step :: step] if polls else polls


def paths_of(outcome: Outcome) -> list[Path]:
    """Return where an outcome has numbers."""
    found = [Path(name) for name, value in outcome.values.items() if isinstance(value, int | float)]
    for name, table in outcome.tables.items():
        for column in table.columns:
            place = table.columns.index(column) + 1
            key = table.columns.index(table.key) + 1 if table.key in table.columns else 0
            found += [
                Path(column, name, str(shown(row[key]))) for row in table.rows if isinstance(row[place], int | float)
            ]
    return found


def _rate(before: Sample, after: Sample) -> float | None:
    assert isinstance(before.value, int | float)
    assert isinstance(after.value, int | float)
    booted = before.uptime is not None and after.uptime is not None and after.uptime < before.uptime
    difference = after.value - before.value
    return None if booted or difference < 0 else difference / (after.at - before.at)


def _uptime(outcome: Outcome) -> int | None:
    value = outcome.values.get(UPTIME)
    return value if isinstance(value, int) else None


def _times(table: Table, poll: StoredPoll) -> Iterator[tuple[float, int | None]]:
    """Yield for each row when it came, and the device's uptime then."""
    count = 0
    for time in table.times:
        for _ in range(time.rows):
            count += 1
            yield time.at, time.uptime
    for _ in range(len(table.rows) - count):
        yield poll.outcome.at or float(poll.slot), _uptime(poll.outcome)
