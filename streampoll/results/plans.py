"""Plans and losses in PostgreSQL: what the coordinator promised, and what it knows to be lost.

A plan is committed before its first tick is dispatched, so audit can tell what was due without asking Redis.
"""

import json
from collections.abc import Mapping, Sequence

from streampoll.coordinator.losses import Loss
from streampoll.coordinator.planning import Place, PlanRow
from streampoll.errors import PostgresUnavailable
from streampoll.results.batch import signed
from streampoll.results.names import job_names
from streampoll.results.postgres import Connection, Postgres
from streampoll.results.queries import load_queries

_QUERIES = load_queries("plans.sql")
_LOCK = 0x5370_0003  # advisory lock: "Sp", 3: an old leader and a new one do not interleave
_U64 = (1 << 64) - 1


class PostgresPlans:
    """The coordinator's `PlanStore` and `LossStore`."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def current(self) -> Mapping[Place, tuple[int, int]]:
        """Return the plan in force of each (job, shard): (id, tick it is valid from)."""
        async with self._postgres.transaction() as connection:
            return await current_plans(connection)

    async def began(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Return the first tick of any plan of a (job, shard), for those that have one."""
        jobs, shards = [job for job, _ in places], [shard for _, shard in places]
        async with self._postgres.transaction() as connection:
            rows = await connection.fetch(_QUERIES["began"], jobs, shards)
        return {(row["job"], row["shard"]): row["tick"] for row in rows}

    async def commit(self, rows: Sequence[PlanRow]) -> None:
        """Make plans the ones in force from their tick on; see `commit_plans`."""
        async with self._postgres.transaction() as connection:
            await commit_plans(connection, rows)

    async def final(self) -> Mapping[int, int]:
        """Return the tick up to which each shard is known to be final."""
        async with self._postgres.transaction() as connection:
            return {row["shard"]: row["tick"] for row in await connection.fetch(_QUERIES["final"])}

    async def note_final(self, ticks: Mapping[int, int]) -> None:
        """Take note of the tick up to which each shard is final."""
        async with self._postgres.transaction() as connection:
            await connection.execute(_QUERIES["note_final"], list(ticks), list(ticks.values()))

    async def dispatched(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Return the last tick that the ledger has of a (job, shard), for those of which it has any."""
        jobs, shards = [job for job, _ in places], [shard for _, shard in places]
        async with self._postgres.transaction() as connection:
            rows = await connection.fetch(_QUERIES["dispatched"], jobs, shards)
        return {(row["job"], row["shard"]): row["tick"] for row in rows}

    async def record(self, losses: Sequence[Loss]) -> None:
        """Put losses of Redis data on record: polls of these ticks that fall short count as lost."""
        async with self._postgres.transaction() as connection:
            for loss in losses:
                await connection.execute(_QUERIES["insert_loss"], loss.shard, loss.first, loss.last, loss.reason)

    async def close(self) -> None:
        """Close the connections."""
        await self._postgres.close()


async def current_plans(connection: Connection) -> dict[Place, tuple[int, int]]:
    """Return the plan in force of each (job, shard): (unsigned id, tick it is valid from)."""
    rows = await connection.fetch(_QUERIES["current_plans"])
    return {(row["job"], row["shard"]): (row["id"] & _U64, row["valid_from"]) for row in rows}


async def commit_plans(connection: Connection, rows: Sequence[PlanRow]) -> None:
    """Make plans the ones in force from their tick on, ending those before, in the caller's transaction.

    At most one row a (job, shard). Idempotent; a plan in force under the same id only has its first tick moved.

    Raises:
        PostgresUnavailable: another leader has committed plans since what these replace was read; nothing is changed.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    current = await current_plans(connection)
    for row in rows:
        if row.replaces is not None and current.get((row.job, row.shard), (0, 0)) != row.replaces:
            raise PostgresUnavailable(f"another leader has committed a plan of job {row.job} meanwhile")
    ids = await job_names().ids(connection, {row.job for row in rows})
    jobs, shards = [ids[row.job] for row in rows], [row.shard for row in rows]
    plans, starts = [signed(row.plan_id) for row in rows], [row.valid_from for row in rows]
    await connection.execute(_QUERIES["withdraw_same"], jobs, shards, plans)
    await connection.execute(_QUERIES["withdraw_later"], jobs, shards, starts)
    await connection.execute(_QUERIES["end_former"], jobs, shards, starts)
    bodies = [json.dumps(row.body, separators=(",", ":")) for row in rows]
    await connection.execute(_QUERIES["insert_plans"], jobs, shards, plans, starts, bodies)
