"""A whole deployment in processes of its own: servers, a fleet, a configuration, and `streampoll …` as a user runs it.

Every process started here leads a session, so that it and its children are killed together however a test ends.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.embedded.places import free_port
from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.embedded.redis import EmbeddedRedis
from tests.fleet_support import running_fleet
from tests.servers_support import run_now
from tests.waiting import eventually

SHARDS = 8
START_S = 30.0  # what anything that must happen may take on a machine that is busy with other things
FLEET = FleetSettings(devices=200, silent=0.1, latency_ms=(5.0, 250.0), interfaces=(1, 3))
TOML = f"""\
[shards]
count = {SHARDS}

[coordinator]
lease_s = 2

[worker]
drain_s = 5

[api]
enabled = false

[snmp]
port = {{port}}
timeout_s = 0.5

[queues.polling]
claim_idle_s = 2

[queues.results]
claim_idle_s = 2

[jobs.fast]
every = "{{every}}"
"""
CREDENTIALS = """\
[credentials.default]
protocol = "snmp"
version = "2c"
community = { env = "FLEET_COMMUNITY" }
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A `streampoll …` that goes on until it is told to stop."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def children(self) -> list[int]:
        """The pids of its child processes."""
        pid = self.process.pid
        with suppress(OSError):
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    @property
    def said(self) -> str:
        """What it has written."""
        return self.log.read_text()

    def says(self, text: str, deadline_s: float = START_S) -> None:
        """Wait until it has written this."""
        eventually(lambda: text in self.said, deadline_s)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Return the exit code."""
        return eventually(lambda: self.process.poll() is not None and [self.process.returncode], START_S)[0]

    def kill(self) -> None:
        """Kill the parent alone, as the kernel's memory killer would."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Kill it with all its children, whatever state it is in."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass(slots=True)
class Deployment:
    """A configuration, its servers and its fleet."""

    where: Path
    redis_url: str
    dsn: str
    environ: dict[str, str]
    began: int = field(default_factory=lambda: int(time.time()) - 1)
    running: list[Running] = field(default_factory=list)

    def start(self, *arguments: str) -> Running:
        """Start a command that stays."""
        log = self.where / f"{len(self.running)}-{arguments[0]}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command(*arguments, where=self.where), env=self.environ, stdin=subprocess.DEVNULL, stdout=file,
                stderr=file, start_new_session=True,
            )  # fmt: skip
        self.running.append(Running(process, log))
        return self.running[-1]

    def run(self, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            command(*arguments, where=self.where), env={**self.environ, **environ}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def stats(self) -> dict[str, Any]:
        """What `stats --json` prints."""
        return json.loads(self.run("stats", "--json").stdout)

    def audit(self) -> dict[str, Any]:
        """What `audit --json` prints; an audit that is not clean fails the test with what it names."""
        done = self.run("audit", "--since", str(self.began), "--json", "--list")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def drained(self) -> bool:
        """Tell whether no poll is open: none to be polled, no row to be stored."""
        with self.redis() as client:
            return not any(client.hlen(f"sp:{{{shard:02d}}}:open") for shard in range(SHARDS))

    def settle(self) -> dict[str, Any]:
        """Stop dispatching, let the workers finish, and audit."""
        for running in self.running:
            if "coordinator" in running.log.name and running.process.poll() is None:
                assert running.stop() == 0
        eventually(self.drained, START_S)
        return self.audit()

    def redis(self) -> "redis.Redis":
        """A client of the Redis that is used."""
        return redis.Redis.from_url(self.redis_url)

    def rows(self, device: str) -> list[dict[str, Any]]:
        """What `results` shows of a device, the newest first."""
        done = self.run("results", device, "--format", "json", "--limit", "100")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def polled(self, count: int = 1) -> bool:
        """Tell whether at least so many polls are stored."""
        return self.count() >= count

    def count(self) -> int:
        """Return how many polls are stored."""
        return self.query("SELECT count(*) FROM polls")[0][0]

    def query(self, statement: str) -> list[Any]:
        """Ask PostgreSQL; nothing while it is away or has no schema yet."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.dsn)
            try:
                return await connection.fetch(statement)
            finally:
                await connection.close()

        try:
            return run_now(ask())
        except (asyncpg.PostgresError, OSError):
            return [(0,)]

    def in_flight(self, *pids: int) -> set[tuple[int, str]]:
        """Return the (shard, id) of polls that worker processes hold."""
        held = set()
        with self.redis() as client:
            for shard in range(SHARDS):
                stream = f"sp:{{{shard:02d}}}:polling"
                with suppress(redis.ResponseError):  # no group yet
                    pending = client.xpending_range(stream, "polling", "-", "+", 10_000)
                    held |= {
                        (shard, each["message_id"].decode())
                        for each in pending
                        if any(f"-{pid}-" in each["consumer"].decode() for pid in pids)
                    }
        return held

    def unfinished(self, held: set[tuple[int, str]]) -> int:
        """Return how many of these entries are still in their streams."""
        with self.redis() as client:
            return sum(len(client.xrange(f"sp:{{{shard:02d}}}:polling", entry, entry)) for shard, entry in held)

    def inventory(self, lines: Sequence[str], columns: str = "name,address,profile") -> None:
        """Replace the inventory, as an editor would."""
        new = self.where / ".inventory.csv.new"
        new.write_text("\n".join([columns, *lines, ""]))
        new.rename(self.where / "inventory.csv")

    def ready(self) -> bool:
        """Tell whether a worker has begun to read."""
        with self.redis() as client:
            return bool(client.exists("sp:workers"))


def command(*arguments: str, where: Path) -> list[str]:
    """Return the argv of a `streampoll` command on a configuration."""
    return [sys.executable, "-m", "streampoll", *arguments, "--config", str(where)]


def simulated(count: int, first: int = 0) -> list[str]:
    """Return inventory lines of the fleet's devices."""
    return [f"sim-{n:04},{device_address(n)},system" for n in range(first, first + count)]


@contextmanager
def deployment_of(where: Path, redis_url: str, dsn: str, **environ: str) -> Iterator[Deployment]:
    """Run commands on the configuration of a directory and servers ("": its own); end every process after the block."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STREAMPOLL_")}
    servers = {"STREAMPOLL_REDIS_URL": redis_url, "STREAMPOLL_POSTGRES_DSN": dsn}
    used = {name: url for name, url in servers.items() if url}
    deployment = Deployment(where, redis_url, dsn, {**clean, **used, "COLUMNS": "200", **environ})
    try:
        yield deployment
    finally:
        for running in deployment.running:
            running.end()
            print(f"--- {running.log.name}\n{running.said[-4000:]}")  # pytest shows it where the test failed


@contextmanager
def deployed(
    where: Path, redis_url: str, dsn: str, every: str = "3s", fleet: FleetSettings = FLEET, more: str = ""
) -> Iterator[Deployment]:
    """Write a configuration for a running fleet; end every process of it when the block ends."""
    with running_fleet(fleet) as answering:
        (where / "streampoll.toml").write_text(TOML.format(port=answering.port, every=every) + more)
        (where / "credentials.toml").write_text(CREDENTIALS)
        with deployment_of(where, redis_url, dsn, FLEET_COMMUNITY=fleet.community) as deployment:
            deployment.inventory(simulated(fleet.devices))
            yield deployment


def fix_port(server: EmbeddedRedis | EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an embedded server listen on one port whenever it is started, so that its URL stays the same."""
    port = server.port = free_port()
    module = sys.modules[type(server).__module__]
    monkeypatch.setattr(module, "on_free_port", lambda start: start(port))
