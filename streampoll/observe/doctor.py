"""What `check --connect` asks: will the servers and the kernel carry this configuration?

Each question adds to the report: a fault for what streampoll refuses to run on, a notice for what will hurt one day.
Nothing is changed anywhere.
"""

import asyncio
from pathlib import Path

from streampoll.config.report import Report
from streampoll.config.settings import PostgresSettings, RedisSettings, Settings
from streampoll.errors import ConfigError, RedisUnavailable, StreampollError, UnfitServerError
from streampoll.results.migrations import load_migrations
from streampoll.results.postgres import Connection, connected
from streampoll.shards.server import ServerFacts, examine, refuse_unfit

RMEM_MAX = Path("/proc/sys/net/core/rmem_max")
OLDEST_POSTGRES = 13


def diagnose(settings: Settings, report: Report) -> None:
    """Ask all of them."""
    asyncio.run(_ask_servers(settings, report))
    rmem_max = RMEM_MAX.read_text() if RMEM_MAX.exists() else ""
    judge_kernel(rmem_max, settings.snmp.receive_buffer_bytes, report)


async def _ask_servers(settings: Settings, report: Report) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_ask_redis(settings.redis, report), name="check redis")
        tasks.create_task(_ask_postgres(settings.postgres, report), name="check postgres")


async def _ask_redis(redis: RedisSettings, report: Report) -> None:
    try:
        judge_redis(await examine(redis), redis.memory_high_water, report)
    except RedisUnavailable as error:
        report.fault("redis.url", str(error), "start it, or set STREAMPOLL_REDIS_URL (`streampoll up` brings its own)")
    except StreampollError as error:
        report.fault("redis.url", str(error))


def judge_redis(facts: ServerFacts, high_water: float, report: Report) -> None:
    """Refuse a Redis that loses work; note one that may."""
    try:
        refuse_unfit(facts)
    except UnfitServerError as error:
        report.fault("redis.url", str(error))
    if not facts.aof:
        report.notice("redis.url", "has no append-only file: a restart loses what is in flight", "set appendonly yes")
    if (7, 0, 0) <= facts.version <= (7, 0, 3):
        report.notice("redis.url", f"Redis {facts.release} has known faults in XAUTOCLAIM", "upgrade to 7.0.4 or newer")
    if not facts.maxmemory:
        report.notice("redis.url", "has no maxmemory: nothing slows dispatch before memory is full", "set maxmemory")
    elif facts.fill >= high_water:
        report.notice("redis.url", f"{facts.fill:.0%} of maxmemory is used: dispatch skips", "set maxmemory higher")


async def _ask_postgres(postgres: PostgresSettings, report: Report) -> None:
    try:
        async with connected(postgres) as connection:
            version = int(await connection.fetchval("SHOW server_version_num")) // 10_000
            judge_postgres(version, await _schema_version(connection), _newest_schema(), report)
    except ConfigError as error:
        report.faults += error.faults
    except StreampollError as error:
        report.fault(
            "postgres.dsn", str(error), "start it, or set STREAMPOLL_POSTGRES_DSN (`streampoll up` brings its own)"
        )


async def _schema_version(connection: Connection) -> int:
    """Return the schema's version; 0 if there is none yet."""
    if await connection.fetchval("SELECT to_regclass('schema_versions')") is None:
        return 0
    return int(await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_versions"))


def _newest_schema() -> int:
    return max((migration.version for migration in load_migrations()), default=0)


def judge_postgres(version: int, schema: int, newest: int, report: Report) -> None:
    """Refuse a PostgreSQL that is too old or has a schema of a later release; note a schema to upgrade."""
    if version < OLDEST_POSTGRES:
        report.fault("postgres.dsn", f"PostgreSQL {version} is too old", f"use {OLDEST_POSTGRES} or newer")
    if schema > newest:
        report.fault(
            "postgres.dsn", f"the schema has version {schema}, this release knows {newest}", "upgrade streampoll"
        )
    elif schema < newest:
        state = f"has version {schema}" if schema else "is not there yet"
        report.notice("postgres.dsn", f"the schema {state}", "the first start makes it, or run: streampoll migrate")


def judge_kernel(rmem_max: str, wanted_bytes: int, report: Report) -> None:
    """Note a kernel that gives the socket less than `snmp.receive_buffer_bytes`: replies would be dropped in bursts."""
    text = rmem_max.strip()
    if text.isdigit() and int(text) < wanted_bytes:
        report.notice(
            "snmp.receive_buffer_bytes",
            f"the kernel allows {int(text):,} bytes, not {wanted_bytes:,}: bursts of replies may be dropped",
            f"run: sysctl -w net.core.rmem_max={wanted_bytes}",
        )
