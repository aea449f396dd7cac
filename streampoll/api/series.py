"""What went through a device's interfaces, and its other counters, over time: stored rates, or differences of polls."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from typing import Annotated, Protocol

from msgspec import Meta

from streampoll.api.devices import Name, Word
from streampoll.api.directory import Directory
from streampoll.api.route import Asked, Route
from streampoll.api.times import Moment, seconds
from streampoll.config.jobs import Job
from streampoll.model import Device
from streampoll.results.choice import Choice
from streampoll.results.rate_history import Column, RateHistory, rate_lines
from streampoll.results.reader import Wanted

_READ = 400  # results, the newest: each is decoded, which takes a large one a millisecond
_MOST_SERIES = 400

Units = Mapping[Column, str]

Counters = Callable[[str], Units]
"""Says of a profile which (table, column) are counters, and the unit of each."""


class RatesKept(Protocol):
    """Reads rates, and polls that have none."""

    async def rate_histories(self, wanted: Wanted, choice: Choice) -> list[RateHistory]:
        """Return them by job."""


@dataclass(frozen=True, slots=True)
class SeriesSearch:
    """Which rates."""

    device: Name
    since: Moment = "6h"
    table: Word = ""
    column: Annotated[str, Meta(max_length=255, description="part of the column's name, in whatever case")] = "octets"
    row: Word = ""
    points: Annotated[int, Meta(ge=2, le=400, description="at most so many a series, besides gaps")] = 120


@dataclass(frozen=True, slots=True)
class RateSeries:
    """One counter's rate over time."""

    job: str
    table: str
    row: str
    column: str
    unit: str  # of the counter, "" if the profile names none; the rate is of it a second
    source: str  # rates: as analysis stored them; polls: differences of two; both: of polls where none are stored
    points: Sequence[tuple[float, float | None]]  # seconds since the epoch, rate; null: there is none


class SeriesRoutes:
    """Serves rates over time."""

    def __init__(self, directory: Directory, kept: RatesKept, counters: Counters) -> None:
        self._directory = directory
        self._kept = kept
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
        device, jobs = await self._directory.find(wanted.device)
        read = Wanted(wanted.device, "", seconds(wanted.since), limit=_READ)
        found = await self._kept.rate_histories(read, _choice(wanted, self._counters))
        profiles = {job.name: _profile(job, device) for job in jobs}
        units = [self._counters(each.profile or profiles.get(each.job, "")) for each in found]
        return await asyncio.to_thread(_all_series, found, units, wanted)  # 160,000 values of a large device


def _choice(wanted: SeriesSearch, counters: Counters) -> Choice:
    """Return what is to be read; of a profile that is not known, every column may be a counter."""
    known = cache(counters)

    def wants(profile: str, table: str, column: str) -> bool:
        units = known(profile) if profile else {}
        return _asked_for(wanted, (table, column)) and (not units or (table, column) in units)

    return Choice(wants, wanted.row, _MOST_SERIES)


def _asked_for(wanted: SeriesSearch, column: Column) -> bool:
    return wanted.table in ("", column[0]) and wanted.column.lower() in column[1].lower()


def _all_series(found: Sequence[RateHistory], units: Sequence[Units], wanted: SeriesSearch) -> list[RateSeries]:
    every = (_of_job(history, of, wanted) for history, of in zip(found, units, strict=True))
    return list(islice(chain.from_iterable(every), _MOST_SERIES))


def _of_job(history: RateHistory, units: Units, wanted: SeriesSearch) -> Iterator[RateSeries]:
    columns = [each for each in dict.fromkeys([*units, *history.columns]) if _asked_for(wanted, each)]
    for path, line in rate_lines(history, columns, wanted.points).items():
        unit = units.get((path.table, path.column), "")
        points = line.points(wanted.points)
        if not wanted.row or path.row == wanted.row:  # a scalar has none
            yield RateSeries(history.job, path.table, path.row, path.column, unit, line.source, points)


def _profile(job: Job, device: Device) -> str:
    return job.profile or device.profile
