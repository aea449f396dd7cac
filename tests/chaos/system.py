"""What is tormented: two hosts of real processes, real servers, a fleet. All of it ends with the block that made it.

A *host* is a coordinator and a supervisor with its worker processes; it reaches Redis and PostgreSQL over links of its
own. The harness itself reaches the servers directly.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from redis import Redis

from streampoll.config.secret import Secret
from streampoll.embedded import launch
from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.embedded.fleet.process import spawn
from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.embedded.redis import EmbeddedRedis, RedisOptions
from tests.chaos.network import TOP, Network
from tests.topology_support import Watched, watched_redis

HOSTS = ("a", "b")
SERVERS = ("redis", "postgres")
CLAIM_IDLE_S = 4
HARD_LIMIT_S = 6
MAX_RSS_MB = 200

_TOML = """\
[shards]
count = {shards}

[coordinator]
lease_s = 4
grace_s = {fast_s}

[worker]
drain_s = 5

[pools.chaos]
queues = ["polling", "results"]
processes = {processes}
concurrency = 300
max_rss_mb = {max_rss_mb}

[queues.polling]
claim_idle_s = {claim_idle_s}
soft_limit_s = 5
hard_limit_s = {hard_limit_s}

[queues.results]
claim_idle_s = {claim_idle_s}
hard_limit_s = {hard_limit_s}

[postgres]
command_timeout_s = 5

[snmp]
port = {port}
timeout_s = 0.5

[jobs.fast]
every = "{fast_s}s"
profile = "light"

[jobs.slow]
every = "{slow_s}s"
profile = "slow"
"""
_PROFILE = """\
[scalars]
sysUpTime = { oid = "1.3.6.1.2.1.1.3.0", type = "ticks" }
"""
_CREDENTIALS = """\
[credentials.default]
protocol = "snmp"
version = "2c"
community = { env = "FLEET_COMMUNITY" }
"""


class Servers(Enum):
    """How Redis runs."""

    ONE = "one"  # a server, reached over links
    SENTINEL = "sentinel"  # a master and its replica, named by three Sentinels, reached directly


@dataclass(frozen=True, slots=True)
class Scale:
    """How much there is of everything."""

    devices: int = 2000
    fast_s: int = 5
    slow_s: int = 60
    shards: int = 8
    processes: int = 2  # worker processes a host
    servers: Servers = Servers.ONE


@dataclass(slots=True)
class Daemon:
    """A `streampoll …` that is started again when somebody kills its parent, as systemd would."""

    name: str  # "coordinator-a"
    argv: list[str]
    environ: dict[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    stopped: bool = False  # SIGSTOP was sent to it or a child of it

    def start(self) -> None:
        """Start it; its output goes on where it was."""
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                self.argv, env=self.environ, cwd=TOP, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The parent process."""
        assert self.process is not None
        return self.process.pid

    @property
    def children(self) -> list[int]:
        """The pids of its children."""
        with suppress(OSError):
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        return []

    def terminate(self, timeout_s: float) -> int:
        """Drain it; return the exit code (killed: negative)."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.end()
            return -signal.SIGKILL

    def end(self) -> None:
        """Kill it with all its children, whatever state they are in."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass(slots=True)
class System:
    """All of it."""

    scale: Scale
    room: Path
    network: Network
    redis_servers: EmbeddedRedis | Watched
    postgres: EmbeddedPostgres
    daemons: dict[str, Daemon] = field(default_factory=dict)
    killed: set[int] = field(default_factory=set)  # pids that a fault ended: nobody need wonder about their end

    @property
    def dsn(self) -> str:
        """PostgreSQL, reached directly."""
        return self.postgres.dsn.reveal()

    @property
    def redis(self) -> EmbeddedRedis:
        """The one server."""
        assert isinstance(self.redis_servers, EmbeddedRedis)
        return self.redis_servers

    @property
    def sentinels(self) -> Watched:
        """The master, its replica and the Sentinels."""
        assert isinstance(self.redis_servers, Watched)
        return self.redis_servers

    def redis_client(self, timeout_s: float = 5.0) -> Redis:
        """Redis, reached directly."""
        if isinstance(self.redis_servers, Watched):
            return Redis(host="127.0.0.1", port=self.redis_servers.master().port, socket_timeout=timeout_s)
        return Redis.from_url(self.redis.url.reveal(), socket_timeout=timeout_s)

    @property
    def ended(self) -> list[str]:
        """Return the names of daemons that have ended."""
        return [name for name, daemon in self.daemons.items() if daemon.process and daemon.process.poll() is not None]

    @property
    def poison(self) -> Path:
        """The directory of poison, see hooks.py."""
        return self.room / "poison"

    def workers(self) -> list[int]:
        """Every worker process."""
        return [pid for host in HOSTS for pid in self.daemons[f"worker-{host}"].children]

    def leader(self) -> int:
        """The pid of the process that leads; 0: nobody does."""
        with self.redis_client() as client:
            said = client.get("sp:leader")
        return int(said.decode().split()[0].split("-")[-2]) if said else 0

    def kill(self, pid: int) -> None:
        """Send SIGKILL, and remember that it was us."""
        self.killed.add(pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def forgive_crashes(self) -> None:
        """Remember that the segmentation faults so far were ours."""
        self.killed.update(int(pid) for pid in re.findall(r"\(pid (\d+)\): ended by SIGSEGV", self.said()))

    def restart_ended(self) -> None:
        """Start the daemons again whose parent has ended, as systemd does."""
        for daemon in self.daemons.values():
            if daemon.process is not None and daemon.process.poll() is not None:
                daemon.start()

    def said(self) -> str:
        """What all daemons have logged."""
        return "".join(daemon.log.read_text(errors="replace") for daemon in self.daemons.values())


@contextmanager
def running(scale: Scale, keep: Path | None = None) -> Iterator[System]:
    """Start everything; end everything. `keep` is a directory for the logs."""
    with ExitStack() as stack:
        room = stack.enter_context(_room(keep))
        port = stack.enter_context(_fleet(scale))
        redis_servers = stack.enter_context(_redis(scale, room))
        postgres = stack.enter_context(EmbeddedPostgres(room / "postgres"))
        network = stack.enter_context(Network())
        system = System(scale, room, network, redis_servers, postgres)
        stack.callback(_end, system)
        _configure(system, port)
        for daemon in system.daemons.values():
            daemon.start()
        yield system


def _end(system: System) -> None:
    for daemon in system.daemons.values():
        daemon.end()


@contextmanager
def _room(keep: Path | None) -> Iterator[Path]:
    room = Path(tempfile.mkdtemp(prefix="streampoll-chaos-"))
    room.chmod(0o755)  # PostgreSQL's user must get to its own directory
    try:
        yield room
    finally:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            for log in (*room.glob("*.log"), *room.glob("*/server.log")):
                shutil.copy(log, keep / f"{log.parent.name}-{log.name}" if log.name == "server.log" else keep)
        shutil.rmtree(room, ignore_errors=True)


def _redis(scale: Scale, room: Path) -> AbstractContextManager[EmbeddedRedis | Watched]:
    if scale.servers is Servers.SENTINEL:
        (room / "redis").mkdir()
        return watched_redis(room / "redis")
    return EmbeddedRedis(room / "redis", RedisOptions(binary=_redis_binary()))


def _redis_binary() -> Path | None:
    """Prefer the redis-server of this machine to the older one that is brought along."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


@contextmanager
def _fleet(scale: Scale) -> Iterator[int]:
    how = spawn(FleetSettings(devices=scale.devices, silent=0.02, latency_ms=(5.0, 100.0), interfaces=(1, 2)))
    with subprocess.Popen(
        how.arguments, env={**os.environ, **how.environment}, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["port"]
        finally:
            process.kill()


def _configure(system: System, fleet_port: int) -> None:
    """Write the configuration and prepare a host's daemons; both read the same files."""
    scale, where = system.scale, system.room / "conf"
    (where / "profiles").mkdir(parents=True)
    system.poison.mkdir()
    (where / "streampoll.toml").write_text(
        _TOML.format(
            shards=scale.shards,
            processes=scale.processes,
            fast_s=scale.fast_s,
            slow_s=scale.slow_s,
            port=fleet_port,
            claim_idle_s=CLAIM_IDLE_S,
            hard_limit_s=HARD_LIMIT_S,
            max_rss_mb=MAX_RSS_MB,
        )
    )
    for profile in ("light", "slow"):
        (where / "profiles" / f"{profile}.toml").write_text(_PROFILE)
    (where / "credentials.toml").write_text(_CREDENTIALS)
    lines = [f"sim-{n:05},{device_address(n)}\n" for n in range(scale.devices)]
    (where / "inventory.csv").write_text("name,address\n" + "".join(lines))
    for host in HOSTS:
        environ = _environment(system, host)
        (system.room / f"clock-{host}").write_text("0")
        for role, options in (("coordinator", []), ("worker", ["--pool", "chaos"])):
            argv = [*_ends_with_us(), sys.executable, "-m", "streampoll", role, *options, "--config", str(where)]
            name = f"{role}-{host}"
            system.daemons[name] = Daemon(name, argv, environ, system.room / f"{name}.log")


def _ends_with_us() -> list[str]:
    """Return the beginning of an argv whose process is told to end when ours does, however that is."""
    return [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(int(signal.SIGTERM)), "-"]


def _environment(system: System, host: str) -> dict[str, str]:
    """Return a host's environment: servers by way of its links, and the hooks of the tests."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STREAMPOLL_")}
    postgres = system.network.link(f"{host}-postgres", system.postgres.port)
    if isinstance(system.redis_servers, Watched):
        redis_url = system.redis_servers.url
    else:
        redis_url = _by_way_of(system.redis.url, system.network.link(f"{host}-redis", system.redis.port))
    return environ | {
        "STREAMPOLL_REDIS_URL": redis_url,
        "STREAMPOLL_POSTGRES_DSN": _by_way_of(system.postgres.dsn, postgres),
        "STREAMPOLL_TEST_POLL_HOOK": "tests.chaos.hooks:poisonable",
        "STREAMPOLL_TEST_POISON": str(system.poison),
        "STREAMPOLL_TEST_CLOCK_OFFSET_FILE": str(system.room / f"clock-{host}"),
        "FLEET_COMMUNITY": "public",
        "PYTHONPATH": str(TOP),
        "TZ": "UTC",
    }


def _by_way_of(url: Secret, port: int) -> str:
    parts = urlsplit(url.reveal())
    user, _, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()


def wait_for(condition: Callable[[], object], seconds: float, every_s: float = 0.1) -> bool:
    """Wait until a condition holds; False if it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every_s)
    return True
