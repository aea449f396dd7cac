"""What went through a device's interfaces, and its other counters, over time: rates, worked out of stored polls."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from streampoll.api.devices import Name, Stored, Word
from streampoll.api.directory import Directory
from streampoll.api.route import Asked, Route
from streampoll.api.times import Moment, seconds
from streampoll.results.reader import StoredPoll, Wanted
from streampoll.results.series import Sample, column_samples, rates, thinned

_READ = 400  # polls, the newest: each is decoded, which takes a large one a millisecond
_MOST_SERIES = 400

Counters = Callable[[str], Mapping[tuple[str, str], str]]
"""Says of a profile which (table, column) are counters, and the unit of each."""


@dataclass(frozen=True, slots=True)
class SeriesSearch:
    """Which rates."""

    device: Name
    since: Moment = "6h"
    table: Word = ""
    column: Annotated[str, Meta(max_length=255, description="part of the column's name, in whatever case")] = "octets"
    row: Word = ""
    points: Annotated[int, Meta(ge=2, le=400, description="at most so many points a series")] = 120


@dataclass(frozen=True, slots=True)
class RateSeries:
    """One counter's rate over time."""

    job: str
    table: str
    row: str
    column: str
    unit: str  # of the counter, "" if the profile names none; the rate is of it a second
    points: Sequence[tuple[float, float | None]]  # seconds since the epoch, rate; null: booted, or the counter fell


class SeriesRoutes:
    """Serves rates."""

    def __init__(self, directory: Directory, stored: Stored, counters: Counters) -> None:
        self._directory = directory
        self._stored = stored
        self._counters = counters

    def routes(self) -> list[Route]:
        """Return the route; to be put before those of devices, whose names may have slashes."""
        summary = "Rates of a device's counters over time"
        return [
            Route("GET", "/api/v1/devices/{device:path}/series", self._get, list[RateSeries], summary, "devices",
                  parameters=SeriesSearch),
        ]  # fmt: skip

    async def _get(self, asked: Asked) -> list[RateSeries]:
        wanted: SeriesSearch = asked.parameters
        await self._directory.find(wanted.device)
        found = await self._stored.history(Wanted(wanted.device, "", seconds(wanted.since), limit=_READ))
        jobs = dict.fromkeys(poll.job for poll in found)
        series = [each for job in jobs for each in self._of_job(job, [p for p in found if p.job == job], wanted)]
        return series[:_MOST_SERIES]

    def _of_job(self, job: str, newest_first: Sequence[StoredPoll], wanted: SeriesSearch) -> Iterator[RateSeries]:
        polls = thinned(newest_first[::-1], wanted.points + 1)
        for (table, column), unit in self._counters(polls[-1].outcome.profile).items():
            if (not wanted.table or table == wanted.table) and wanted.column.lower() in column.lower():
                for row, found in _by_row(polls, table, column).items():
                    if not wanted.row or row == wanted.row:
                        yield RateSeries(job, table, row, column, unit, rates(found))


def _by_row(polls: Sequence[StoredPoll], table: str, column: str) -> dict[str, list[Sample]]:
    rows: dict[str, list[Sample]] = {}
    for poll in polls:
        if table in poll.outcome.tables:
            for row, sample in column_samples(poll, poll.outcome.tables[table], column):
                rows.setdefault(row, []).append(sample)
    return rows
