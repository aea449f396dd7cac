"""A whole deployment as a user runs it: fleet, Redis, PostgreSQL, `streampoll coordinator`, `streampoll worker`.

Measured from outside, over a window that begins when polls are being stored and a warm-up has passed: CPU by role from
/proc, rows by when they were stored, the verdict from `streampoll audit`. So start-up is in no figure, every guarantee
is on, and what counting takes is not in the window.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import redis

from benchmarks.rig.cores import divide, kept_apart
from benchmarks.rig.processes import Ended, end, tail, wait_until
from benchmarks.rig.roles import Memory, Roles, spent
from benchmarks.rig.servers import Servers, servers
from streampoll.app.redis_side import open_redis
from streampoll.config.load import load_settings
from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.embedded.fleet.process import spawn
from streampoll.embedded.process import tied_argv
from streampoll.shards.port import tick_of

T = TypeVar("T")

PROFILES = Path(__file__).resolve().parents[1] / "profiles"
START_S = 120.0  # a million devices are read from a file, and planned
DRAIN_S = 120.0
UNDONE = ("missing", "duplicates", "skipped", "expired", "lost")
"""Terms of an audit that are never a device's fault."""

SHORT = (*UNDONE, "failed", "partial")
"""All terms of an audit but those of polls that got everything."""

_LATEST_S = 300  # a row that is later is not counted: the soft limit of a poll
_STORED = """
SELECT count(*) FROM polls, LATERAL (SELECT slot + stored_ms * interval '1 millisecond' AS at) stored
WHERE at >= to_timestamp($1) AND at < to_timestamp($2) AND slot > to_timestamp($3)
"""
_LATENESS = """
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY stored_ms) FROM polls
WHERE slot >= to_timestamp($1) AND slot < to_timestamp($2) AND status < 2
"""
_TOML = """\
[jobs.bench]
every = {interval_s}

[shards]
count = {shards}

[coordinator]
grace_s = {grace_s}

[analysis]
enabled = {analysis}

[worker]
drain_s = 10

[paths]
profiles = "{profiles}"

[log]
level = "warning"
"""
_CREDENTIALS = """\
[credentials.default]
protocol = "snmp"
version = "2c"
community = { env = "COMMUNITY" }
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is deployed and polled."""

    devices: int = 1_000
    interval_s: int = 60
    profile: str = "get10"
    processes: int = 2
    concurrency: int = 1_000
    shards: int = 16
    coordinators: int = 1
    analysis: bool = False  # rates and rules of each poll too: work that no peer does
    fleet: FleetSettings = field(default_factory=lambda: FleetSettings(interfaces=(10, 10), latency_ms=(5, 250)))
    site: int = 0  # of the devices, so many (the last) are in a fleet of their own, which can be silenced


@dataclass(frozen=True, slots=True)
class Window:
    """What was done in a while of steady work."""

    since: int  # the first whole second of it, as slots are counted
    seconds: float
    polls: int  # rows stored
    cpu_s: Mapping[str, float]
    memory: Mapping[str, Memory]
    requests: float  # a poll
    varbinds: float  # a poll
    redis_reads: float  # a poll: how often Redis read what somebody had sent, 16 KB of it at the most

    @property
    def polls_per_s(self) -> float:
        """Rows stored a second."""
        return self.polls / self.seconds

    def cpu_us(self, roles: Sequence[str] = ("coordinator", "worker", "redis", "postgres")) -> float:
        """Return the CPU microseconds a poll of some roles together."""
        return 1e6 * sum(self.cpu_s[role] for role in roles) / self.polls if self.polls else 0.0


class Deployment:
    """Servers, fleets and processes of streampoll, running."""

    def __init__(
        self, shape: Shape, where: Path, servers: Servers, fleets: Sequence["subprocess.Popen[bytes]"], port: int
    ) -> None:
        self.shape = shape
        self.port = port  # of its (first) fleet
        self.servers = servers
        self.fleets = fleets
        self._where = where
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STREAMPOLL_")},
            "COMMUNITY": shape.fleet.community,
            "STREAMPOLL_REDIS_URL": servers.redis_url,
            "STREAMPOLL_POSTGRES_DSN": servers.dsn,
        }
        self.coordinators: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []

    # -- processes

    def start(self) -> None:
        """Start workers and coordinators, and wait until rows are stored."""
        self.start_workers(self.shape.processes)
        for _ in range(self.shape.coordinators):
            self.coordinators.append(self._start("coordinator"))
        wait_until(self._stores, START_S, f"the first row\n{self.said()}")

    def start_workers(self, processes: int) -> None:
        """Start a worker's parent with so many processes."""
        concurrency = ("--concurrency", str(self.shape.concurrency))
        self.workers.append(self._start("worker", "--processes", str(processes), *concurrency))

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        number = len(self.coordinators) + len(self.workers)
        with (self._where / f"{number}-{arguments[0]}.log").open("wb") as log:
            return subprocess.Popen(
                tied_argv(self._command(*arguments)), env=self._environ, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "streampoll", *arguments, "--config", str(self._where)]

    def stop(self) -> None:
        """End every process of streampoll."""
        for process in (*self.coordinators, *self.workers):
            end(process)

    def said(self) -> str:
        """Return what the processes have logged last."""
        return "\n".join(f"{log.name}: {text}" for log in sorted(self._where.glob("*.log")) if (text := tail(log)))

    @property
    def roles(self) -> Roles:
        """The processes by role, as they are now."""
        return Roles(
            {
                "coordinator": [each.pid for each in self.coordinators],
                "worker": [each.pid for each in self.workers],
                **self.servers.roles,
                "fleet": [each.pid for each in self.fleets],
            }
        )

    # -- measuring

    def measure(self, seconds: float, warm_s: float = 5.0) -> Window:
        """Watch for a while, after a warm-up."""
        time.sleep(warm_s)
        roles = self.roles
        counts, reads = self.counts(), self.redis_reads()
        cpu_s, began = roles.cpu_s(), time.time()
        time.sleep(seconds)
        spent_s, until = spent(cpu_s, roles.cpu_s()), time.time()
        reads, done = self.redis_reads() - reads, self.counts()
        polls = self.stored(began, until)
        done.subtract(counts)
        memory, counted = roles.memory(), max(done["polls"], 1)
        return Window(
            int(began) + 1, until - began, polls, spent_s, memory, round(done["requests"] / counted, 2),
            round(done["varbinds"] / counted, 2), round(reads / max(polls, 1), 3),
        )  # fmt: skip

    def settle(self, since: int) -> dict[str, Any]:
        """Stop dispatching, wait for the last row, and return what `audit --json` says of the slots since then."""
        for process in self.coordinators:
            end(process)
        wait_until(self._drained, DRAIN_S, f"the last row\n{self.said()}")
        return self.audit(since)

    def audit(self, since: int) -> dict[str, Any]:
        """Return what `audit --json` says of the slots since then that are finished."""
        command = self._command("audit", "--since", str(since), "--json")
        done = subprocess.run(command, env=self._environ, stdout=subprocess.PIPE, check=False)
        if not done.stdout:
            raise Ended(f"audit ended with {done.returncode} and no figures")
        verdict: dict[str, Any] = json.loads(done.stdout)
        return verdict

    def rows(self) -> int:
        """Return how many polls are stored."""
        return int(self.query("SELECT count(*) FROM polls")[0][0])

    def stored(self, since: float, until: float) -> int:
        """Return how many polls were stored in a while, by the time that their rows bear."""
        return int(self.query(_STORED, since, until, since - self.shape.interval_s - _LATEST_S)[0][0])

    def lateness_p50_s(self, since: float, until: float) -> float | None:
        """Return how late half of the polls of these slots were, of those that got an answer; None if none did."""
        late_ms = self.query(_LATENESS, since, until)[0][0]
        return None if late_ms is None else float(late_ms) / 1000

    def redis_reads(self) -> int:
        """Return how often Redis has read from its clients: round trips, but that large ones count as several."""
        with redis.Redis.from_url(self.servers.redis_url) as client:
            return int(client.info("stats")["total_reads_processed"])

    def answered(self) -> int:
        """Return how many polls are stored that got all they asked for."""
        return int(self.query("SELECT count(*) FROM polls WHERE status = 0")[0][0])

    def payloads(self) -> list[bytes]:
        """Return the payloads of these polls."""
        return [row["payload"] for row in self.query("SELECT payload FROM polls WHERE status = 0")]

    def query(self, statement: str, *arguments: object) -> list[Any]:
        """Ask PostgreSQL."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.servers.dsn)
            try:
                return list(await connection.fetch(statement, *arguments))
            finally:
                await connection.close()

        return _run(ask())

    def counts(self) -> Counter[str]:
        """Return polls, requests and varbinds of the living workers, as they last published them."""

        async def ask() -> Counter[str]:
            async with open_redis(load_settings(self._where, self._environ)) as side:
                workers = await side.presence.workers()
                said = await side.presence.figures([worker.id for worker in workers])
            counts: Counter[str] = Counter()
            for polls in (each["polls"] for each in said if each and "polls" in each):
                counts["polls"] += sum(polls["by_status"].values())
                counts["requests"] += polls["requests"]
                counts["varbinds"] += polls["varbinds"]
            return counts

        return _run(ask())

    def _stores(self) -> bool:
        for process in (*self.coordinators, *self.workers):
            if process.poll() is not None:
                raise Ended(f"a process ended with exit code {process.returncode}:\n{self.said()}")
        try:
            return self.rows() > 0
        except (asyncpg.PostgresError, OSError):  # no schema yet
            return False

    def _drained(self) -> bool:
        async def ask() -> bool:
            async with open_redis(load_settings(self._where, self._environ)) as side:
                figures = await side.streams.figures(range(self.shape.shards))
                return not any(shard.open for shard in figures)

        return _run(ask())

    # -- who leads

    def leader_pid(self) -> int:
        """Return the pid of the leading coordinator's process; its id is host-pid-random."""

        async def ask() -> int:
            async with open_redis(load_settings(self._where, self._environ)) as side:
                leader = await side.presence.leader()
            return int(leader[0].split("-")[-2]) if leader else 0

        wait_until(lambda: _run(ask()), START_S, "a leader")
        return _run(ask())

    def last_tick(self) -> int:
        """Return the last tick that was dispatched in any shard."""

        async def ask() -> int:
            async with open_redis(load_settings(self._where, self._environ)) as side:
                progress = await side.streams.progress(range(self.shape.shards))
            return max((tick_of(each.mark) for jobs in progress for each in jobs.values()), default=0)

        return _run(ask())

    # -- trouble

    def silence_site(self) -> None:
        """Take the site away at once, as a cut line does: no answer, no ICMP error."""
        self.fleets[-1].send_signal(signal.SIGSTOP)


@contextmanager
def deployed(shape: Shape, where: Path, shared: Servers | None = None, port: int = 0) -> Iterator[Deployment]:
    """Configure and run a deployment as long as the block; nothing of it is left.

    Servers may be shared with what ran before it, and so may a fleet: `port` is that of one that answers already.
    """
    with ExitStack() as stack:
        stack.enter_context(kept_apart())
        counts = [shape.devices - shape.site, shape.site] if shape.site else [shape.devices]
        fleets = [] if port else [stack.enter_context(fleet_of(shape.fleet, count)) for count in counts]
        ports = [port] if port else [each for _, each in fleets]
        configuration = where / "conf"
        configuration.mkdir()
        configure(configuration, shape, counts, ports)
        running = shared or stack.enter_context(servers(where))
        deployment = Deployment(shape, configuration, running, [process for process, _ in fleets], ports[0])
        stack.callback(deployment.stop)
        deployment.start()
        yield deployment


@contextmanager
def fleet_of(settings: FleetSettings, devices: int) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Run a fleet as long as the block, on cores of its own where there are enough; yield its process and port."""
    cores = divide()
    run = spawn(FleetSettings(**{**_fields(settings), "devices": devices}))
    with subprocess.Popen(run.arguments, env={**os.environ, **run.environment}, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise Ended(f"the simulated fleet ended at once with exit code {process.wait()}")
            if cores.apart:
                Roles({"fleet": [process.pid]}).pin("fleet", cores.others)
            yield process, json.loads(line)["port"]
        finally:
            process.kill()  # it may be stopped


def _fields(settings: FleetSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in FleetSettings.__slots__}


def configure(where: Path, shape: Shape, counts: Sequence[int], ports: Sequence[int]) -> None:
    """Write the configuration of a fleet whose parts answer on these ports."""
    toml = _TOML.format(
        interval_s=shape.interval_s, shards=shape.shards, grace_s=min(10, shape.interval_s), profiles=PROFILES,
        analysis=str(shape.analysis).lower(),
    )  # fmt: skip
    (where / "streampoll.toml").write_text(toml)
    (where / "credentials.toml").write_text(_CREDENTIALS)
    of_device = [port for count, port in zip(counts, ports, strict=True) for _ in range(count)]
    with (where / "inventory.csv").open("w") as file:
        file.write("name,address,port,profile\n")
        file.writelines(f"sim-{n:07},{device_address(n)},{port},{shape.profile}\n" for n, port in enumerate(of_device))


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner() as runner:
        return runner.run(work)
