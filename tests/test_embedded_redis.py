"""The embedded Redis: durable, local, behind a password, and never on newer data than it can read."""

import re
import stat
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streampoll.embedded import redis as embedded
from streampoll.embedded.redis import EmbeddedRedis, RedisBinary, RedisOptions, choose_redis
from streampoll.errors import UnfitServerError
from tests.servers_support import REDIS_NAMES, redis_program


def client_of(server: EmbeddedRedis) -> "redis.Redis":
    return redis.Redis.from_url(server.url.reveal(), decode_responses=True)


@pytest.mark.parametrize("name", REDIS_NAMES)
def test_what_was_written_survives_stop_and_crash(name: str, tmp_path: Path) -> None:
    options = RedisOptions(binary=redis_program(name))
    with EmbeddedRedis(tmp_path / "redis", options) as server, client_of(server) as client:
        client.xadd("stream", {"before": "stop"})

    crashing = EmbeddedRedis(tmp_path / "redis", options)
    crashing.start()
    with client_of(crashing) as client:
        client.xadd("stream", {"before": "crash"})
        client.execute_command("WAITAOF", 1, 0, 1000) if name == "valkey" else client.bgrewriteaof()
    crashing.kill()

    with EmbeddedRedis(tmp_path / "redis", options) as server, client_of(server) as client:
        assert client.xlen("stream") == 2


def test_it_is_set_as_streampoll_needs_it(redis_server: EmbeddedRedis) -> None:
    with client_of(redis_server) as client:
        settings = client.config_get("*")

    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["bind"] == "127.0.0.1"
    assert int(settings["maxmemory"]) > 0


def test_nobody_enters_without_the_password(redis_server: EmbeddedRedis) -> None:
    once = Retry(NoBackoff(), 0)
    with redis.Redis(port=redis_server.port, retry=once) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_the_socket_is_another_way_in(redis_server: EmbeddedRedis) -> None:
    assert redis_server.socket_url.reveal().startswith("unix://")
    with redis.Redis.from_url(redis_server.socket_url.reveal()) as client:
        assert client.ping()


def test_a_directory_too_deep_for_a_socket_is_served_over_tcp(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / ("deep" * 30)) as server:
        assert server.socket_url == server.url
        with client_of(server) as client:
            assert client.ping()


def test_the_password_is_in_no_argv_and_no_log_and_the_file_is_closed(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as server:
        password = re.findall(r":(.+)@", server.url.reveal())[0]

        assert password not in repr(server.url)
        assert password not in " ".join(psutil.Process(server.pid).cmdline())
        assert password not in (tmp_path / "redis/server.log").read_text()
        assert stat.S_IMODE((tmp_path / "redis/redis.conf").stat().st_mode) == 0o600


def test_an_older_server_is_refused_newer_data(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis", RedisOptions(binary=redis_program("redis-7.0"))):
        pass

    older = EmbeddedRedis(tmp_path / "redis", RedisOptions(binary=redis_program("redis-6.2")))
    with pytest.raises(UnfitServerError, match=r"was written by redis 7\.0, found here: redis 6\.2"):
        older.start()


def test_of_several_servers_one_that_reads_the_data_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = RedisBinary(Path("old"), "redis", (6, 2)), RedisBinary(Path("new"), "redis", (7, 0))
    monkeypatch.setattr(embedded, "redis_binaries", lambda: [old, new])
    assert choose_redis(tmp_path, None) == old

    (tmp_path / "written-by").write_text("redis 7.0\n")
    assert choose_redis(tmp_path, None) == new


@pytest.mark.parametrize(
    ("server", "writer", "reads"),
    [
        ("redis 6.2", "redis 6.2", True),
        ("redis 7.0", "redis 6.2", True),
        ("redis 6.2", "redis 7.0", False),
        ("redis 10.0", "redis 9.9", True),
        ("valkey 8.1", "redis 7.2", True),
        ("valkey 8.1", "redis 7.4", False),
        ("redis 8.0", "valkey 7.2", False),
    ],
)
def test_who_reads_whose_files(server: str, writer: str, reads: bool) -> None:
    family, number = server.split()
    major, minor = map(int, number.split("."))

    assert RedisBinary(Path("x"), family, (major, minor)).reads(writer) is reads


def test_a_server_older_than_6_2_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho Redis server v=6.0.16 sha=0:0 malloc=libc bits=64\n")
    program.chmod(0o755)

    with pytest.raises(UnfitServerError, match=r"no Redis 6.2 or newer, found here: redis 6\.0"):
        choose_redis(tmp_path, program)
