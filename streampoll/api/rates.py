"""The rates that analysis stored of a device, as they are: what `streampoll results --rates` shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from msgspec import Meta

from streampoll.api.devices import Limit, Name, Word
from streampoll.api.directory import Directory
from streampoll.api.route import Asked, Route
from streampoll.api.times import Moment, seconds
from streampoll.results.choice import Choice
from streampoll.results.rates_codec import TableColumns
from streampoll.results.reader import StoredRow, Wanted
from streampoll.results.render import clock

_MOST_WHOLE = 50  # results at once, where all columns of all tables are asked for

Columns = Annotated[
    str,
    Meta(
        pattern="^[^,]{0,255}(,[^,]{1,255}){0,9}$",
        description="counters, with commas between: ifHCInOctets,ifHCOutOctets; none: all, of at most 50 results",
    ),
]


class RatesStored(Protocol):
    """Reads rates."""

    async def rates(self, wanted: Wanted, choice: Choice) -> list[StoredRow]:
        """Return a device's stored rates, the newest first."""


@dataclass(frozen=True, slots=True)
class RatesSearch:
    """Which rates of a device."""

    device: Name
    job: Word = ""
    since: Moment = "1d"
    until: Moment = "0s"
    limit: Limit = 100
    columns: Columns = ""


@dataclass(frozen=True, slots=True)
class TableRates:
    """Rates of one table; every sequence is as long as `rows`, null where there is none."""

    rows: Sequence[str]  # what knows them for good
    span_s: Sequence[float | None]  # over how long a row's rates are
    per_s: Mapping[str, Sequence[float | None]] = field(default_factory=dict)  # by counter
    percent: Mapping[str, Sequence[float | None]] = field(default_factory=dict)  # of the row's speed, by counter


@dataclass(frozen=True, slots=True)
class RatesOf:
    """What one poll's counters did since the one before."""

    device: str
    job: str
    slot: str | None  # ISO 8601 in UTC
    at: float  # when the values arrived, seconds since the epoch
    span_s: float  # over how long the rates of scalars are; 0: there are none
    per_s: Mapping[str, float | None]  # of scalars
    tables: Mapping[str, TableRates]


class RateRoutes:
    """Serves stored rates."""

    def __init__(self, directory: Directory, stored: RatesStored) -> None:
        self._directory = directory
        self._stored = stored

    def routes(self) -> list[Route]:
        """Return the route; to be put before those of devices, whose names may have slashes."""
        summary = "Rates that analysis stored of a device, newest first"
        return [
            Route("GET", "/api/v1/devices/{device:path}/rates", self._get, list[RatesOf], summary, "devices",
                  parameters=RatesSearch),
        ]  # fmt: skip

    async def _get(self, asked: Asked) -> list[RatesOf]:
        wanted: RatesSearch = asked.parameters
        await self._directory.find(wanted.device)
        columns = frozenset(filter(None, wanted.columns.split(",")))
        limit = wanted.limit if columns else min(wanted.limit, _MOST_WHOLE)
        span = seconds(wanted.since), seconds(wanted.until)
        choice = Choice(lambda _profile, _table, column: not columns or column in columns)
        found = await self._stored.rates(Wanted(wanted.device, wanted.job, *span, limit), choice)
        return [_rates(row) for row in found]


def _rates(row: StoredRow) -> RatesOf:
    rates = row.rates
    tables = {name: _table(table) for name, table in rates.tables.items()}
    return RatesOf(row.device, row.job, clock(row.slot), rates.at, rates.span_s, rates.scalars, tables)


def _table(table: TableColumns) -> TableRates:
    return TableRates(table.rows, table.spans_s, table.per_s, table.percent)
