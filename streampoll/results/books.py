"""What plans and ledger have of one tick of a job in a shard: why a poll was not made, or that it was dispatched."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from streampoll.results.partitions import DAY_S, day_of_partition
from streampoll.results.postgres import Connection
from streampoll.results.promise import Promise
from streampoll.results.queries import load_queries

_QUERIES = load_queries("books.sql")


@dataclass(frozen=True, slots=True)
class Said:
    """One entry of the ledger."""

    first: int  # tick
    last: int  # the last tick of a range that was skipped, else `first`
    plan: int  # 0: ad hoc
    count: int  # polls dispatched
    skipped: int
    cause: str  # why they were skipped


@dataclass(frozen=True, slots=True)
class Books:
    """What is known of one tick of a job in a shard."""

    kept_since: int | None  # older ticks are not kept; None: there is no ledger
    first: int | None = None  # the first tick that was dispatched or skipped by a plan; None: none was
    last: int | None = None
    plan: Promise | None = None  # in force at that tick
    entries: Sequence[Said] = ()
    losses: Sequence[str] = ()  # data of Redis that was lost then: why that is thought


async def read_books(connection: Connection, job: str, shard: int, tick: int) -> Books:
    """Read what is known of a tick of a job in a shard."""
    number = await connection.fetchval(_QUERIES["job"], job)
    days = [day_of_partition(row["name"]) for row in await connection.fetch(_QUERIES["days"])]
    kept_since = min((day * DAY_S for day in days if day is not None), default=None)
    if number is None:
        return Books(kept_since)
    reach = await connection.fetchrow(_QUERIES["reach"], number, shard)
    entries = [Said(**row) for row in await connection.fetch(_QUERIES["entries"], number, shard, tick)]
    losses = [row["reason"] for row in await connection.fetch(_QUERIES["losses"], shard, tick)]
    plan = await connection.fetchrow(_QUERIES["plan"], number, shard, tick)
    promise = Promise.read(plan["valid_from"], plan["valid_to"], json.loads(plan["body"])) if plan else None
    return Books(kept_since, reach["first"], reach["last"], promise, entries, losses)
