"""Redis and PostgreSQL of a run, durable as in production, and gone with everything they wrote when the block ends."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from streampoll.embedded.postgres import EmbeddedPostgres, PostgresOptions
from streampoll.embedded.redis import EmbeddedRedis, RedisOptions

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
        redis = stack.enter_context(EmbeddedRedis(where / "redis", RedisOptions(max_memory_bytes=_REDIS_BYTES)))
        options = PostgresOptions(max_connections=100)
        postgres = stack.enter_context(EmbeddedPostgres(where / "postgres", options))
        yield Servers(redis, postgres)


@contextmanager
def redis_alone(where: Path) -> Iterator[EmbeddedRedis]:
    """Run Redis without PostgreSQL."""
    with EmbeddedRedis(where / "redis", RedisOptions(max_memory_bytes=_REDIS_BYTES)) as server:
        yield server
