"""Devices polled for each second of CPU: streampoll and what else is used for it, same fleet, same values.

Each asks the same of a device in SNMP v2c (get10: one GET of ten values; walk90: these, and eight columns of ten
interfaces), of the same simulated fleet, in the same run, one after the other; the fleet's CPU counts for nobody, that
of everything else does:

    streampoll                coordinator, workers, Redis, PostgreSQL: a row a poll
    celery + pysnmp           a dispatcher, prefork workers, Redis, PostgreSQL: a task and a row a poll
    celery + snmpget          the same, with net-snmp's commands forked: snmpget, an snmpbulkget a table
    snmp_exporter             the exporter alone, scraped over kept connections: nothing is stored
    collectd                  its plugin snmp: rows in CSV files; sysName's place is taken by a counter
    spine                     Cacti's poller with MariaDB: one GET of ten values a device; it walks no tables

streampoll polls the fleet's devices at a rate, ten times as many as that has a second; the others poll the first of
them in turn. A figure is the median of the rounds, a ratio that of medians. What is not installed is named as missing.
Afterwards the values of what was counted are counted: a contender that did not bring all of each device, whose polls
failed (one in a hundred, in streampoll's audit too) or that did not run to the end has no figure, and the exit code
is 1.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import asyncpg

from benchmarks.contenders.celery import celery_pysnmp, celery_snmpget
from benchmarks.contenders.collectd import collectd
from benchmarks.contenders.ground import Contender, Ground, Sample, Short, asked, sample, verify
from benchmarks.contenders.snmp_exporter import snmp_exporter
from benchmarks.contenders.spine import spine
from benchmarks.contenders.streampoll import streampoll
from benchmarks.rig.cores import kept_apart
from benchmarks.rig.deployment import fleet_of
from benchmarks.rig.environments import MissingPeer
from benchmarks.rig.figures import each_us, median, ratio
from benchmarks.rig.plot import Bars
from benchmarks.rig.processes import Ended
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from benchmarks.rig.servers import room, servers
from streampoll.embedded.fleet import FleetSettings

INTERFACES = 10
FLEET = FleetSettings(interfaces=(INTERFACES, INTERFACES), latency_ms=(1, 5))
RATES = {"get10": 2_000, "walk90": 1_000}  # devices a second that streampoll polls, by what is asked
ASKS = {"get10": "ten values, one GET", "walk90": "ten values and a table of 80"}
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
    """Run the benchmark; 1 if streampoll itself could not be measured, or anybody did not bring what was asked."""
    options = parse(argv)
    missing: dict[str, str] = {}
    short = False
    versions: dict[str, str] = {}
    samples: dict[str, list[Sample]] = {}
    with kept_apart(), room() as where, servers(where) as both, fleet_of(FLEET, options.devices) as (_, port):
        for name in options.peers:
            directory = where / name.replace(" ", "")
            directory.mkdir()
            asks = asked(options.load, INTERFACES)
            ground = Ground(directory, both, port, FLEET.community, options.devices, options.rate, asks)
            try:
                samples[name] = _measured(name, ground, options, versions)
            except (MissingPeer, Ended, Short, OSError, subprocess.SubprocessError, asyncpg.PostgresError) as why:
                short = short or not isinstance(why, MissingPeer)
                missing[name] = " ".join(str(why).split())
                progress(f"{name}: missing: {why}")
    emit(report_of(samples, missing, versions, options.load), options)
    return 0 if OURS in samples and not short else 1


def _measured(name: str, ground: Ground, options: argparse.Namespace, versions: dict[str, str]) -> list[Sample]:
    """Run one contender; return a sample a round.

    Raises:
        Short: what it brought is less than was asked.
    """
    with ExitStack() as stack:
        runner = stack.enter_context(PEERS[name](ground))
        versions.update(runner.versions)
        time.sleep(options.warm)
        found = [sample(runner, options.seconds) for _ in range(options.rounds)]
        verify(runner, ground.asked.values, found)
    per_core = statistics.median(one.per_core_s() for one in found)
    progress(f"{name}: {sum(one.devices for one in found):,} devices, {per_core:,.0f} a core-second")
    return found


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
        "failed": sum(one.failed for one in found),
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


def report_of(samples: dict[str, list[Sample]], missing: dict[str, str], versions: dict[str, str], load: str) -> Report:
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
        f"peers-{load}", f"Devices polled for each second of CPU ({ASKS[load]})", "devices a core-second, logarithmic",
        {name: of["devices_per_core_s"] for name, of in found.items()}, logarithmic=True,
    )  # fmt: skip
    metrics = {
        "load": load, "values_per_device": asked(load, INTERFACES).values,
        "ratio": {name: each["everything"] for name, each in against.items()}, "ratios": against, "peers": found,
    }  # fmt: skip
    table = Table(f"devices for each second of CPU ({load}: {ASKS[load]})", columns, rows)
    return Report("peers", metrics, [table], [plot], missing, versions)


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="of one round (default 8)")
    parser.add_argument("--rounds", type=int, default=3, help="of each contender (default 3)")
    parser.add_argument("--warm", type=float, default=5, help="seconds before the first round (default 5)")
    parser.add_argument("--load", choices=list(RATES), default="get10", help="what is asked (default get10)")
    parser.add_argument(
        "--rate", type=int, help="devices a second that streampoll polls (default 2000, of walk90 1000)"
    )
    parser.add_argument("--devices", type=int, default=1_000, help="that the others poll in turn (default 1000)")
    parser.add_argument(
        "--peers", nargs="+", choices=list(PEERS), default=list(PEERS), metavar="NAME", help="only these"
    )
    options = parser.parse_args(argv)
    options.rate = options.rate or RATES[options.load]
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
