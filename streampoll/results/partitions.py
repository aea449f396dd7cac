"""Day partitions of polls and ledger: made ahead, made on demand for any other day, dropped by retention.

A day is made beside the table and then attached: that waits for no reader or writer, where CREATE … PARTITION OF would
wait for all of them and hold up those that come after. The names say the day (`polls_20260131`), always in UTC.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from streampoll.results.postgres import Connection

DAY_S = 86_400
PARTITIONED = {"polls": "slot", "ledger": "tick", "rates": "slot"}
# Tables that are not partitioned, and the time by which a row is old.
_BESIDE = (
    ("repeats", "slot"), ("losses", "to_tick"), ("plans", "valid_to"), ("events", "closed"), ("maintenance", "until"),
)  # fmt: skip
LAST_SLOT = 32_503_679_999  # the year 2999: a slot beyond is a mistake, not a day to make
_LOCK = 0x5370_0002  # advisory lock: "Sp", 2
# Audit counts rows in the index alone, which is so only for vacuumed pages; the default waits until a fifth of the
# table is new.
_STORAGE = "autovacuum_vacuum_insert_scale_factor = 0.02"


def day_of(slot: int) -> int:
    """Return the slot's day, counted from 1970."""
    return slot // DAY_S


def partition_name(table: str, day: int) -> str:
    """Return the name of a table's partition for a day."""
    return f"{table}_{datetime.fromtimestamp(day * DAY_S, UTC):%Y%m%d}"


def day_of_partition(name: str) -> int | None:
    """Return the day that a partition's name says; None for a table that is not one of ours."""
    table, _, text = name.rpartition("_")
    if table not in PARTITIONED or len(text) != 8 or not text.isdecimal():
        return None
    try:
        return day_of(int(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).timestamp()))
    except ValueError:
        return None


async def ensure_days(connection: Connection, days: Iterable[int]) -> tuple[str, ...]:
    """Make the partitions of these days that do not exist, in the caller's transaction; return their names."""
    wanted = [(table, day) for table in PARTITIONED for day in sorted(set(days))]
    if not wanted:
        return ()
    if not (missing := await _absent(connection, wanted)):
        return ()
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    missing = await _absent(connection, missing)  # another process may have made some meanwhile
    for table, day in missing:
        await _make(connection, table, day)
    return tuple(partition_name(table, day) for table, day in missing)


async def make_ahead(connection: Connection, now: float, ahead_days: int) -> tuple[str, ...]:
    """Make yesterday's, today's and the next `ahead_days` partitions, in the caller's transaction."""
    today = day_of(int(now))
    return await ensure_days(connection, range(today - 1, today + ahead_days + 1))


async def drop_old(
    connection: Connection, now: float, retention_days: int, rates_days: int | None = None
) -> tuple[str, ...]:
    """Drop what is wholly older than retention (0 keeps all), in the caller's transaction; return the partitions.

    `rates_days` is that of rates; None: as of the rest. Gives up after two seconds of waiting for readers
    (PostgresUnavailable): the next round tries again.
    """
    kept_days = dict.fromkeys(PARTITIONED, retention_days)
    kept_days["rates"] = retention_days if rates_days is None else rates_days
    if not any(kept_days.values()):
        return ()
    today = day_of(int(now))
    old = tuple(name for name in await _existing(connection) if _is_old(name, today, kept_days))
    await connection.execute("SET LOCAL lock_timeout = '2s'")
    for name in old:
        await connection.execute(f'DROP TABLE IF EXISTS "{name}"')
    if retention_days:
        for table, column in _BESIDE:
            before = (today - retention_days) * DAY_S
            await connection.execute(f"DELETE FROM {table} WHERE {column} < to_timestamp($1)", before)  # noqa: S608
    return old


def _is_old(name: str, today: int, kept_days: Mapping[str, int]) -> bool:
    """Say whether a partition is wholly older than what is kept of its table."""
    day, days = day_of_partition(name), kept_days.get(name.rpartition("_")[0], 0)
    return day is not None and days > 0 and day < today - days


async def _make(connection: Connection, table: str, day: int) -> None:
    name = partition_name(table, day)
    start, end = (datetime.fromtimestamp(at * DAY_S, UTC).isoformat() for at in (day, day + 1))
    await connection.execute(f'CREATE TABLE "{name}" (LIKE {table} INCLUDING ALL) WITH ({_STORAGE})')
    await connection.execute(
        f"ALTER TABLE {table} ATTACH PARTITION \"{name}\" FOR VALUES FROM ('{start}') TO ('{end}')"
    )


async def _absent(connection: Connection, wanted: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    existing = set(await _existing(connection))
    return [(table, day) for table, day in wanted if partition_name(table, day) not in existing]


async def _existing(connection: Connection) -> list[str]:
    found = await connection.fetch(
        "SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = ANY($1::text[]::regclass[])",
        list(PARTITIONED),
    )
    return [row["name"] for row in found]
