"""Devices polled for each second of CPU: streampoll and what else is used for it, same devices, same values.

Each asks ten values of a device with one GET of SNMP v2c, of the same simulated fleet, in the same run, one after the
other; the fleet's CPU counts for nobody, that of everything else does:

    streampoll                coordinator, workers, Redis, PostgreSQL: a row a poll
    celery + pysnmp           a dispatcher, prefork workers, Redis, PostgreSQL: a task and a row a poll
    celery + snmpget          the same, with net-snmp's snmpget forked for each device
    snmp_exporter             the exporter alone, scraped over kept connections: nothing is stored
    collectd                  its plugin snmp: rows in CSV files; sysName's place is taken by a counter
    spine                     Cacti's poller with MariaDB: one GET of ten values a device

A figure is the median of the rounds, a ratio that of medians. What is not installed is named as missing.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.contenders.celery import celery_pysnmp, celery_snmpget
from benchmarks.contenders.collectd import collectd
from benchmarks.contenders.ground import Contender, Ground, Sample, sample
from benchmarks.contenders.snmp_exporter import snmp_exporter
from benchmarks.contenders.spine import spine
from benchmarks.contenders.streampoll import streampoll
from benchmarks.rig.cores import divide
from benchmarks.rig.deployment import fleet_of
from benchmarks.rig.environments import MissingPeer
from benchmarks.rig.figures import each_us, median, ratio
from benchmarks.rig.plot import Bars
from benchmarks.rig.processes import Ended
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from benchmarks.rig.roles import Roles
from benchmarks.rig.servers import room, servers
from streampoll.embedded.fleet import FleetSettings

FLEET = FleetSettings(interfaces=(10, 10), latency_ms=(1, 5))
OURS = "streampoll"
OWN = ("coordinator", "worker")
PEERS: dict[str, Contender] = {
    OURS: streampoll,
    "celery + pysnmp": celery_pysnmp,
    "celery + snmpget": celery_snmpget,
    "snmp_exporter": snmp_exporter,
    "collectd": collectd,
    "spine": spine,
}
STORES = {OURS: "PostgreSQL", "celery + pysnmp": "PostgreSQL", "celery + snmpget": "PostgreSQL",
          "snmp_exporter": "nothing", "collectd": "CSV files", "spine": "MariaDB"}  # fmt: skip


def main(argv: list[str]) -> int:
    """Run the benchmark; 1 if streampoll itself could not be measured."""
    options = parse(argv)
    missing: dict[str, str] = {}
    versions: dict[str, str] = {}
    samples: dict[str, list[Sample]] = {}
    with room() as where, servers(where) as both, fleet_of(FLEET, options.devices) as (fleet, port):
        cores = divide(least_ours=2)
        if cores.apart:
            Roles({"fleet": [fleet.pid]}).pin("fleet", cores.others)
        for name in options.peers:
            directory = where / name.replace(" ", "")
            directory.mkdir()
            ground = Ground(directory, both, port, FLEET.community, options.devices, options.rate)
            try:
                samples[name] = _measured(name, ground, options, versions)
            except (MissingPeer, Ended) as why:
                missing[name] = " ".join(str(why).split())
                progress(f"{name}: missing: {why}")
    emit(report_of(samples, missing, versions), options)
    return 0 if OURS in samples else 1


def _measured(name: str, ground: Ground, options: argparse.Namespace, versions: dict[str, str]) -> list[Sample]:
    """Run one contender; return a sample a round."""
    with ExitStack() as stack:
        runner = stack.enter_context(PEERS[name](ground))
        versions.update(runner.versions)
        time.sleep(options.warm)
        found = [sample(runner, lambda: _wait(options.seconds)) for _ in range(options.rounds)]
    per_core = statistics.median(one.per_core_s() for one in found)
    progress(f"{name}: {sum(one.devices for one in found):,} devices, {per_core:,.0f} a core-second")
    return found


def _wait(seconds: float) -> float:
    began = time.monotonic()
    time.sleep(seconds)
    return time.monotonic() - began


def figures(name: str, found: Sequence[Sample]) -> dict[str, Any]:
    """Sum the rounds of one contender up."""
    devices = sum(one.devices for one in found)
    cpu_s = {role: sum(one.cpu_s[role] for one in found) for role in found[0].cpu_s}
    return {
        "devices_per_core_s": median(one.per_core_s() for one in found),
        "devices_per_s": median(one.devices / one.seconds for one in found),
        "cpu_us_per_device": each_us(cpu_s, devices),
        "cpu_us_per_device_total": round(1e6 * sum(cpu_s.values()) / devices, 1) if devices else None,
        "devices": devices,
        "stores": STORES[name],
    }


def ratios(samples: dict[str, list[Sample]]) -> dict[str, dict[str, float | None]]:
    """Return streampoll / peer in devices a core-second: all its processes, and its own without the servers."""
    if OURS not in samples:
        return {}
    ours = statistics.median(one.per_core_s() for one in samples[OURS])
    own = statistics.median(one.per_core_s(*OWN) for one in samples[OURS])
    per_core = {name: statistics.median(one.per_core_s() for one in found) for name, found in samples.items()}
    return {
        name: {"everything": ratio(ours, theirs, 1 if ours > 10 * theirs else 2), "own_processes": ratio(own, theirs)}
        for name, theirs in per_core.items()
        if name != OURS
    }


def report_of(samples: dict[str, list[Sample]], missing: dict[str, str], versions: dict[str, str]) -> Report:
    """Put the contenders side by side."""
    found = {name: figures(name, rounds) for name, rounds in samples.items()}
    against = ratios(samples)
    rows = [
        (
            name, of["devices_per_core_s"], of["cpu_us_per_device_total"],
            against.get(name, {}).get("everything"), against.get(name, {}).get("own_processes"), of["stores"],
            ", ".join(f"{role} {spent:,.0f}" for role, spent in of["cpu_us_per_device"].items()),
        )
        for name, of in found.items()
    ]  # fmt: skip
    columns = ("", "devices a core-s", "CPU us each", "streampoll is", "its own alone", "stored in", "CPU us by role")
    plot = Bars(
        "peers", "Devices polled for each second of CPU (ten values, one GET)", "devices a core-second, logarithmic",
        {name: of["devices_per_core_s"] for name, of in found.items()}, logarithmic=True,
    )  # fmt: skip
    metrics = {"ratio": {name: each["everything"] for name, each in against.items()}, "ratios": against, "peers": found}
    return Report("peers", metrics, [Table("devices for each second of CPU", columns, rows)], [plot], missing, versions)


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="of one round (default 8)")
    parser.add_argument("--rounds", type=int, default=3, help="of each contender (default 3)")
    parser.add_argument("--warm", type=float, default=5, help="seconds before the first round (default 5)")
    parser.add_argument("--rate", type=int, default=2_000, help="devices a second that streampoll polls (default 2000)")
    parser.add_argument("--devices", type=int, default=1_000, help="that the others poll in turn (default 1000)")
    parser.add_argument(
        "--peers", nargs="+", choices=list(PEERS), default=list(PEERS), metavar="NAME", help="only these"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
