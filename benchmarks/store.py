"""The store: rows a second, CPU a row in the worker, bytes a row beyond the payload; unnest against COPY.

Without a DSN it runs on an embedded PostgreSQL of its own. Both ways write the same rows in turn, in one run; the ratio
counts, not the absolute figures. A payload of 1,200 bytes is a walk of two dozen interfaces, one of 200 a single GET. A
page of PostgreSQL holds six of the former, and what is left of it is part of the bytes beyond the payload.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import uvloop

from streampoll.config.secret import Secret
from streampoll.config.settings import PostgresSettings
from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.model import QueueClass, Result, Status
from streampoll.results.migrations import migrate
from streampoll.results.store import Store
from streampoll.shards.entries import Delivered, encode_result

SLOT = 1_767_960_000
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Load:
    """What is written in one round."""

    rows: int
    batch: int
    payload_bytes: int


def batches(rows: int, batch: int, slot: int, payload_bytes: int) -> list[list[Delivered]]:
    """Make batches of entries, a device each."""
    made = [_delivered(f"router-{n:06}", slot, random.randbytes(payload_bytes)) for n in range(rows)]
    return [made[first : first + batch] for first in range(0, rows, batch)]


def _delivered(device: str, slot: int, payload: bytes) -> Delivered:
    entry = encode_result(Result("interfaces", device, slot, Status.OK, 750, payload))
    return Delivered(QueueClass.RESULTS, 7, b"1767960000000-0", entry, 1, 0.0)


async def by_store(store: Store, work: Sequence[Sequence[Delivered]]) -> tuple[float, float]:
    """Return (seconds, CPU seconds of this process) of writing all batches, two at a time as a worker does."""
    began, cpu = time.perf_counter(), time.process_time()
    lanes = [work[0::2], work[1::2]]

    async def lane(mine: Sequence[Sequence[Delivered]]) -> None:
        for batch in mine:
            await store.handle(batch)

    await asyncio.gather(*map(lane, lanes))
    return time.perf_counter() - began, time.process_time() - cpu


async def insert(connection: asyncpg.Connection, how: str, load: Load, slot: int) -> float:
    """Return the seconds that the bare statements of one way take, on one connection, without any of the store."""
    payloads = [random.randbytes(load.payload_bytes) for _ in range(load.batch)]
    began = time.perf_counter()
    for first in range(0, load.rows, load.batch):
        devices = list(range(first, first + load.batch))
        async with connection.transaction():
            await (_unnest if how == "unnest" else _copy)(connection, slot, devices, payloads)
    return time.perf_counter() - began


CONFLICT = (
    " ON CONFLICT (slot, device, job) DO UPDATE SET payload = excluded.payload"
    " WHERE p.status IN (9, 10) AND excluded.status NOT IN (9, 10)"
)


async def _unnest(connection: asyncpg.Connection, slot: int, devices: list[int], payloads: list[bytes]) -> None:
    await connection.execute(
        "INSERT INTO polls AS p SELECT to_timestamp(slot), device, 1, 1, 1, 0, payload"
        " FROM unnest($1::bigint[], $2::integer[], $3::bytea[]) t (slot, device, payload)" + CONFLICT,
        [slot] * len(devices), devices, payloads,
    )  # fmt: skip


async def _copy(connection: asyncpg.Connection, slot: int, devices: list[int], payloads: list[bytes]) -> None:
    await connection.execute("CREATE TEMP TABLE IF NOT EXISTS staging (slot bigint, device int, payload bytea)")
    await connection.execute("TRUNCATE staging")
    records = [(slot, device, payload) for device, payload in zip(devices, payloads, strict=True)]
    await connection.copy_records_to_table("staging", records=records)
    await connection.execute(
        "INSERT INTO polls AS p SELECT to_timestamp(slot), device, 1, 1, 1, 0, payload FROM staging" + CONFLICT
    )


async def measure(dsn: str, load: Load) -> None:
    """Run everything and print the figures."""
    settings = PostgresSettings(dsn=Secret(dsn))
    connection = await asyncpg.connect(dsn)
    await migrate(connection)
    store = Store(settings, lambda: SLOT + 1.0)
    await store.ready()
    for slot in (SLOT, SLOT + 1):  # names and days
        await by_store(store, batches(load.rows, load.batch, slot, load.payload_bytes))
    work = [batches(load.rows, load.batch, SLOT + 2 + n, load.payload_bytes) for n in range(ROUNDS)]
    found = [await by_store(store, each) for each in work]
    wall, cpu = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"store: {load.rows / wall:,.0f} rows/s, {cpu / load.rows * 1e6:.1f} us CPU a row in the worker ({load})")
    await _ways(connection, load)
    await _size(connection)
    await store.close()
    await connection.close()


async def _ways(connection: asyncpg.Connection, load: Load) -> None:
    took: dict[str, list[float]] = {"unnest": [], "copy": []}
    for n in range(ROUNDS):
        for number, how in enumerate(took):
            took[how].append(await insert(connection, how, load, SLOT + 100 + 2 * n + number))
    median = {how: statistics.median(times) for how, times in took.items()}
    print(
        f"statements alone: unnest {load.rows / median['unnest']:,.0f} rows/s,"
        f" copy + insert {load.rows / median['copy']:,.0f}"
        f" rows/s: unnest takes {median['unnest'] / median['copy']:.2f} of copy's time"
    )


async def _size(connection: asyncpg.Connection) -> None:
    name = "polls_20260109"
    await connection.execute(f"VACUUM {name}")
    row = await connection.fetchrow(
        f"SELECT pg_table_size('{name}') heap, pg_indexes_size('{name}') index, count(*) n,"
        f" sum(length(payload)) payload FROM {name}"
    )
    beyond = (row["heap"] + row["index"] - int(row["payload"])) / row["n"]
    print(f"size: {beyond:.0f} bytes a row beyond the payload, {row['index'] / row['n']:.0f} of them index")


def main() -> None:
    """Run on the server given, or on one of our own."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--dsn")
    options.add_argument("--rows", type=int, default=10_000)
    options.add_argument("--batch", type=int, default=1000)
    options.add_argument("--payload", type=int, default=1200, help="bytes")
    chosen = options.parse_args()
    load = Load(chosen.rows, chosen.batch, chosen.payload)
    if chosen.dsn:
        uvloop.run(measure(chosen.dsn, load))
        return
    with tempfile.TemporaryDirectory(prefix="streampoll-bench-") as directory:
        Path(directory).chmod(0o755)
        with EmbeddedPostgres(Path(directory) / "postgres") as server:
            uvloop.run(measure(server.dsn.reveal(), load))


if __name__ == "__main__":
    main()
