"""Reads one device's stored polls and rates, the newest first.

The table's index begins with the slot (see schema/001_init.sql), so a device's history is read by probing each second
of a span: 3,600 probes for an hour. It goes back in spans that grow, and stops as soon as it has enough.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from streampoll.errors import EntryError, StreampollError
from streampoll.logs import about
from streampoll.model import Outcome, Status, Trace
from streampoll.results.codec import decode_payload
from streampoll.results.partitions import DAY_S, day_of_partition
from streampoll.results.postgres import Connection
from streampoll.results.queries import load_queries
from streampoll.results.rates_codec import StoredRates, decode_rates_payload

log = logging.getLogger(__name__)

_QUERIES = load_queries("reader.sql")
_FIRST_SPAN_S, _MOST_SPAN_S = 3600, DAY_S
_DECODED_AT_ONCE = 16  # payloads between two looks at other work: a large one takes a millisecond
_UNKNOWN_TRACE = Trace(0.0, 0.0, 0.0, 0.0, 0.0, 0, "")

T = TypeVar("T")


class UnknownNameError(StreampollError):
    """No rows have this device or job; the text has the nearest names."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows to read."""

    device: str
    job: str = ""  # "": all jobs
    since: int = 0  # slots, seconds since the epoch, both included
    until: int = 1 << 40
    limit: int = 100


@dataclass(frozen=True, slots=True)
class StoredPoll:
    """One row, decoded."""

    job: str
    device: str
    slot: int
    status: Status
    duration_ms: int
    stored_ms: int  # after the slot
    outcome: Outcome
    trace: Trace


@dataclass(frozen=True, slots=True)
class StoredRow:
    """The rates that one result brought, decoded."""

    job: str
    device: str
    slot: int
    rates: StoredRates


async def results(connection: Connection, wanted: Wanted) -> AsyncIterator[StoredPoll]:
    """Yield a device's polls, the newest first.

    Raises:
        UnknownNameError: nothing was ever stored for this device, or by this job.
    """
    async for row in _history(connection, wanted, "history"):
        yield _decoded(wanted.device, row)


async def unrated(
    connection: Connection, wanted: Wanted, rated: Collection[tuple[str, int]]
) -> AsyncIterator[StoredPoll]:
    """Yield of a device's polls those that have no rates, the newest first; `rated` are (job, slot) of the others.

    Raises:
        UnknownNameError: as `results`.
    """
    async for row in _history(connection, wanted, "history"):
        if (row["job"], row["slot"]) not in rated:
            yield _decoded(wanted.device, row)


async def gathered(found: AsyncIterator[T]) -> list[T]:
    """Return all that is read, with a look at other work now and then."""
    every: list[T] = []
    async for each in found:
        every.append(each)
        if not len(every) % _DECODED_AT_ONCE:
            await asyncio.sleep(0)
    return every


async def stored_rates(connection: Connection, wanted: Wanted) -> AsyncIterator[StoredRow]:
    """Yield a device's rates, the newest first; rows that can't be read are left out.

    Raises:
        UnknownNameError: as `results`.
    """
    async for row in _history(connection, wanted, "rates_history"):
        try:
            yield StoredRow(row["job"], wanted.device, row["slot"], decode_rates_payload(row["payload"]))
        except EntryError as error:
            log.warning("rates of %s at %d: %s", wanted.device, row["slot"], error,
                        extra=about(row["job"], wanted.device, row["slot"]))  # fmt: skip


async def _history(connection: Connection, wanted: Wanted, query: str) -> AsyncIterator[Mapping[str, Any]]:
    """Yield rows of a device, going back in spans that grow."""
    device = await _device(connection, wanted.device)
    job = await _job(connection, wanted.job)
    kept = await _kept_days(connection)
    first, last = max(wanted.since, kept[0]), min(wanted.until, kept[1])
    left, span_s = wanted.limit, _FIRST_SPAN_S
    while left > 0 and first <= last:
        start = max(first, last - span_s + 1)
        rows = await connection.fetch(_QUERIES[query], device, start, last, job, left)
        for row in rows:
            yield row
        left -= len(rows)
        last, span_s = start - 1, min(2 * span_s, _MOST_SPAN_S)


async def _kept_days(connection: Connection) -> tuple[int, int]:
    """Return the first and last slot that there are partitions for."""
    names = [row["name"] for row in await connection.fetch(_QUERIES["first_day"])]
    days = [day for name in names if (day := day_of_partition(name)) is not None]
    return (min(days) * DAY_S, max(days) * DAY_S + DAY_S - 1) if days else (0, -1)


async def _device(connection: Connection, name: str) -> int:
    found: int | None = await connection.fetchval(_QUERIES["device"], name)
    if found is None:
        similar = [row["name"] for row in await connection.fetch(_QUERIES["similar"], name)]
        raise UnknownNameError(f"no results of a device {name!r}{_hint(name, similar)}")
    return found


async def _job(connection: Connection, name: str) -> int | None:
    if not name:
        return None
    found: int | None = await connection.fetchval(_QUERIES["job"], name)
    if found is None:
        names = [row["name"] for row in await connection.fetch("SELECT name FROM jobs")]
        raise UnknownNameError(f"no results of a job {name!r}{_hint(name, names)}")
    return found


def _hint(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    return f"; the nearest: {', '.join(near)}" if near else ""


def _decoded(device: str, row: Mapping[str, Any]) -> StoredPoll:
    """Build a poll from its row; a payload that can't be read is said in its error, not raised."""
    status = Status(row["status"])
    try:
        outcome, trace = decode_payload(row["payload"])
    except EntryError as error:
        outcome, trace = Outcome(status, f"can't be read: {error}"), _UNKNOWN_TRACE
    return StoredPoll(
        row["job"], device, row["slot"], status, row["duration_ms"], row["stored_ms"], outcome, trace
    )  # fmt: skip
