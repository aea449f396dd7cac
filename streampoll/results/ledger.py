"""Reads from PostgreSQL what audit compares: plans, ledger, rows. No judgement here."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streampoll.model import Status
from streampoll.results.equation import Entry, Line, SkippedRange, Stored, book
from streampoll.results.postgres import Connection
from streampoll.results.promise import NOTHING, Promise, Sum, promised
from streampoll.results.queries import load_queries

QUERIES = load_queries("audit.sql")

# Rows of which it is read when they were stored. Only the table says so, and it has the payloads in between: of walks a
# million rows are 1.3 GB, of polls of 200 bytes 0.3. More rows don't make percentiles better.
_MOST_TIMED = 1_000_000

_Place = tuple[int, int]  # (job id, shard)


@dataclass(frozen=True, slots=True)
class Window:
    """The ticks that are audited, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Known:
    """What PostgreSQL knows of a window but for the ledger's bulk, which is read line by line."""

    jobs: Mapping[int, str]
    plans: Mapping[_Place, tuple[Promise, ...]]
    horizons: Mapping[_Place, int | None]
    ranges: Mapping[_Place, tuple[SkippedRange, ...]]
    losses: Mapping[int, tuple[tuple[int, int], ...]]  # shard -> first and last ticks


@dataclass(frozen=True, slots=True)
class Times:
    """When rows were stored."""

    one_of: int  # one in so many slots was looked at
    lateness: Mapping[int, Counter[int]]  # job id -> hundredths of a second -> answered polls
    last_ms: Mapping[int, Mapping[int, int]]  # job id -> slot -> milliseconds from there to its last row


async def read_horizons(connection: Connection, window: Window) -> dict[_Place, int | None]:
    """Return the last tick of each (job, shard)'s ledger since the window began; None if it has ad hoc polls only."""
    rows = await connection.fetch(QUERIES["horizons"], window.first)
    return {(row["job"], row["shard"]): row["horizon"] for row in rows}


async def read_known(connection: Connection, window: Window, horizons: Mapping[_Place, int | None]) -> Known:
    """Read all but the bulk."""
    both = window.first, window.last
    jobs = {row["id"]: row["name"] for row in await connection.fetch(QUERIES["jobs"])}
    plans: defaultdict[_Place, list[Promise]] = defaultdict(list)
    for row in await connection.fetch(QUERIES["plans"], *both):
        plan = Promise.read(row["valid_from"], row["valid_to"], json.loads(row["body"]))
        plans[row["job"], row["shard"]].append(plan)
    ranges: defaultdict[_Place, list[SkippedRange]] = defaultdict(list)
    for row in await connection.fetch(QUERIES["ranges"], *both):
        ranges[row["job"], row["shard"]].append(SkippedRange(row["first"], row["last"], row["skipped"]))
    losses: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in await connection.fetch(QUERIES["losses"], *both):
        losses[row["shard"]].append((row["first"], row["last"]))
    return Known(jobs, _frozen(plans), dict(horizons), _frozen(ranges), _frozen(losses))


async def read_line(connection: Connection, window: Window, known: Known, place: _Place) -> Line:
    """Read one (job, shard)'s side: what was promised and what is booked."""
    rows = await connection.fetch(QUERIES["booked"], *place, window.first, window.last)
    due = promised(known.plans.get(place, ()), window.first, window.last)
    entries: defaultdict[int, list[Entry]] = defaultdict(list)
    for row in rows:
        entries[row["tick"]].append(_entry(row))
    booked = {tick: book(said, due.get(tick, NOTHING)) for tick, said in entries.items()}
    losses = known.losses.get(place[1], ())
    return Line(place[1], due, booked, known.ranges.get(place, ()), known.horizons.get(place), losses)


async def read_stored(connection: Connection, window: Window) -> dict[int, dict[int, Stored]]:
    """Return the rows of each job id and slot."""
    stored: defaultdict[int, dict[int, Stored]] = defaultdict(dict)
    for row in await connection.fetch(QUERIES["stored"], window.first, window.last):
        slots, slot, count = stored[row["job"]], row["slot"], row["rows"]
        former = slots.get(slot) or Stored(NOTHING, {})
        slots[slot] = Stored(
            former.polls + Sum(count, int(row["hash_sum"]) % 2**64),
            {**former.by_status, Status(row["status"]): count},
        )
    return stored


async def read_times(
    connection: Connection, window: Window, stored: Mapping[int, Mapping[int, Stored]], job: int | None = None
) -> Times:
    """Return when these rows were stored: of all slots, or of one in so many where they are very many.

    `stored` is of all jobs, or of the only one that is wanted.
    """
    one_of = looked_at(sum(slot.polls.count for slots in stored.values() for slot in slots.values()))
    lateness: defaultdict[int, Counter[int]] = defaultdict(Counter)
    last_ms: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for row in await connection.fetch(QUERIES["times"], window.first, window.last, one_of, job):
        if row["hundredths"] is None:
            last_ms[row["job"]][row["slot"]] = row["last_ms"]
        elif row["answered"]:
            lateness[row["job"]][row["hundredths"]] = row["answered"]
    return Times(one_of, lateness, last_ms)


def looked_at(rows: int) -> int:
    """Return one in how many slots is looked at, where a window has so many rows."""
    return max(1, -(-rows // _MOST_TIMED))


async def read_counts(connection: Connection, window: Window, name: str) -> dict[int | None, int]:
    """Return one count a job id: `devices` (and under None that of all jobs) or `repeats`."""
    return {row["job"]: row[name] for row in await connection.fetch(QUERIES[name], window.first, window.last)}


def _entry(row: Mapping[str, Any]) -> Entry:
    polls = Sum(row["count"], int(row["hash_sum"]) % 2**64)
    return Entry(row["plan"], polls, int(row["skipped"]), row["forgotten"])


def _frozen(lists: Mapping[Any, list[Any]]) -> dict[Any, tuple[Any, ...]]:
    return {key: tuple(values) for key, values in lists.items()}
