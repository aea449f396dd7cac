"""Servers that are not there yet, go away, come back or are unfit: processes wait with one line, or refuse with one."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack
import pytest

from streampoll.embedded.fleet import FleetSettings
from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.embedded.redis import EmbeddedRedis, RedisOptions
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
        entries = sum(client.xlen(key) for key in client.scan_iter("sp:{*}:results"))
        return entries + sum(int(client.hget(key, "results:+") or 0) for key in client.scan_iter("sp:{*}:backlog"))


def complaints(running: Running) -> list[str]:
    """Return what it logged above INFO, beside the notices of the configuration and what it says of silent devices."""
    beside = (" INFO ", "streampoll.toml:", " pollers.failing: ")
    return [line for line in running.said.splitlines() if not any(text in line for text in beside)]


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
        assert [len(complaints(running)) for running in started] == [1, 2], [complaints(each) for each in started]


HIGH_WATER = 4000
DEVICES = 300  # in one shard, each second: an hour of a deployment's default (100,000 a shard) in a quarter minute


def test_postgres_away_throttles_the_source_before_redis_is_full_and_costs_no_result(
    open_directory: Path, own_postgres: EmbeddedPostgres
) -> None:
    """Guarantee 4 as it goes over an hour: alarm, backlog, throttle, a bounded wait, and all rows there after it."""
    own_postgres.start()
    own_redis = EmbeddedRedis(open_directory / "redis", RedisOptions(max_memory_bytes=64 << 20))
    fleet = FleetSettings(devices=DEVICES, latency_ms=(1.0, 20.0), interfaces=(1, 1))
    with own_redis, deployed(open_directory, own_redis.url.reveal(), own_postgres.dsn.reveal(), "1s", fleet) as system:
        system.environ |= {"STREAMPOLL_SHARDS_COUNT": "1", "STREAMPOLL_COORDINATOR_RESULTS_HIGH_WATER": f"{HIGH_WATER}"}
        started = [system.start("coordinator"), system.start("worker", "--processes", "1")]
        eventually(lambda: system.polled(DEVICES), START_S)
        own_postgres.stop()

        eventually(lambda: alarmed(system, "rows wait in Redis"), START_S)
        assert skipped(system, "results") == 0  # the alarm is there long before
        eventually(lambda: alarmed(system, "% of those at which polls are skipped"), START_S)
        eventually(lambda: alarmed(system, "over the high water: its polls are skipped"), START_S)
        eventually(lambda: skipped(system, "results") > 10 * DEVICES, START_S)
        assert HIGH_WATER < rows_in_redis(system) < HIGH_WATER + 3 * DEVICES  # what was in flight, and ledger entries
        with system.redis() as client:
            assert client.info("memory")["used_memory"] < 0.5 * (64 << 20)

        own_postgres.start()
        eventually(lambda: rows_in_redis(system) < DEVICES and not system.stats()["alarms"], START_S)
        before = system.count()
        eventually(lambda: system.polled(before + 2 * DEVICES), START_S)
        report = system.settle()
        assert (report["missing"], report["duplicates"], report["lost"]) == (0, 0, 0)
        assert report["skipped"] > 10 * DEVICES
        assert "memory" not in {
            cause for (cause,) in system.query("SELECT DISTINCT cause FROM ledger WHERE skipped > 0")
        }
        with system.redis() as client:
            assert not [key for key in client.scan_iter("sp:{*}:*:dead") if client.xlen(key)]
        assert [line for line in complaints(started[1]) if "results: " in line and "takes" not in line][1:] == []
        assert all("Traceback" not in running.said for running in started)


def alarmed(system: Deployment, words: str) -> bool:
    return any(words in alarm for alarm in system.stats()["alarms"])


def skipped(system: Deployment, cause: str) -> int:
    """Return how many polls were skipped by a cause, by the ledger entries that wait in Redis."""
    with system.redis() as client:
        fields = [entry[1] for entry in client.xrange("sp:{00}:results") if entry[1][b"k"] == b"ledger"]
    bodies = [msgpack.unpackb(each[b"b"]) for each in fields]
    return sum(body[6] for body in bodies if body[7] == cause)


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
