"""Fixtures for everybody: a Redis, a PostgreSQL, and a directory that their users can enter.

Servers live as long as a test process (one for each xdist worker), on random ports, in directories of their own. They
end with the process whatever becomes of it. What a test gets is empty: `fresh_redis`, `fresh_database`.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings

from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.embedded.redis import EmbeddedRedis, RedisOptions
from tests.notify_servers_support import Mailbox, Receiver, mail_server, receiving
from tests.servers_support import made_database, redis_program

# No test judges how long something takes: neither an example nor its making, on machines that do other things too.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A temporary directory that an unprivileged user may enter, which `tmp_path` is not."""
    yield from _open_directory()


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedRedis]:
    """A running Redis 6.2, the oldest promised; on all: `parametrize("redis_server", REDIS_NAMES, indirect=True)`."""
    options = RedisOptions(binary=redis_program(getattr(request, "param", "redis-6.2")))
    for directory in _open_directory():
        with EmbeddedRedis(directory / "redis", options) as server:
            yield server


@pytest.fixture
def fresh_redis(redis_server: EmbeddedRedis) -> str:
    """The URL of a Redis with nothing in it."""
    url = redis_server.url.reveal()
    with redis.Redis.from_url(url) as client:
        client.flushall()
        client.script_flush()
    return url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL."""
    for directory in _open_directory():
        with EmbeddedPostgres(directory / "postgres") as server:
            yield server


@pytest.fixture
def fresh_database(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The DSN of a database with nothing in it, dropped after the test."""
    with made_database(postgres_server.dsn.reveal()) as dsn:
        yield dsn


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """What takes webhooks."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """What takes mail."""
    with mail_server() as mailbox:
        yield mailbox


def _open_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="streampoll-test-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)
