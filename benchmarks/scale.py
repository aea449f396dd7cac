"""What grows with what: cost a device by fleet size, shards and processes; the coordinator by itself; a leader's death.

    fleet          CPU a device at 1,000, 10,000 and 100,000 devices (a million with --devices), end to end; beside it
                   what is left once the idle deployment's CPU is taken off, since a small fleet pays for the heartbeats
    coordinator    bytes of its plans and CPU of a tick, a device, up to a million, on a simulated clock
    shards         CPU a device with 1 to 256 shards at one rate
    processes      CPU a device with 1 to 8 worker processes at one rate
    failover       seconds from kill -9 of the leader to the next tick dispatched by the standby

Runs are short and in turn; ratios are of one run.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from benchmarks.rig.deployment import Deployment, Shape, Window, deployed
from benchmarks.rig.figures import each_us, mb, median, ratio
from benchmarks.rig.planning import plan_cost
from benchmarks.rig.plot import Lines
from benchmarks.rig.processes import wait_until
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from benchmarks.rig.servers import room

PRODUCT = ("coordinator", "worker", "redis", "postgres")
FAILOVER_S = 60.0
PLANNED = (1_000, 10_000, 100_000, 1_000_000)


def run(shape: Shape, options: argparse.Namespace) -> Window:
    """Deploy, watch, and end."""
    with room() as where, deployed(shape, where) as deployment:
        return deployment.measure(options.seconds, options.warm)


def cost(window: Window) -> dict[str, Any]:
    """Return what a run cost."""
    return {
        "devices_per_s": round(window.polls_per_s, 1),
        "cpu_us_per_device": round(window.cpu_us(PRODUCT), 1),
        "by_role": each_us(window.cpu_s, window.polls),
        "pss_mb": {role: mb(memory.pss_bytes) for role, memory in window.memory.items()},
        "worker_pss_mb_max": mb(window.memory["worker"].pss_max_bytes),
    }


def by_fleet(options: argparse.Namespace) -> dict[str, Any]:
    """Measure fleets of several sizes, and none to speak of."""
    idle = run(Shape(devices=1, interval_s=1), options)
    idle_share = sum(idle.cpu_s[role] for role in PRODUCT) / idle.seconds
    found: dict[str, Any] = {}
    for devices in options.devices:
        window = run(Shape(devices=devices, interval_s=options.interval), options)
        beyond_s = sum(window.cpu_s[role] for role in PRODUCT) - idle_share * window.seconds
        found[str(devices)] = cost(window) | {
            "cpu_us_beyond_idle": round(1e6 * beyond_s / max(window.polls, 1), 1),
            "coordinator_pss_mb": mb(window.memory["coordinator"].pss_bytes),
        }
        progress(f"{devices:,} devices: {found[str(devices)]['cpu_us_per_device']} us each")
    return {"idle_cores": round(idle_share, 4), "interval_s": options.interval, "sizes": found, **_flatness(found)}


def _flatness(found: dict[str, Any]) -> dict[str, Any]:
    """Return each size's cost as a ratio to that of the largest."""
    largest = found[max(found, key=int)]["cpu_us_per_device"]
    return {"ratio_to_largest": {size: ratio(of["cpu_us_per_device"], largest) for size, of in found.items()}}


def by_planning(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the coordinator's own work, without servers."""
    return {str(devices): plan_cost(devices, options.interval) for devices in options.planned}


def swept(values: Iterable[int], shape_of: Callable[[int], Shape], options: argparse.Namespace) -> dict[str, Any]:
    """Measure one rate with one thing varied."""
    found = {}
    for value in values:
        found[str(value)] = cost(run(shape_of(value), options))
        progress(f"{value}: {found[str(value)]['cpu_us_per_device']} us each")
    return found


def by_shards(options: argparse.Namespace) -> dict[str, Any]:
    """Vary the number of shards."""
    base = Shape(devices=options.rate * 10, interval_s=10)
    return swept(
        options.shards, lambda count: replace(base, shards=count, processes=min(count, base.processes)), options
    )


def by_processes(options: argparse.Namespace) -> dict[str, Any]:
    """Vary the number of worker processes."""
    base = Shape(devices=options.rate * 10, interval_s=10)
    return swept(options.processes, lambda count: replace(base, processes=count), options)


def failover(options: argparse.Namespace) -> dict[str, Any]:
    """Kill the leader, again and again; return how long nothing was dispatched."""
    shape = Shape(devices=options.rate * 10, interval_s=10, coordinators=2)
    with room() as where, deployed(shape, where) as deployment:
        time.sleep(options.warm)
        took = [_one_failover(deployment) for _ in range(options.rounds)]
    return {"median_s": median(took, 2), "max_s": round(max(took), 2), "rounds": len(took), "lease_s": 6.0}


def _one_failover(deployment: Deployment) -> float:
    """Kill the leader's process; its parent starts another, which is a standby then."""
    pid = deployment.leader_pid()
    os.kill(pid, signal.SIGKILL)
    killed = time.time()
    return wait_until(lambda: deployment.last_tick() > killed, FAILOVER_S, "the next leader's first tick")


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "fleet": by_fleet, "coordinator": by_planning, "shards": by_shards, "processes": by_processes, "failover": failover,
}  # fmt: skip


def main(argv: list[str]) -> int:
    """Run the parts asked for."""
    options = parse(argv)
    found = {}
    for part in options.parts:
        progress(f"-- {part}")
        found[part] = PARTS[part](options)
    emit(report_of(found), options)
    return 0


def report_of(found: dict[str, dict[str, Any]]) -> Report:
    """Put the parts together."""
    tables, plots = [], []
    for part, title in (("fleet", "devices"), ("shards", "shards"), ("processes", "worker processes")):
        if part not in found:
            continue
        sizes = found[part].get("sizes", found[part])
        tables.append(_cost_table(title, sizes))
        costs = {"end to end": [of["cpu_us_per_device"] for of in sizes.values()]}
        if part == "fleet":
            costs["beyond idle"] = [of["cpu_us_beyond_idle"] for of in sizes.values()]
        axes = (title, "CPU microseconds a device")
        plots.append(Lines(f"scale-{part}", f"Cost a device by {title}", axes, [*map(int, sizes)], costs, True))
    if "coordinator" in found:
        columns = ("devices", "bytes of plans each", "us to plan each", "tick, ms", "us of tick a device due")
        rows = [(f"{int(size):,}", *of.values()) for size, of in found["coordinator"].items()]
        tables.append(Table("the coordinator's own work, on a simulated clock", columns, rows))
    if "failover" in found:
        tables.append(Table("a leader is killed", (*found["failover"],), [tuple(found["failover"].values())]))
    return Report("scale", found, tables, list(plots))


def _cost_table(title: str, sizes: dict[str, Any]) -> Table:
    columns = (title, "devices/s", "CPU us each", "beyond idle", *PRODUCT, "coordinator MB", "largest worker MB")
    rows = [
        (
            f"{int(size):,}", of["devices_per_s"], of["cpu_us_per_device"], of.get("cpu_us_beyond_idle"),
            *(of["by_role"].get(role) for role in PRODUCT), of["pss_mb"]["coordinator"], of["worker_pss_mb_max"],
        )
        for size, of in sizes.items()
    ]  # fmt: skip
    return Table(f"CPU microseconds a device by {title}", columns, rows)


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument(
        "--parts", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART", help="only these"
    )
    parser.add_argument("--seconds", type=float, default=15, help="of one run's window (default 15)")
    parser.add_argument("--warm", type=float, default=5, help="seconds before it (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="of failover (default 3)")
    parser.add_argument("--interval", type=int, default=60, help="seconds between two polls of a device (default 60)")
    parser.add_argument("--rate", type=int, default=500, help="devices a second of shards, processes, failover")
    numbers: dict[str, Any] = {"type": int, "nargs": "+", "metavar": "N"}
    parser.add_argument("--devices", default=[1_000, 10_000, 100_000], help="sizes of fleets", **numbers)
    parser.add_argument("--planned", default=list(PLANNED), help="sizes of the coordinator's plans", **numbers)
    parser.add_argument("--shards", default=[1, 4, 16, 64, 256], help="numbers of shards", **numbers)
    parser.add_argument("--processes", default=[1, 2, 4, 8], help="numbers of worker processes", **numbers)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
