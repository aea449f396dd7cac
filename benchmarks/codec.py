"""The bare request loop: one process on one core asks net-snmp's agent, then the simulated fleet, on another.

streampoll's wire engine, gufo_snmp and pysnmp, in one run: a v2c GET of ten values, a GETBULK of forty, and the GET in
v3 (SHA-256, AES-128). Each asks in rounds that take turns, so that a noisy neighbour hits all; a figure is the median
round. Requests a second of wall clock are bounded by the agent too; those a second of CPU are not, so the ratios are of
those. The values of a GETBULK are counters. What comes back differs: streampoll leaves OIDs as they were sent, since
its plans match bytes, gufo_snmp makes text of them and pysnmp objects. Needs snmpd, and gufo-snmp of group `bench`.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.contenders.askers import ASKERS, PLACES, Case, Round, Where, run_round
from benchmarks.rig.cores import AVAILABLE, taskset
from benchmarks.rig.deployment import fleet_of
from benchmarks.rig.figures import median, ratio
from benchmarks.rig.plot import Bars
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from benchmarks.rig.roles import Roles
from streampoll.embedded.fleet import FleetSettings
from tests.snmp_support import V3_KEY, SnmpdAgent

OURS = "streampoll"
SLOW_PLACES = 4  # of pysnmp: with forty in flight its time-outs fire
FLEET = FleetSettings(interfaces=(40, 40), latency_ms=(0, 0), v3_passphrase="a-long-passphrase")
_IP_SYSTEM_STATS = "1.3.6.1.2.1.4.31.1"  # counters, more than forty
_MODULES = {"gufo_snmp": "gufo.snmp", "pysnmp": "pysnmp"}


async def take_turns(case: Case, agent: Where, names: list[str], options: argparse.Namespace) -> dict[str, list[Round]]:
    """Let the peers take turns at one case."""
    async with AsyncExitStack() as stack:
        asks = {name: await ASKERS[name](case, agent, stack) for name in names}
        places = {name: SLOW_PLACES if "pysnmp" in name else PLACES for name in names}
        for name, ask in asks.items():
            await run_round(ask, 0.2, places[name])  # warm: caches, sockets, engine IDs, pysnmp's tables
        rounds: dict[str, list[Round]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name, ask in asks.items():
                rounds[name].append(await run_round(ask, options.seconds, places[name]))
        return rounds


def figures(rounds: dict[str, list[Round]]) -> dict[str, dict[str, float]]:
    """Sum the rounds of one case up."""
    return {
        name: {
            "requests_per_s": median(each.requests / each.wall_s for each in mine),
            "requests_per_core_s": median(each.requests / each.cpu_s for each in mine),
            "cpu_us_per_request": median(1e6 * each.cpu_s / each.requests for each in mine),
        }
        for name, mine in rounds.items()
    }


@contextmanager
def agents(which: list[str]) -> Iterator[dict[str, Where]]:
    """Run the agents on the last core."""
    cores = AVAILABLE
    found: dict[str, Where] = {}
    with ExitStack() as stack:
        if "net-snmp" in which:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            snmpd = stack.enter_context(SnmpdAgent(directory, command=taskset(cores[-1:])))
            found["net-snmp"] = Where("127.0.0.", snmpd.port, "sha256aes", V3_KEY, _IP_SYSTEM_STATS)
        if "fleet" in which:
            process, port = stack.enter_context(fleet_of(FLEET, PLACES))
            Roles({"fleet": [process.pid]}).pin("fleet", cores[-1:])
            found["fleet"] = Where("127.1.0.", port, "fleet", FLEET.v3_passphrase, "1.3.6.1.2.1.31.1.1.1.6")
        yield found


def peers_here() -> tuple[list[str], dict[str, str]]:
    """Return the peers that are installed, and why others are missing."""
    missing = {
        name: f"not installed: pip install {name.replace('_', '-')}"
        for name, module in _MODULES.items()
        if find_spec(module.partition(".")[0]) is None
    }
    return [name for name in ASKERS if name not in missing], missing


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    options = parse(argv)
    warnings.simplefilter("ignore", ResourceWarning)
    names, missing = peers_here()
    found: dict[str, dict[str, Any]] = {}
    with agents(options.agents) as running:
        os.sched_setaffinity(0, AVAILABLE[:1])
        for agent, where in running.items():
            found[agent] = {}
            for case in options.cases:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    found[agent][case] = figures(runner.run(take_turns(Case(case), where, names, options)))
                progress(f"{agent} {case}: {found[agent][case][OURS]['requests_per_core_s']:,.0f} a core-second")
    emit(report_of(found, missing), options)
    return 0


def report_of(found: dict[str, dict[str, Any]], missing: dict[str, str]) -> Report:
    """Put the peers side by side."""
    rows, against = [], {}
    for agent, cases in found.items():
        against[agent] = {case: _times(peers) for case, peers in cases.items()}
        for case, peers in cases.items():
            for name, of in peers.items():
                rows.append((agent, case, name, *of.values(), against[agent][case].get(name)))
    columns = ("agent", "", "", "requests/s", "a core-second", "CPU us each", "streampoll is")
    metrics: dict[str, Any] = {**found, "ratio": against}
    metrics["v3_over_v2c_cpu"] = {
        agent: ratio(cases["v3"][OURS]["cpu_us_per_request"], cases["get10"][OURS]["cpu_us_per_request"])
        for agent, cases in found.items()
        if {"v3", "get10"} <= cases.keys()
    }
    plots = [
        Bars(
            f"codec-{case}", f"Requests for each second of CPU: {case}, {agent}", "requests a core-second, logarithmic",
            {name: of["requests_per_core_s"] for name, of in peers.items()}, logarithmic=True,
        )
        for agent, cases in found.items()
        for case, peers in cases.items()
        if agent == next(iter(found))
    ]  # fmt: skip
    return Report("codec", metrics, [Table("the bare request loop", columns, rows)], list(plots), missing)


def _times(peers: dict[str, dict[str, float]]) -> dict[str, float | None]:
    ours = peers[OURS]["requests_per_core_s"]
    return {name: ratio(ours, of["requests_per_core_s"]) for name, of in peers.items() if name != OURS}


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one peer's round (default 0.5)")
    parser.add_argument("--rounds", type=int, default=5, help="of each (default 5)")
    both, cases = ["net-snmp", "fleet"], [str(case) for case in Case]
    parser.add_argument("--agents", nargs="+", choices=both, default=both, metavar="AGENT", help=", ".join(both))
    parser.add_argument("--cases", nargs="+", choices=cases, default=cases, metavar="CASE", help=", ".join(cases))
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
