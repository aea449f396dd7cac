"""Servers that are not there yet, go away, come back or are unfit: processes wait with one line, or refuse with one."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.embedded.redis import EmbeddedRedis
from tests.e2e_support import START_S, Deployment, Running, deployed, fix_port
from tests.waiting import eventually


@pytest.fixture
def own_redis(open_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedRedis]:
    """A Redis of this test, not started, whose URL stays the same."""
    server = EmbeddedRedis(open_directory / "redis")
    fix_port(server, monkeypatch)
    yield server
    server.stop()


@pytest.fixture
def own_postgres(open_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this test, not started (but once, to get its password), whose DSN stays the same."""
    server = EmbeddedPostgres(open_directory / "postgres")
    fix_port(server, monkeypatch)
    server.start()
    server.stop()
    yield server
    server.stop()


def rows_in_redis(system: Deployment) -> int:
    with system.redis() as client:
        return sum(client.xlen(key) for key in client.scan_iter("sp:{*}:results"))


def complaints(running: Running) -> list[str]:
    """Return what it logged above INFO."""
    return [line for line in running.said.splitlines() if " INFO " not in line]


def test_processes_that_are_there_before_their_servers_wait_with_one_line_for_each(
    open_directory: Path, own_redis: EmbeddedRedis, own_postgres: EmbeddedPostgres
) -> None:
    with deployed(open_directory, own_redis.url.reveal(), own_postgres.dsn.reveal()) as system:
        started = [system.start("coordinator"), system.start("worker", "--processes", "1")]
        for running in started:
            running.says("; trying again until it is there")
        own_redis.start()
        started[0].says("; trying again each second")
        started[1].says("results: rows wait in Redis; PostgreSQL: ")
        own_postgres.start()
        eventually(lambda: system.polled(200), START_S)

        system.settle()
        assert [len(complaints(running)) for running in started] == [2, 3], [complaints(each) for each in started]
        assert "takes writes again" in complaints(started[1])[-1]
        assert all("Traceback" not in running.said for running in started)


def test_polling_goes_on_while_postgres_is_away_and_every_row_is_stored_once_it_is_back(
    open_directory: Path, fresh_redis: str, own_postgres: EmbeddedPostgres
) -> None:
    own_postgres.start()
    with deployed(open_directory, fresh_redis, own_postgres.dsn.reveal()) as system:
        started = [system.start("coordinator"), system.start("worker", "--processes", "1")]
        eventually(lambda: system.polled(200), START_S)
        own_postgres.stop()
        eventually(lambda: rows_in_redis(system) > 200, START_S)
        own_postgres.start()
        before = system.count()
        eventually(lambda: system.polled(before + 300), START_S)

        system.settle()
        assert [len(complaints(running)) for running in started] == [0, 2], [complaints(each) for each in started]


def test_processes_live_through_a_restart_of_redis(
    open_directory: Path, own_redis: EmbeddedRedis, fresh_database: str
) -> None:
    own_redis.start()
    with deployed(open_directory, own_redis.url.reveal(), fresh_database) as system:
        started = [system.start("coordinator"), system.start("worker", "--processes", "2")]
        eventually(lambda: system.polled(200), START_S)
        children = [running.children for running in started]
        own_redis.stop()
        for running in started:
            running.says("Redis is not reachable")
        own_redis.start()
        before = system.count()
        eventually(lambda: system.polled(before + 300), START_S)

        assert [running.children for running in started] == children
        system.settle()
        assert all("Traceback" not in running.said for running in started)


def test_a_redis_that_evicts_is_refused_with_the_line_to_set(
    open_directory: Path, own_redis: EmbeddedRedis, fresh_database: str
) -> None:
    own_redis.start()
    with deployed(open_directory, own_redis.url.reveal(), fresh_database) as system:
        with system.redis() as client:
            client.config_set("maxmemory-policy", "allkeys-lru")

        refused_at_once(system, "CONFIG SET maxmemory-policy noeviction")


def test_a_redis_below_6_2_is_refused(open_directory: Path, fresh_database: str) -> None:
    with old_redis() as port, deployed(open_directory, f"redis://127.0.0.1:{port}/0", fresh_database) as system:
        refused_at_once(system, "Redis 6.0.16 is too old: XAUTOCLAIM needs 6.2; install redis-server 6.2 or newer")


def refused_at_once(system: Deployment, line: str) -> None:
    """Expect every command that works on Redis to end with 2 and the line, without another try."""
    for role in ("coordinator", "worker"):
        running = system.start(role)
        assert running.wait() == 2
        assert line in running.said
        assert running.said.count("started, ") <= 2  # a worker has two processes
        assert "Traceback" not in running.said


@contextmanager
def old_redis() -> Iterator[int]:
    """Serve as a Redis that is too old; yields its port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), OldRedis) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


class OldRedis(socketserver.StreamRequestHandler):
    """Says of itself that it is 6.0.16, whatever it is asked."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            arguments = [self.read_argument() for _ in range(int(line[1:]))]
            info = b"# Server\r\nredis_version:6.0.16\r\n"
            self.wfile.write(b"$%d\r\n%s\r\n" % (len(info), info) if arguments[0] == b"INFO" else b"+OK\r\n")

    def read_argument(self) -> bytes:
        size = int(self.rfile.readline()[1:])
        return self.rfile.read(size + 2)[:-2]
