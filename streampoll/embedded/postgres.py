"""PostgreSQL for one machine: a cluster of our own on a local port, durable, behind a password kept in its directory.

The directory holds `data` (the cluster), `password` (mode 0600, made once), `server.log` and, where the installation is
out of the server's reach, a copy of it. As root the server runs as an unprivileged user, who then owns all of it.
A cluster is made beside its place and moved there when whole, so a start that was cut short leaves nothing half made.
"""

import os
import secrets
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from streampoll.config.secret import Secret
from streampoll.embedded.owner import Owner, closed_directory, own_directory, server_owner
from streampoll.embedded.places import fits_socket, on_free_port
from streampoll.embedded.postgres_program import PostgresProgram, choose_postgres, reachable_program
from streampoll.embedded.process import ServerCommand, ServerProcess, locked_directory, run_to_end
from streampoll.embedded.server import EmbeddedServer
from streampoll.errors import ConfigError, Fault

ROLE = DATABASE = "streampoll"
START_TIMEOUT_S = 120.0  # a crashed cluster replays its log first
READY_LINE = 7  # of postmaster.pid: the server's own word on its state, which pg_ctl reads too


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """What an embedded PostgreSQL may use."""

    program: Path | None = None  # a folder with postgres and initdb; None: the first fit one of `postgres_programs()`
    user: str = "nobody"  # who it runs as when we are root
    max_connections: int = 50
    shared_buffers_mb: int = 128


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL that lives as long as this object; its data live as long as the directory."""

    NAME = "PostgreSQL"

    def __init__(self, directory: Path, options: PostgresOptions | None = None) -> None:
        super().__init__(directory)
        self._options = options or PostgresOptions()
        self._password = ""

    @property
    def dsn(self) -> Secret:
        """The DSN of the database `streampoll`, over TCP."""
        return Secret(f"postgresql://{ROLE}:{self._password}@127.0.0.1:{self.port}/{DATABASE}")

    def start(self) -> None:
        """Make the cluster if there is none, start it, return once it takes connections."""
        owner = server_owner(self._options.user)
        self._directory = own_directory(self._directory, owner)
        refuse_closed(self._directory, owner)
        with locked_directory(self._directory) as lock:
            installed = choose_postgres(self._data, self._options.program)
            program = reachable_program(installed, owner, self._directory)
            self._password = kept_password(self._directory / "password", owner)
            if not self._data.exists():
                make_cluster(program, self._directory, owner)
            # We hold the lock, so no server runs here: a pid file is a crash's, and its pid may be anybody's by now.
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            on_free_port(lambda port: self._start_server(program, owner, port, lock))

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _start_server(self, program: PostgresProgram, owner: Owner | None, port: int, lock: int) -> None:
        self.port = port
        write_configuration(self._data / "postgresql.conf", self._directory, self.port, self._options)
        argv = (str(program.postgres), "-D", str(self._data))
        self._server = ServerProcess(ServerCommand(self.NAME, argv, self._directory, signal.SIGINT, owner), lock)
        self._server.wait_ready(lambda: _ready(self._data), START_TIMEOUT_S)


def refuse_closed(directory: Path, owner: Owner | None) -> None:
    """Raise ConfigError if the server's user can't reach its directory; the modes above it are not ours to change."""
    closed = closed_directory(directory, owner)
    if closed is not None and owner is not None:
        what = f"PostgreSQL does not run as root, and {owner.name} can't enter {closed} on the way to {directory}"
        raise ConfigError([Fault("paths.data", what, 'set paths.data = "/var/lib/streampoll", or run as another user')])


def kept_password(path: Path, owner: Owner | None) -> str:
    """Return the password in the file, made at the first call; initdb reads it there, as the owner."""
    if not path.exists() or not path.stat().st_size:
        path.touch(mode=0o600)
        if owner is not None:
            os.chown(path, owner.uid, owner.gid)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text().strip()


def make_cluster(program: PostgresProgram, directory: Path, owner: Owner | None) -> None:
    """Run initdb and create the database, all before the cluster gets its name."""
    half = directory / "data.half"
    shutil.rmtree(half, ignore_errors=True)
    options = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", f"--username={ROLE}")
    initdb = (str(program.initdb), "-D", str(half), f"--pwfile={directory / 'password'}", *options)
    run_to_end(ServerCommand("initdb", initdb, directory, signal.SIGTERM, owner))
    single = (str(program.postgres), "--single", "-D", str(half), "postgres")
    create = f"CREATE DATABASE {DATABASE}\n".encode()
    run_to_end(ServerCommand("PostgreSQL", single, directory, signal.SIGTERM, owner), stdin=create)
    half.rename(directory / "data")


def write_configuration(path: Path, directory: Path, port: int, options: PostgresOptions) -> None:
    """Replace postgresql.conf: durable, small, quiet, for local clients."""
    status = path.stat()
    path.write_text(postgres_configuration(directory, port, options), encoding="utf-8")
    path.chmod(status.st_mode)


def postgres_configuration(directory: Path, port: int, options: PostgresOptions) -> str:
    """Return postgresql.conf for a small machine that mostly takes COPYs."""
    lines: dict[str, str | int] = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": str(directory) if fits_socket(directory / f".s.PGSQL.{port}") else "",
        "max_connections": options.max_connections,
        "shared_buffers": f"{options.shared_buffers_mb}MB",
        "maintenance_work_mem": "64MB",
        "fsync": "on",
        "synchronous_commit": "on",  # entries are acknowledged after commit: a commit is a promise
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "wal_compression": "on",
        "max_wal_size": "1GB",
        "checkpoint_timeout": "15min",
        "jit": "off",  # our queries are short
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        "log_statement": "none",
        "log_min_error_statement": "panic",  # a failed statement may hold a user's data; the client logs its error
    }
    return "".join(f"{name} = {_quoted(value)}\n" for name, value in lines.items())


def _quoted(value: str | int) -> str:
    return "'{}'".format(str(value).replace("'", "''"))


def _ready(data: Path) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > READY_LINE and lines[READY_LINE].strip() == "ready"
