"""What went through a device's interfaces, and its other counters, over time: stored rates, or differences of polls."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Annotated, Protocol

from msgspec import Meta

from streampoll.api.devices import Name, Word
from streampoll.api.directory import Directory
from streampoll.api.route import Asked, Route
from streampoll.api.times import Moment, seconds
from streampoll.config.jobs import Job
from streampoll.model import Device
from streampoll.results.rate_history import Column, RateHistory, rate_lines
from streampoll.results.reader import Wanted

_READ = 400  # results, the newest: each is decoded, which takes a large one a millisecond
_MOST_SERIES = 400

Counters = Callable[[str], Mapping[Column, str]]
"""Says of a profile which (table, column) are counters, and the unit of each."""


class RatesKept(Protocol):
    """Reads rates, and polls that have none."""

    async def rate_histories(self, wanted: Wanted) -> list[RateHistory]:
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
        found = await self._kept.rate_histories(Wanted(wanted.device, "", seconds(wanted.since), limit=_READ))
        profiles = {job.name: _profile(job, device) for job in jobs}
        series = (self._of_job(each, each.profile or profiles.get(each.job, ""), wanted) for each in found)
        return list(islice(chain.from_iterable(series), _MOST_SERIES))

    def _of_job(self, history: RateHistory, profile: str, wanted: SeriesSearch) -> Iterator[RateSeries]:
        units = self._counters(profile)
        known = dict.fromkeys([*units, *history.columns])
        word = wanted.column.lower()
        columns = [each for each in known if wanted.table in ("", each[0]) and word in each[1].lower()]
        for path, line in rate_lines(history, columns, wanted.row).items():
            unit = units.get((path.table, path.column), "")
            points = line.points(wanted.points)
            yield RateSeries(history.job, path.table, path.row, path.column, unit, line.source, points)


def _profile(job: Job, device: Device) -> str:
    return job.profile or device.profile
