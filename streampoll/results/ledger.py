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
        former = slots.get(slot) or Stored(NOTHING, {}, 0)
        slots[slot] = Stored(
            former.polls + Sum(count, int(row["hash_sum"]) % 2**64),
            {**former.by_status, Status(row["status"]): count},
            max(former.last_stored_ms, row["last_stored_ms"]),
        )
    return stored


async def read_lateness(connection: Connection, window: Window) -> dict[int, Counter[int]]:
    """Return how many answered polls of each job id were how many hundredths of a second late."""
    late: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for row in await connection.fetch(QUERIES["lateness"], window.first, window.last):
        late[row["job"]][row["hundredths"]] = row["rows"]
    return late


async def read_counts(connection: Connection, window: Window, name: str) -> dict[int | None, int]:
    """Return one count a job id: `devices` (and under None that of all jobs) or `repeats`."""
    return {row["job"]: row[name] for row in await connection.fetch(QUERIES[name], window.first, window.last)}


def _entry(row: Mapping[str, Any]) -> Entry:
    polls = Sum(row["count"], int(row["hash_sum"]) % 2**64)
    return Entry(row["plan"], polls, int(row["skipped"]), row["forgotten"])


def _frozen(lists: Mapping[Any, list[Any]]) -> dict[Any, tuple[Any, ...]]:
    return {key: tuple(values) for key, values in lists.items()}
