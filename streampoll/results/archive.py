"""What is stored, for those that ask again and again: the API. Each question is a short transaction of its own."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streampoll.model import Status
from streampoll.results.choice import Choice
from streampoll.results.latest import Latest, Slots, read_latest
from streampoll.results.ledger import Window
from streampoll.results.postgres import Postgres
from streampoll.results.queries import load_queries
from streampoll.results.ranking import PastStep, Ranked, Span, past, ranked
from streampoll.results.rate_history import RateHistory, read_rates
from streampoll.results.reader import StoredPoll, StoredRow, UnknownNameError, Wanted, gathered, results, stored_rates
from streampoll.results.slots import SlotTally, read_slots

_QUERIES = load_queries("fleet.sql")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a device's newest poll by any job ended."""

    device: str
    job: str
    slot: int
    status: Status
    duration_ms: int


@dataclass(frozen=True, slots=True)
class FleetReading:
    """The newest poll of every device that was due in some span."""

    since: int
    polls: Sequence[Ended] = field(default=())


class Archive:
    """Reads PostgreSQL."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def latest(self, wanted: Sequence[Slots]) -> list[Latest]:
        """Return the newest stored poll of each (device, job).

        Raises:
            PostgresUnavailable: as all of these do.
        """
        if not wanted:
            return []
        async with self._postgres.transaction() as connection:
            return await read_latest(connection, wanted)

    async def history(self, wanted: Wanted) -> list[StoredPoll]:
        """Return a device's polls, the newest first; none if nothing was ever stored of it."""
        try:
            async with self._postgres.transaction() as connection:
                return await gathered(results(connection, wanted))
        except UnknownNameError:
            return []

    async def rates(self, wanted: Wanted, choice: Choice | None = None) -> list[StoredRow]:
        """Return a device's stored rates, the newest first; none if there never were any."""
        chosen = choice or Choice()
        try:
            async with self._postgres.transaction() as connection:
                return await gathered(chosen.of_rates(row) async for row in stored_rates(connection, wanted))
        except UnknownNameError:
            return []

    async def rate_histories(self, wanted: Wanted, choice: Choice | None = None) -> list[RateHistory]:
        """Return a device's rates and the polls that have none, by job; none if nothing was ever stored of it."""
        try:
            async with self._postgres.transaction() as connection:
                return await read_rates(connection, wanted, choice)
        except UnknownNameError:
            return []

    async def fleet(self, since: int) -> FleetReading:
        """Return how the newest poll of each device ended, of those due since then."""
        async with self._postgres.transaction() as connection:
            rows = await connection.fetch(_QUERIES["newest"], since, int(time.time()))
        return FleetReading(since, [_ended(row) for row in rows])

    async def slots(self, job: str, since: int, until: int, unfinished: Collection[int]) -> list[SlotTally] | None:
        """Return the slots of a job with their equations; None if nothing was ever dispatched of it."""
        async with self._postgres.transaction() as connection:
            return await read_slots(connection, job, Window(since, until), unfinished)

    async def ranked(self, by: str, span: Span, limit: int) -> list[Ranked]:
        """Return the slowest devices, or those that fail most."""
        async with self._postgres.transaction() as connection:
            return await ranked(connection, by, span, limit)

    async def past(self, span: Span) -> Sequence[PastStep]:
        """Return how polling went, step by step."""
        async with self._postgres.transaction() as connection:
            return await past(connection, span)

    async def reachable(self) -> None:
        """Ask for nothing, to see that it answers."""
        async with self._postgres.transaction() as connection:
            await connection.fetchval("SELECT 1")

    async def close(self) -> None:
        """Close the connections."""
        await self._postgres.close()


def _ended(row: Mapping[str, Any]) -> Ended:
    return Ended(row["device"], row["job"], row["slot"], Status(row["status"]), row["duration_ms"])
