"""No-op tasks a second through one worker process, and how late a lone task is: streampoll's streams and task queues.

Each peer runs in its own environment on the same Redis, with one worker process: asynchronous ones with 100 tasks at a
time, Celery as a prefork worker of one process, dramatiq with its 8 threads; results are kept nowhere. Tasks are sent
before the worker starts; the rate is that from the tenth to the ninetieth hundredth of them, CPU that of worker and
Redis meanwhile. Latency is from before the call that sends one task to its run, of 500, one each 20 ms. Then the same
through a proxy that makes a round trip to Redis last two milliseconds, for sender and worker. At last streampoll alone:
tasks that wait for 100 ms, 512 at a time, and what share of the 5,120 a second it is that would be ideal.
"""

import argparse
import mmap
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis

from benchmarks.rig.delay import delayed
from benchmarks.rig.environments import APPS, TOP, MissingPeer, peer_environment
from benchmarks.rig.figures import median, quantile, ratio
from benchmarks.rig.plot import Bars
from benchmarks.rig.processes import Ended, running, tail, wait_until
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from benchmarks.rig.roles import Roles, spent
from benchmarks.rig.servers import redis_alone, redis_version, room
from streampoll.embedded.redis import EmbeddedRedis

OURS = "streampoll"
START_S, RUN_S = 60.0, 180.0
ONE_WAY_S = 0.001
_RECORD = struct.Struct("dd")
_LONE, _FIRST = 500, 10  # tasks of which latency is measured; and of those before, for which connections are made
AT_ONCE = 100  # tasks of the asynchronous: saq, streaq and arq have it in their scripts, taskiq by default
NAP_S, NAPS_AT_ONCE, NAPS = 0.1, 512, 20_480
_GAP_S = 0.02


@dataclass(frozen=True, slots=True)
class Peer:
    """How a system's worker is started, and about what it does a second."""

    worker: tuple[str, ...]  # arguments of its Python
    script: tuple[str, ...]  # of what sends
    per_s: int  # so many tasks for each second asked for
    packages: tuple[str, ...] = ()


def _of(name: str, worker: Sequence[str], per_s: int, *packages: str) -> Peer:
    return Peer(tuple(worker), (str(APPS / f"noop_{name}.py"),), per_s, (name, *packages))


PEERS = {
    OURS: Peer(("-m", "benchmarks.contenders.noop", "worker"), ("-m", "benchmarks.contenders.noop"), 20_000),
    "celery": _of("celery", ("-m", "celery", "-A", "noop_celery", "worker", "-c1", "-lWARNING"), 500, "kombu", "redis"),
    "dramatiq": _of("dramatiq", ("-m", "dramatiq", "noop_dramatiq", "-p1"), 1_500, "redis"),
    "taskiq": _of(
        "taskiq", ("-m", "taskiq", "worker", "noop_taskiq:broker", "-w1", "--log-level=ERROR"), 1_000, "taskiq-redis"
    ),
    "saq": _of("saq", ("-m", "saq", "noop_saq.settings"), 1_000, "redis"),
    "streaq": _of("streaq", ("-m", "streaq", "run", "noop_streaq:worker"), 700, "coredis"),
    "arq": _of("arq", ("-m", "arq", "noop_arq.WorkerSettings"), 800, "redis"),
}


class Tally:
    """What has run, as the tasks note it in shared memory."""

    def __init__(self, path: Path, tasks: int) -> None:
        self.path = path
        with path.open("wb") as file:
            file.truncate(_RECORD.size * tasks)
        with path.open("rb") as file:
            self._seen = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._count = 0

    def count(self) -> int:
        """Return how many have run; they are noted in order."""
        size = _RECORD.size
        while self._count * size < len(self._seen) and _RECORD.unpack_from(self._seen, self._count * size)[0]:
            self._count += 1
        return self._count

    def records(self) -> list[tuple[float, float]]:
        """Return (done, sent) of each task that has run."""
        found = [_RECORD.unpack_from(self._seen, number * _RECORD.size) for number in range(self.count())]
        return sorted((done, sent) for done, sent in found)


class Bench:
    """One system on one way to Redis."""

    def __init__(self, name: str, where: Path, server: EmbeddedRedis, port: int) -> None:
        self._peer, self._where, self._server = PEERS[name], where, server
        environment = None if name == OURS else peer_environment(name)
        self._python = sys.executable if environment is None else str(environment.python)
        self.versions = (
            {} if environment is None else {each: environment.versions[each] for each in self._peer.packages}
        )
        self._environ = {
            "BROKER_URL": server.url.reveal().replace(f":{server.port}/", f":{port}/"),
            "PYTHONPATH": str(TOP if environment is None else APPS),
            "TALLY": str(where / "tally"),
            "CONCURRENCY": str(AT_ONCE),
        }

    def throughput(self, seconds: float) -> dict[str, float]:
        """Send tasks, then start the worker; return tasks a second and CPU microseconds of each."""
        count = max(100, int(self._peer.per_s * seconds))
        tally = self._fresh(count)
        self._send(count, 0.0)
        with self._worker() as worker:
            roles = Roles({"worker": [worker.pid], "redis": [self._server.pid]})
            at_10 = self._until(lambda: tally.count() >= count // 10, START_S, roles)
            first = tally.count()
            at_90 = self._until(lambda: tally.count() >= count * 9 // 10, RUN_S, roles)
            done = tally.count() - first
        records = tally.records()
        early, late = records[count // 10][0], records[count * 9 // 10 - 1][0]
        used = spent(at_10, at_90)
        return {
            "tasks_per_s": round((count * 9 // 10 - 1 - count // 10) / (late - early), 1),
            "cpu_us_worker": round(1e6 * used["worker"] / max(done, 1), 1),
            "cpu_us_redis": round(1e6 * used["redis"] / max(done, 1), 1),
        }

    def latency(self) -> dict[str, float | None]:
        """Send lone tasks to an idle worker; return milliseconds from call to run."""
        count = 1 + _FIRST + _LONE
        tally = self._fresh(count)
        with self._worker():
            self._send(1, 0.0)
            wait_until(lambda: tally.count() >= 1, START_S, f"the worker\n{tail(self._log)}")
            self._send(_FIRST + _LONE, _GAP_S)
            wait_until(lambda: tally.count() >= count, START_S, "lone tasks")
            late = [1000 * (done - sent) for done, sent in tally.records()[1 + _FIRST :]]
        return {"latency_p50_ms": median(late, 2), "latency_p99_ms": round(quantile(late, 0.99) or 0.0, 2)}

    def naps(self) -> dict[str, float]:
        """Have many tasks wait at a time; return tasks a second and their share of what would be ideal."""
        self._environ["CONCURRENCY"] = str(NAPS_AT_ONCE)
        tally = self._fresh(NAPS)
        self._send(NAPS, 0.0, "nap")
        with self._worker():
            wait_until(lambda: tally.count() >= NAPS, START_S, f"tasks that wait\n{tail(self._log)}")
        done = [each for each, _ in tally.records()]
        per_s = (NAPS * 8 // 10) / (done[NAPS * 9 // 10] - done[NAPS // 10])
        return {"tasks_per_s": round(per_s, 1), "share_of_ideal": round(per_s * NAP_S / NAPS_AT_ONCE, 3)}

    @property
    def _log(self) -> Path:
        return self._where / "worker.log"

    def _fresh(self, tasks: int) -> Tally:
        with redis.Redis.from_url(self._server.url.reveal()) as client:
            client.flushall()
        return Tally(self._where / "tally", tasks)

    def _send(self, count: int, gap_s: float, *name: str) -> None:
        command = [self._python, *self._peer.script, str(count), str(gap_s), *name]
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(self._where), **self._environ}
        done = subprocess.run(command, env=environ, cwd=self._where, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Ended(f"sending ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")

    @contextmanager
    def _worker(self) -> Iterator["subprocess.Popen[bytes]"]:
        with running([self._python, *self._peer.worker], self._log, self._environ, self._where) as worker:
            yield worker

    def _until(self, done: Callable[[], bool], limit_s: float, roles: Roles) -> dict[str, float]:
        """Wait for something; return the CPU spent up to then."""
        wait_until(done, limit_s, f"tasks\n{tail(self._log)}")
        return roles.cpu_s()


def measured(name: str, bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Run the rounds of one system on one way; return medians."""
    rounds = [bench.throughput(options.seconds) for _ in range(options.rounds)]
    found: dict[str, Any] = {key: median(one[key] for one in rounds) for key in rounds[0]}
    found |= bench.latency()
    progress(f"{name}: {found['tasks_per_s']:,.0f} tasks/s, {found['latency_p50_ms']} ms")
    return found


def round_trip_ms(server: EmbeddedRedis, port: int) -> float:
    """Return the median round trip of a PING through a port."""
    url = server.url.reveal().replace(f":{server.port}/", f":{port}/")

    def once(client: "redis.Redis") -> float:
        began = time.perf_counter()
        client.ping()
        return 1000 * (time.perf_counter() - began)

    with redis.Redis.from_url(url) as client:
        return median([once(client) for _ in range(100)], 2)


def main(argv: list[str]) -> int:
    """Run the benchmark; 1 if streampoll itself could not be measured."""
    options = parse(argv)
    found: dict[str, dict[str, Any]] = {"loopback": {}, "two_ms": {}}
    naps: dict[str, float] = {}
    missing: dict[str, str] = {}
    versions: dict[str, str] = {}
    trips: dict[str, float] = {}
    with room() as where, redis_alone(where) as server, ExitStack() as stack:
        versions["redis-server"] = redis_version(server)
        for way in options.ways:
            proxy = delayed(server.port, ONE_WAY_S) if way == "two_ms" else nullcontext(server.port)
            port = stack.enter_context(proxy)
            trips[way] = round_trip_ms(server, port)
            for name in options.peers:
                try:
                    bench = Bench(name, where, server, port)
                    versions |= {each: version for each, version in bench.versions.items() if each != "redis"}
                    found[way][name] = measured(name, bench, options)
                except (MissingPeer, Ended) as why:
                    missing[name] = " ".join(str(why).split())
                    progress(f"{name}: missing: {missing[name]}")
        if OURS in options.peers:
            try:
                naps = Bench(OURS, where, server, server.port).naps()
            except Ended as why:
                missing["naps"] = " ".join(str(why).split())
    report = report_of(found, trips, missing, versions)
    emit(replace(report, metrics={**report.metrics, "naps": naps}, tables=[*report.tables, *nap_tables(naps)]), options)
    return 0 if not {OURS, "naps"} & missing.keys() else 1


def report_of(
    found: dict[str, dict[str, Any]], trips: dict[str, float], missing: dict[str, str], versions: dict[str, str]
) -> Report:
    """Put the systems side by side."""
    against = {
        way: {
            name: {
                "tasks_per_s": ratio(each[OURS]["tasks_per_s"], of["tasks_per_s"], 1),
                "cpu": ratio(of["cpu_us_worker"] + of["cpu_us_redis"], _cpu_us(each[OURS]), 1),
            }
            for name, of in each.items()
            if OURS in each and name != OURS
        }
        for way, each in found.items()
    }
    columns = ("", "tasks/s", "streampoll is", "us worker", "us Redis", "streampoll's CPU is 1 in", "p50 ms", "p99 ms")
    tables = [
        Table(
            f"no-op tasks, round trip of {trips[way]} ms to Redis",
            columns,
            [
                (
                    name, of["tasks_per_s"], against[way].get(name, {}).get("tasks_per_s"), of["cpu_us_worker"],
                    of["cpu_us_redis"], against[way].get(name, {}).get("cpu"), of["latency_p50_ms"],
                    of["latency_p99_ms"],
                )
                for name, of in each.items()
            ],
        )
        for way, each in found.items()
        if each
    ]  # fmt: skip
    plots = [
        Bars(
            f"queue-{way.replace('_', '-')}",
            f"No-op tasks a second, one worker process, round trip {trips[way]} ms",
            "tasks a second, logarithmic",
            {name: of["tasks_per_s"] for name, of in each.items()},
            logarithmic=True,
        )
        for way, each in found.items()
        if each
    ]
    metrics = {**found, "ratio": against, "round_trip_ms": trips}
    return Report("queue", metrics, tables, list(plots), missing, versions)


def nap_tables(naps: dict[str, float]) -> list[Table]:
    """Show how near to the ideal tasks that wait come."""
    title = f"streampoll's tasks that wait for {NAP_S:g} s, {NAPS_AT_ONCE} at a time"
    columns = ("tasks/s", "ideal", "share of it")
    if not naps:
        return []
    return [Table(title, columns, [(naps["tasks_per_s"], NAPS_AT_ONCE / NAP_S, naps["share_of_ideal"])])]


def _cpu_us(of: dict[str, Any]) -> float:
    return float(of["cpu_us_worker"] + of["cpu_us_redis"])


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of work that each is sent, roughly (default 4)")
    parser.add_argument("--rounds", type=int, default=3, help="of throughput (default 3)")
    parser.add_argument(
        "--peers", nargs="+", choices=list(PEERS), default=list(PEERS), metavar="NAME", help="only these"
    )
    ways = ("loopback", "two_ms")
    parser.add_argument("--ways", nargs="+", choices=ways, default=list(ways), metavar="WAY", help=", ".join(ways))
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
