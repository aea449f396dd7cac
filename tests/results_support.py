"""What the tests of results share: a migrated database, entries as a worker would be handed them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import msgpack

from streampoll.config.secret import Secret
from streampoll.config.settings import PostgresSettings
from streampoll.model import LedgerEntry, Outcome, QueueClass, Result, Status, Trace
from streampoll.results.codec import encode_payload
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres
from streampoll.results.store import Store
from streampoll.shards.entries import Delivered, Entry, Kind, encode_result
from streampoll.shards.ring import device_hash
from streampoll.worker.port import Disposition

NOON = 1_767_960_000  # 2026-01-09 12:00 UTC
TRACE = Trace(NOON + 0.25, NOON + 0.5, NOON + 0.75, NOON + 0.875, NOON + 1.0, 1, "host:1:1")


@dataclass(slots=True)
class Bench:
    """A store on a database of its own."""

    dsn: str
    store: Store
    connection: asyncpg.Connection
    clock: list[float]  # the store's, one number

    async def handle(self, *entries: Entry, delivery: int = 1) -> Sequence[Disposition]:
        await self.store.ready()
        return await self.store.handle([delivered(entry, delivery) for entry in entries])

    async def rows(self) -> list[tuple[str, str, int, Status]]:
        """Return (job, device, slot, status) of all rows."""
        found = await self.connection.fetch(
            "SELECT j.name job, d.name device, extract(epoch FROM slot)::bigint slot, status"
            " FROM polls p JOIN jobs j ON j.id = p.job JOIN devices d ON d.id = p.device ORDER BY slot, d.name, j.name"
        )
        return [(row["job"], row["device"], row["slot"], Status(row["status"])) for row in found]

    async def count(self, table: str) -> int:
        return int(await self.connection.fetchval(f"SELECT count(*) FROM {table}"))


def settings_of(dsn: str, **changes: float) -> PostgresSettings:
    return PostgresSettings(dsn=Secret(dsn), **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def bench(dsn: str, now: float = NOON + 2.5, store_dsn: str = "", **settings: float) -> AsyncIterator[Bench]:
    connection = await asyncpg.connect(dsn)
    chosen = settings_of(store_dsn or dsn, **{"partitions_ahead_days": 1, **settings})
    clock = [now]
    store = Store(chosen, lambda: clock[0], Postgres(chosen))
    try:
        await migrate(connection)
        yield Bench(dsn, store, connection, clock)
    finally:
        await store.close()
        await connection.close()


async def many_rows(b: Bench, rows: int = 30_000) -> None:
    """Store walks of 1,200 bytes, a hundred a slot from noon on, and vacuum: what plans are to be judged by."""
    await b.handle(result_entry())
    await b.connection.execute("INSERT INTO devices (name, hash) SELECT 'd' || n, n FROM generate_series(1, 2999) n")
    await b.connection.execute(
        "INSERT INTO polls SELECT to_timestamp($1::bigint + 1 + n / 100), 1 + n % 3000, 0, n % 2000, 1, 0, $3"
        " FROM generate_series(0, $2::bigint - 1) n",
        NOON, rows, bytes(1_200),
    )  # fmt: skip
    await b.connection.execute("VACUUM (ANALYZE) polls")
    await b.connection.execute("ANALYZE devices")


async def plan_of(
    connection: asyncpg.Connection, query: str, *numbers: int | str, mode: str = "force_custom_plan"
) -> str:
    """Return how PostgreSQL executes a query whose parameters are whole numbers, or "NULL"."""
    await connection.execute(f"SET plan_cache_mode = {mode}")
    await connection.execute(f"PREPARE asked ({', '.join(['bigint'] * len(numbers))}) AS {query}")
    rows = await connection.fetch(f"EXPLAIN EXECUTE asked ({', '.join(map(str, numbers))})")
    await connection.execute("DEALLOCATE asked")
    await connection.execute("RESET plan_cache_mode")
    return "\n".join(row[0] for row in rows)


def delivered(entry: Entry | None, delivery: int = 1) -> Delivered:
    return Delivered(QueueClass.RESULTS, 7, b"1767960000000-0", entry, delivery, 0.0)


def result(
    device: str = "r1", slot: int = NOON, status: Status = Status.OK, job: str = "interfaces", value: int = 1
) -> Result:
    payload = encode_payload(Outcome(status, values={"x": value}), TRACE)
    return Result(job, device, slot, status, 750, payload)


def result_entry(
    device: str = "r1", slot: int = NOON, status: Status = Status.OK, job: str = "interfaces", value: int = 1
) -> Entry:
    return encode_result(result(device, slot, status, job, value))


def ledger_entry(entry: LedgerEntry) -> Entry:
    """Pack a ledger entry as the dispatch script does."""
    body = msgpack.packb(
        (
            entry.shard, entry.tick_to, entry.part, str(entry.plan), entry.count, str(entry.hash_sum),
            entry.skipped, entry.cause,
        )
    )  # fmt: skip
    return Entry(Kind.LEDGER, entry.job, entry.tick, 0, body)


def dispatched(*devices: str, tick: int = NOON, job: str = "interfaces", shard: int = 7, plan: int = 0) -> LedgerEntry:
    hashes = sum(map(device_hash, devices)) % (1 << 64)
    return LedgerEntry(job, shard, tick, tick, 0, plan, len(devices), hashes)
