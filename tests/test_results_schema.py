"""Migrations and plans."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from streampoll.coordinator.planning import PlanRow
from streampoll.errors import PostgresUnavailable, UnfitServerError
from streampoll.results.migrations import Migration, load_migrations, migrate
from streampoll.results.partitions import day_of, day_of_partition, partition_name
from streampoll.results.plans import PostgresPlans
from streampoll.results.postgres import Postgres, connected
from streampoll.results.store import Store
from tests.results_support import NOON, Bench, bench, delivered, result_entry, settings_of
from tests.waiting import eventually_async

BIG = (1 << 64) - 1
BODY = {"intervals": {}}


async def test_the_schema_is_applied_once(fresh_database: str) -> None:
    async with connected(settings_of(fresh_database)) as connection:
        assert await migrate(connection) == [migration.name for migration in load_migrations()]
        assert await migrate(connection) == []


async def test_many_processes_may_migrate_at_once(fresh_database: str) -> None:
    async def start() -> list[str]:
        async with connected(settings_of(fresh_database)) as connection:
            return await migrate(connection)

    applied = await asyncio.gather(*(start() for _ in range(6)))
    assert sorted(map(len, applied)) == [0, 0, 0, 0, 0, len(load_migrations())]


async def test_a_migration_that_fails_leaves_nothing(fresh_database: str) -> None:
    broken = Migration(2, "002_broken", "CREATE TABLE half (a int); SELECT 1/0")
    async with connected(settings_of(fresh_database)) as connection:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(connection, [*load_migrations(), broken])
        assert await connection.fetchval("SELECT to_regclass('half') IS NULL AND to_regclass('polls') IS NULL")


async def test_a_newer_schema_is_refused(fresh_database: str) -> None:
    async with connected(settings_of(fresh_database)) as connection:
        await migrate(connection, [*load_migrations(), Migration(99, "099_future", "SELECT 1")])
        with pytest.raises(UnfitServerError, match="version 99"):
            await migrate(connection)


async def test_rows_of_a_former_schema_are_read_and_still_there_once_each(fresh_database: str) -> None:
    former = [migration for migration in load_migrations() if migration.version < 10]
    async with connected(settings_of(fresh_database)) as connection:
        await migrate(connection, former)
    store = Store(settings_of(fresh_database), lambda: NOON + 2.5)
    await store.handle([delivered(result_entry("old"))])
    await store.close()
    async with bench(fresh_database) as b:
        await b.handle(result_entry("old"), result_entry("new"))
        await b.handle(result_entry("old", value=2))
        assert [row[1] for row in await b.rows()] == ["new", "old"]
        assert await b.count("repeats") == 1


async def test_new_keys_wait_for_a_reader_no_longer_than_others_can_and_are_tried_again(fresh_database: str) -> None:
    """A DROP INDEX that waits has all who come later wait behind it: readers, and the store."""
    async with before_new_keys(fresh_database) as (postgres, reader, other):
        await reader.execute("BEGIN")
        await reader.fetchval("SELECT count(*) FROM polls")
        migrating = asyncio.create_task(_begin(postgres))
        await eventually_async(lambda: other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        assert await asyncio.wait_for(other.fetchval("SELECT count(*) FROM polls"), 6) == 0
        with pytest.raises(PostgresUnavailable, match="lock timeout; others use the table"):
            await migrating
        await reader.execute("COMMIT")
        await _begin(postgres)
        assert await other.fetchval("SELECT max(version) FROM schema_versions") >= 10


async def test_what_follows_new_keys_waits_as_long_as_it_takes(fresh_database: str) -> None:
    known = [migration for migration in load_migrations() if migration.version <= 10]
    said = Migration(11, "011_said", "CREATE TABLE said AS SELECT current_setting('lock_timeout') AS lock_timeout")
    async with connected(settings_of(fresh_database)) as connection:
        await migrate(connection, [*known, said])
        assert await connection.fetchval("SELECT lock_timeout FROM said") == "0"


@asynccontextmanager
async def before_new_keys(
    dsn: str,
) -> AsyncIterator[tuple[Postgres, asyncpg.Connection, asyncpg.Connection]]:
    """A schema of version 9: who will migrate it at its first transaction, and two others."""
    postgres = Postgres(settings_of(dsn), prepare=migrate)
    reader, other = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        await migrate(other, [migration for migration in load_migrations() if migration.version < 10])
        yield postgres, reader, other
    finally:
        await postgres.close()
        reader.terminate()
        other.terminate()


async def _begin(postgres: Postgres) -> None:
    async with postgres.transaction():
        pass


async def test_keys_of_rows_that_come_nearly_in_order_are_small(fresh_database: str) -> None:
    """34 bytes a row. With `stored_ms` in them it was 41, and in pages that were left 90 % full it would be 46."""
    async with bench(fresh_database) as b:
        await b.handle(result_entry())
        await b.connection.execute("SELECT setseed(0.5)")
        await b.connection.execute(
            "INSERT INTO polls SELECT to_timestamp($1::bigint + 1 + n / 1000), n % 1000, 0, 0, 1, 0, ''"
            " FROM (SELECT n FROM generate_series(0, 39999) n ORDER BY n + 250 * random()) came", NOON,
        )  # fmt: skip
        size = await b.connection.fetchval("SELECT pg_indexes_size('polls_20260109')")
    assert size / 40_000 < 38


def test_migrations_are_numbered_once_each() -> None:
    versions = [migration.version for migration in load_migrations()]
    assert versions == sorted(set(versions))


def test_a_partition_is_named_for_its_day() -> None:
    name = partition_name("polls", day_of(NOON))
    assert name == "polls_20260109"
    assert day_of_partition(name) == day_of(NOON)


@pytest.mark.parametrize("name", ["polls_2026", "polls_20261399", "other_20260109", "polls", "polls_key"])
def test_a_table_of_somebody_else_is_never_taken_for_a_partition(name: str) -> None:
    assert day_of_partition(name) is None


async def _spans(b: Bench) -> list[tuple[int, int, int | None]]:
    rows = await b.connection.fetch(
        "SELECT id, extract(epoch FROM valid_from)::bigint f, extract(epoch FROM valid_to)::bigint t"
        " FROM plans ORDER BY valid_from"
    )
    return [(row["id"], row["f"], row["t"]) for row in rows]


async def _commit(b: Bench, *rows: tuple[int, int]) -> PostgresPlans:
    plans = PostgresPlans(Postgres(settings_of(b.dsn)))
    for plan_id, valid_from in rows:
        await plans.commit([PlanRow(plan_id, "j", 3, valid_from, BODY)])
    return plans


async def test_a_plan_ends_the_one_before_it(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        plans = await _commit(b, (BIG, 100), (2, 200))
        assert await _spans(b) == [(-1, 100, 200), (2, 200, None)]
        assert await plans.current() == {("j", 3): (2, 200)}
        await plans.close()


async def test_the_id_in_force_is_unsigned(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        plans = await _commit(b, (BIG, 100))
        assert await plans.current() == {("j", 3): (BIG, 100)}
        await plans.close()


@pytest.mark.parametrize(
    ("commits", "spans"),
    [
        ([(1, 100), (2, 200), (2, 200)], [(1, 100, 200), (2, 200, None)]),  # the reply was lost: committed again
        ([(1, 100), (2, 200), (2, 210)], [(1, 100, 210), (2, 210, None)]),  # too late: its first tick is moved
        ([(1, 100), (2, 200), (2, 190)], [(1, 100, 190), (2, 190, None)]),
        ([(1, 100), (2, 200), (3, 150)], [(1, 100, 150), (3, 150, None)]),  # another one before it took effect
        ([(1, 100), (2, 200), (1, 300)], [(1, 100, 200), (2, 200, 300), (1, 300, None)]),  # back to the first
        ([(1, 100), (1, 90)], [(1, 90, None)]),
    ],
)
async def test_plans_never_overlap_and_leave_no_hole(
    fresh_database: str, commits: list[tuple[int, int]], spans: list[tuple[int, int, int | None]]
) -> None:
    async with bench(fresh_database) as b:
        await (await _commit(b, *commits)).close()
        assert await _spans(b) == spans


async def test_a_plan_that_does_not_find_what_it_replaces_is_refused_with_all_beside_it(fresh_database: str) -> None:
    """A leader that was asleep when another took over must not put its plans in the place of the other's."""
    async with bench(fresh_database) as b:
        plans = await _commit(b, (1, 100), (2, 200))
        asleep = [PlanRow(9, "other", 3, 90, BODY, (0, 0)), PlanRow(8, "j", 3, 190, BODY, (1, 100))]
        with pytest.raises(PostgresUnavailable, match="another leader"):
            await plans.commit(asleep)
        assert await _spans(b) == [(1, 100, 200), (2, 200, None)]
        await plans.commit([PlanRow(8, "j", 3, 300, BODY, (2, 200))])
        assert await plans.current() == {("j", 3): (8, 300)}
        await plans.close()


async def test_the_first_tick_of_any_plan_is_known(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        plans = await _commit(b, (1, 100), (2, 200))
        assert await plans.began([("j", 3), ("j", 4), ("other", 3)]) == {("j", 3): 100}
        await plans.close()


async def test_a_thousand_plans_are_one_commit(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        plans = PostgresPlans(Postgres(settings_of(b.dsn)))
        await plans.commit([PlanRow(n, f"j{n % 10}", n // 10, 100, BODY) for n in range(1000)])
        assert len(await plans.current()) == 1000
        await plans.close()


def test_no_two_migrations_have_one_number() -> None:
    numbers = [migration.version for migration in load_migrations()]

    assert len(set(numbers)) == len(numbers)
