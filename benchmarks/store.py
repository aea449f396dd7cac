"""The store: rows a second into PostgreSQL, CPU and bytes a row, what the index costs, and how payloads are compressed.

    rows           the product's store, two batches at a time as a worker has them: rows/s, CPU a row on both sides
    statements     the bare INSERT … FROM unnest against COPY into a staging table, and both without the index
    size           bytes a row beyond the payload, of heap and index, written in the order in which a fleet answers
    compression    bytes and CPU a payload, by row and by the hundred: levels of zlib, isal, zlib-ng, zstd

All write the same rows in turn, in one run; ratios count, not absolute figures. A payload of 1,200 bytes is a walk of
two dozen interfaces, one of 200 a single GET. Without a DSN it runs on an embedded PostgreSQL of its own.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import uvloop

from benchmarks.contenders.compressors import Compress, compressors, packed_rows
from benchmarks.rig.arrivals import Due, arrivals
from benchmarks.rig.figures import median, ratio
from benchmarks.rig.plot import Bars
from benchmarks.rig.report import Report, Table, emit, parser_of
from benchmarks.rig.roles import Roles, spent
from benchmarks.rig.servers import room
from streampoll.config.secret import Secret
from streampoll.config.settings import PostgresSettings
from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.model import QueueClass, Result, Status
from streampoll.results.migrations import migrate
from streampoll.results.store import Store
from streampoll.shards.entries import Delivered, encode_result

SLOT = 1_767_960_000
WEIGHED, PARTITION = SLOT + 86_400, "polls_20260110"  # a day of its own, for how much rows take
DUE = Due(a_slot=1_000, interval=20, slots=80)
PAYLOAD_SPREAD = 3.0  # bytes, as those of `endtoend` differ
BATCH_ROWS = 100  # of payloads that are compressed together


@dataclass(frozen=True, slots=True)
class Load:
    """What is written in one round."""

    rows: int
    batch: int
    payload_bytes: int


def batches(load: Load, slot: int) -> list[list[Delivered]]:
    """Make batches of entries, a device each."""
    made = [_delivered(f"router-{n:06}", slot, random.randbytes(load.payload_bytes)) for n in range(load.rows)]
    return [made[first : first + load.batch] for first in range(0, load.rows, load.batch)]


def _delivered(device: str, slot: int, payload: bytes) -> Delivered:
    entry = encode_result(Result("interfaces", device, slot, Status.OK, 750, payload))
    return Delivered(QueueClass.RESULTS, 7, b"1767960000000-0", entry, 1, 0.0)


async def by_store(store: Store, work: Sequence[Sequence[Delivered]]) -> tuple[float, float]:
    """Return (seconds, CPU seconds of this process) of writing all batches, two at a time as a worker does."""
    began, cpu = time.perf_counter(), time.process_time()

    async def lane(mine: Sequence[Sequence[Delivered]]) -> None:
        for batch in mine:
            await store.handle(batch)

    await asyncio.gather(lane(work[0::2]), lane(work[1::2]))
    return time.perf_counter() - began, time.process_time() - cpu


async def measure_rows(dsn: str, pid: int, load: Load, rounds: int) -> dict[str, float]:
    """Write rounds through the product's store; PostgreSQL's CPU is known where it is our child."""
    store = Store(PostgresSettings(dsn=Secret(dsn)), lambda: SLOT + 1.0)
    await store.ready()
    for slot in (SLOT, SLOT + 1):  # names and days
        await by_store(store, batches(load, slot))
    roles = Roles({"postgres": [pid] if pid else []})
    work = [batches(load, SLOT + 2 + number) for number in range(rounds)]
    before = roles.cpu_s()
    found = [await by_store(store, each) for each in work]
    server_s = spent(before, roles.cpu_s())["postgres"]
    await store.close()
    return {
        "rows_per_s": median((load.rows / wall for wall, _ in found), 0),
        "cpu_us_per_row_worker": median(1e6 * cpu / load.rows for _, cpu in found),
        "cpu_us_per_row_postgres": round(1e6 * server_s / load.rows / rounds, 1),
    }


# -- statements

CONFLICT = (
    " ON CONFLICT (slot, device, job) DO UPDATE SET payload = excluded.payload"
    " WHERE p.status IN (9, 10) AND excluded.status NOT IN (9, 10)"
)
BARE = "CREATE UNLOGGED TABLE bare AS SELECT * FROM polls LIMIT 0; ALTER TABLE bare SET LOGGED"


async def insert(connection: asyncpg.Connection, how: str, load: Load, slot: int) -> float:
    """Return the seconds that the bare statements of one way take, on one connection, without any of the store."""
    payloads = [random.randbytes(load.payload_bytes) for _ in range(load.batch)]
    began = time.perf_counter()
    for first in range(0, load.rows, load.batch):
        devices = list(range(first, first + load.batch))
        async with connection.transaction():
            await (_copy if how == "copy" else _unnest)(connection, how, slot, devices, payloads)
    return time.perf_counter() - began


async def _unnest(
    connection: asyncpg.Connection, how: str, slot: int, devices: list[int], payloads: list[bytes]
) -> None:
    table, conflict = ("bare", "") if how == "unnest, no index" else ("polls", CONFLICT)
    await connection.execute(
        f"INSERT INTO {table} AS p SELECT to_timestamp(slot), device, 1, 1, 1, 0, payload"
        f" FROM unnest($1::bigint[], $2::integer[], $3::bytea[]) t (slot, device, payload){conflict}",
        [slot] * len(devices), devices, payloads,
    )  # fmt: skip


async def _copy(connection: asyncpg.Connection, how: str, slot: int, devices: list[int], payloads: list[bytes]) -> None:
    await connection.execute("CREATE TEMP TABLE IF NOT EXISTS staging (slot bigint, device int, payload bytea)")
    await connection.execute("TRUNCATE staging")
    records = [(slot, device, payload) for device, payload in zip(devices, payloads, strict=True)]
    await connection.copy_records_to_table("staging", records=records)
    await connection.execute(
        "INSERT INTO polls AS p SELECT to_timestamp(slot), device, 1, 1, 1, 0, payload FROM staging" + CONFLICT
    )


async def measure_statements(connection: asyncpg.Connection, load: Load, rounds: int) -> dict[str, Any]:
    """Let the ways take turns."""
    await connection.execute(BARE)
    took: dict[str, list[float]] = {"unnest": [], "copy": [], "unnest, no index": []}
    for number in range(rounds):
        for place, how in enumerate(took):
            took[how].append(await insert(connection, how, load, SLOT + 100 + 3 * number + place))
    rates = {how: median((load.rows / each for each in times), 0) for how, times in took.items()}
    return {
        "rows_per_s": rates,
        "unnest_over_copy": ratio(rates["unnest"], rates["copy"]),
        "index_share_of_time": round(1 - rates["unnest"] / rates["unnest, no index"], 2),
    }


# -- size


async def measure_size(dsn: str, connection: asyncpg.Connection, payload_bytes: int) -> dict[str, float]:
    """Store what a fleet of devices answers; return the bytes a row of heap and index."""
    store = Store(PostgresSettings(dsn=Secret(dsn)), lambda: WEIGHED + 1.0)
    await store.ready()
    chance = random.Random(1)
    for batches_of_workers in arrivals(DUE, chance):
        await asyncio.gather(*(store.handle(_answers(each, payload_bytes, chance)) for each in batches_of_workers))
    await store.close()
    await connection.execute(f"VACUUM {PARTITION}")
    row = await connection.fetchrow(
        f"SELECT pg_table_size('{PARTITION}') heap, pg_indexes_size('{PARTITION}') index, count(*) n,"
        f" sum(length(payload)) payload FROM {PARTITION}"
    )
    assert row is not None
    beyond = (row["heap"] + row["index"] - int(row["payload"])) / row["n"]
    return {
        "bytes_per_row_beyond_payload": round(beyond, 1),
        "of_them_index": round(row["index"] / row["n"], 1),
        "payload_bytes": round(int(row["payload"]) / row["n"], 1),
    }


def _answers(batch: Sequence[tuple[int, int]], payload_bytes: int, chance: random.Random) -> list[Delivered]:
    sizes = [max(1, round(chance.gauss(payload_bytes, PAYLOAD_SPREAD))) for _ in batch]
    return [
        _delivered(f"weighed-{device:06}", WEIGHED + slot, random.randbytes(size))
        for (slot, device), size in zip(batch, sizes, strict=True)
    ]


# -- compression


def measure_compression(rounds: int) -> dict[str, Any]:
    """Compress real payloads in every way, row by row and a hundred rows at a time."""
    found: dict[str, Any] = {}
    for name, interfaces in (("get10", 0), ("walk of 24 interfaces", 24)):
        rows = packed_rows(BATCH_ROWS, interfaces)
        found[name] = {
            way: None if compress is None else _compressed(compress, rows, rounds)
            for way, compress in compressors().items()
        }
    return found


def _compressed(compress: Compress, rows: list[bytes], rounds: int) -> dict[str, float]:
    whole = b"".join(rows)
    by_row = [_timed(lambda: sum(map(len, map(compress, rows)))) for _ in range(rounds)]
    by_batch = [_timed(lambda: len(compress(whole))) for _ in range(rounds)]
    return {
        "row_bytes": round(by_row[0][1] / len(rows), 1),
        "row_us": median((1e6 * cpu_s / len(rows) for cpu_s, _ in by_row), 2),
        "batch_bytes": round(by_batch[0][1] / len(rows), 1),
        "batch_us": median((1e6 * cpu_s / len(rows) for cpu_s, _ in by_batch), 2),
    }


def _timed(work: Any) -> tuple[float, int]:
    began = time.thread_time()
    size: int = work()
    return time.thread_time() - began, size


# -- all of it


async def measure(dsn: str, pid: int, load: Load, rounds: int) -> dict[str, Any]:
    """Run everything that needs PostgreSQL."""
    connection = await asyncpg.connect(dsn)
    await migrate(connection)
    rows = await measure_rows(dsn, pid, load, rounds)
    size = await measure_size(dsn, connection, load.payload_bytes)
    statements = await measure_statements(connection, load, rounds)
    version = await connection.fetchval("SHOW server_version")
    await connection.close()
    return {"rows": rows, "size": size, "statements": statements, "postgres": version}


def main(argv: list[str]) -> int:
    """Run on the server given, or on one of our own."""
    options = parse(argv)
    load = Load(options.rows, options.batch, options.payload)
    if options.dsn:
        found = uvloop.run(measure(options.dsn, 0, load, options.rounds))
    else:
        with room() as where, EmbeddedPostgres(where / "postgres") as server:
            found = uvloop.run(measure(server.dsn.reveal(), server.pid, load, options.rounds))
    found["compression"] = measure_compression(options.rounds)
    emit(report_of(found, load), options)
    return 0


def report_of(found: dict[str, Any], load: Load) -> Report:
    """Put the parts together."""
    rows, size = found["rows"], found["size"]
    first = {**rows, **size, "index_share_of_time": found["statements"]["index_share_of_time"]}
    tables = [
        Table(f"the store: {load}", ("", "figure"), list(first.items())),
        Table("statements alone, one connection", ("", "rows/s"), list(found["statements"]["rows_per_s"].items())),
    ]
    columns = ("", "bytes a row", "us", "bytes a row, by the hundred", "us")
    for name, ways in found["compression"].items():
        lines = [(way, *(of.values() if of else ("not installed", None, None, None))) for way, of in ways.items()]
        tables.append(Table(f"compression of a payload: {name}", columns, lines))
    walks = found["compression"]["walk of 24 interfaces"]
    sizes = {way: of["row_bytes"] for way, of in walks.items() if of}
    plot = Bars("store-compression", "A payload of 24 interfaces", "bytes a row", sizes, "isal gzip 1")
    missing = {way: "not installed" for way, of in walks.items() if of is None}
    return Report("store", found, tables, [plot], missing, {"postgres": found["postgres"]})


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--dsn", help="of a PostgreSQL to use")
    parser.add_argument("--rows", type=int, default=10_000, help="of a round (default 10000)")
    parser.add_argument("--rounds", type=int, default=5, help="(default 5)")
    parser.add_argument("--batch", type=int, default=1000, help="rows in a transaction (default 1000)")
    parser.add_argument("--payload", type=int, default=1200, help="bytes (default 1200)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
