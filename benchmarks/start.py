"""The start: from `streampoll coordinator` and `streampoll worker` with a large inventory to the first poll.

Redis and PostgreSQL run, the schema is there, and nothing was ever dispatched. Both commands are started at once; the
first poll is the first datagram that arrives where the devices are said to be, which is a socket of ours. Wall time is
told beside the coordinator's CPU time up to then: on a machine that does something else too the latter counts. PSS is
that of the coordinator once it dispatches.

    bin/bench start                                 100,000 devices from CSV and from JSON, three times each
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rig.figures import mb, median
from benchmarks.rig.processes import Ended, running, tail
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from benchmarks.rig.roles import Roles
from benchmarks.rig.servers import room, servers

FORMATS = ("csv", "json")
_LIMIT_S = 60.0
_SETTLED_S = 3.0  # ticks after the first poll, before memory is read
_TOML = """\
[jobs.bench]
every = {interval_s}

[paths]
inventory = ["inventory.{suffix}"]

[log]
level = "warning"
"""
_CREDENTIALS = """\
[credentials.default]
protocol = "snmp"
version = "2c"
community = { env = "COMMUNITY" }
"""
_COLUMNS = ("name", "address", "port", "profile", "credential", "site", "role", "vendor", "groups", "tags")


@dataclass(frozen=True, slots=True)
class Start:
    """One start."""

    first_poll_s: float
    coordinator_cpu_s: float  # until then
    worker_cpu_s: float
    coordinator_pss_bytes: int
    coordinator_tick_cpu_s: float  # a second of dispatch after it


def write_inventory(where: Path, suffix: str, devices: int, port: int) -> None:
    """Write an inventory as a fleet's is: a few hundred sites, a handful of everything else."""
    rows = [
        (
            f"sim-{n:07}", f"127.{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}", port, "system", "default",
            f"site-{n % 400}", "access" if n % 10 else "core", "cisco" if n % 3 else "juniper",
            ["campus", f"floor-{n % 7}"], ["prod"],
        )
        for n in range(devices)
    ]  # fmt: skip
    with (where / f"inventory.{suffix}").open("w") as file:
        if suffix == "json":
            json.dump([dict(zip(_COLUMNS, row, strict=True)) for row in rows], file)
            return
        file.write(",".join(_COLUMNS) + "\n")
        cells = ((";".join(cell) if isinstance(cell, list) else str(cell) for cell in row) for row in rows)
        file.writelines(",".join(line) + "\n" for line in cells)


def configure(where: Path, suffix: str, devices: int, port: int) -> None:
    """Write a configuration that polls each device once a minute."""
    where.mkdir()
    (where / "streampoll.toml").write_text(_TOML.format(interval_s=60, suffix=suffix))
    (where / "credentials.toml").write_text(_CREDENTIALS)
    write_inventory(where, suffix, devices, port)


@contextmanager
def _agents() -> Iterator[socket.socket]:
    """Hear every device at once: on Linux all of 127.0.0.0/8 is this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("", 0))
        heard.settimeout(_LIMIT_S)
        yield heard


def start(suffix: str, devices: int) -> Start:
    """Start once, on servers of its own."""
    with ExitStack() as stack:
        where, agents = stack.enter_context(room()), stack.enter_context(_agents())
        served = stack.enter_context(servers(where))
        configure(where / "conf", suffix, devices, agents.getsockname()[1])
        environ = {
            "COMMUNITY": "public", "STREAMPOLL_REDIS_URL": served.redis_url, "STREAMPOLL_POSTGRES_DSN": served.dsn,
        }  # fmt: skip
        subprocess.run(_command(where / "conf", "migrate"), env=os.environ | environ, check=True, stdout=sys.stderr)
        began = time.monotonic()
        commands = {"coordinator": ("coordinator",), "worker": ("worker", "--processes", "1")}
        started = {
            role: stack.enter_context(running(_command(where / "conf", *words), where / f"{role}.log", environ))
            for role, words in commands.items()
        }
        try:
            agents.recv(4096)
        except TimeoutError:
            said = "\n".join(tail(where / f"{role}.log") for role in commands)
            raise Ended(f"no poll within {_LIMIT_S:g} s\n{said}") from None
        took_s = time.monotonic() - began
        roles = Roles({role: [process.pid] for role, process in started.items()})
        return _measured(took_s, roles)


def _measured(took_s: float, roles: Roles) -> Start:
    cpu_s = roles.cpu_s()
    time.sleep(_SETTLED_S)
    tick_s = (roles.cpu_s()["coordinator"] - cpu_s["coordinator"]) / _SETTLED_S
    pss = roles.memory()["coordinator"].pss_bytes
    return Start(took_s, cpu_s["coordinator"], cpu_s["worker"], pss, tick_s)


def _command(where: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "streampoll", *words, "--config", str(where)]


def figures(starts: Sequence[Start]) -> dict[str, float]:
    """Return the medians."""
    return {
        "first_poll_s": median((each.first_poll_s for each in starts), 2),
        "coordinator_cpu_s": median((each.coordinator_cpu_s for each in starts), 2),
        "worker_cpu_s": median((each.worker_cpu_s for each in starts), 2),
        "coordinator_pss_mb": mb(median((each.coordinator_pss_bytes for each in starts), 0)),
        "tick_cpu_ms": median((1000 * each.coordinator_tick_cpu_s for each in starts), 1),
    }


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    parser = parser_of(__doc__)
    parser.add_argument("--devices", type=int, default=100_000, help="in the inventory (default 100,000)")
    parser.add_argument(
        "--formats", nargs="+", choices=FORMATS, default=FORMATS, help="of the inventory (default both)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="starts of each (default 3)")
    options = parser.parse_args(argv)
    found = {}
    for suffix in options.formats:
        found[suffix] = figures([_told(suffix, options) for _ in range(options.rounds)])
    columns = ("inventory", *next(iter(found.values())))
    rows = [(suffix, *each.values()) for suffix, each in found.items()]
    table = Table(f"start to the first poll, {options.devices:,} devices", columns, rows)
    emit(Report("start", {"devices": options.devices, **found}, [table]), options)
    return 0


def _told(suffix: str, options: argparse.Namespace) -> Start:
    done = start(suffix, options.devices)
    progress(f"{suffix}: first poll after {done.first_poll_s:.2f} s, {done.coordinator_cpu_s:.2f} s of CPU")
    return done


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
