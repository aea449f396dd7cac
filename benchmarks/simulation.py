"""The capacity model against the real thing: what `endtoend` runs, beside what model and simulation say of it.

The model says which share of the cores each role takes, by the constants of `bin/bench capacity`. The simulation says
how late rows are, given those; that should be within 20 % of what is measured. Other work on the machine makes real
polls later and dearer and simulated ones not: run it on a machine that does nothing else, or put `chrt -r 5` before
it. With `--own-cpu` the simulation is given the CPU that this run took.

    bin/bench simulation --rates 1500,3000         devices a second
"""

import argparse
import sys
from dataclasses import dataclass, replace

from benchmarks import endtoend
from benchmarks.rig.cores import AVAILABLE
from benchmarks.rig.deployment import Deployment, Shape, Window, deployed
from benchmarks.rig.figures import each_us, ratio
from benchmarks.rig.processes import Ended
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from benchmarks.rig.servers import room
from streampoll.capacity.constants import Load, read
from streampoll.capacity.scenario import Observed, Scenario
from streampoll.capacity.simulate import simulate

_WITHIN = 0.2
_LATENESS = (
    "SELECT percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY stored_ms) FROM polls"
    " WHERE slot BETWEEN to_timestamp($1) AND to_timestamp($2) AND status < 2"
)
_SERVING = ("coordinator", "worker", "redis", "postgres")


@dataclass(frozen=True, slots=True)
class Compared:
    """One rate, both ways."""

    name: str
    per_s: int
    real_cores: float
    said_cores: float
    real_late_s: tuple[float, float]  # median, p99
    said_late_s: tuple[float, float]

    @property
    def ratios(self) -> dict[str, float | None]:
        """Said to real: 1.0 is the same."""
        late = zip(self.said_late_s, self.real_late_s, strict=True)
        p50, p99 = (ratio(said, real) for said, real in late)
        return {"cores": ratio(self.said_cores, self.real_cores), "lateness_p50": p50, "lateness_p99": p99}

    @property
    def agrees(self) -> bool:
        """True if the simulated lateness is within 20 %; cores depend on how full batches are, and are only shown."""
        late = (ratio(said, real) for said, real in zip(self.said_late_s, self.real_late_s, strict=True))
        return all(each is not None and abs(each - 1) <= _WITHIN for each in late)


def compared(name: str, per_s: int, options: argparse.Namespace) -> Compared | None:
    """Run one rate, and simulate it."""
    load, shape = read().load(name), _shape(name, per_s, options)
    try:
        with room() as where, deployed(shape, where) as deployment:
            window = deployment.measure(options.seconds, options.warm)
            deployment.settle(window.since)  # the latest polls are rows then, too
            late = _lateness(deployment, window)
    except Ended as why:
        progress(f"{name}: {per_s:,} devices/s: {why}")
        return None
    assert load is not None, "measured.toml has the loads of endtoend"
    cpu_us = each_us(window.cpu_s, window.polls)
    seen = _simulated(_by_this_run(load, cpu_us) if options.own_cpu else load, cpu_us["fleet"], shape, options)
    real = sum(cpu_us[role] for role in _SERVING) * window.polls_per_s / 1e6
    said = sum(load.cpu_us.values()) * window.polls_per_s / 1e6
    return Compared(name, per_s, real, said, late, (seen.late_s(0.5), seen.late_s(0.99)))


def _shape(name: str, per_s: int, options: argparse.Namespace) -> Shape:
    return Shape(
        devices=per_s * options.interval, interval_s=options.interval, profile=endtoend.LOADS[name].profile,
        processes=options.processes,
    )  # fmt: skip


def _lateness(deployment: Deployment, window: Window) -> tuple[float, float]:
    """Return median and p99 of the slots within the window."""
    p50, p99 = deployment.query(_LATENESS, window.since, window.since + window.seconds - 2.0)[0][0]
    return float(p50) / 1000, float(p99) / 1000


def _by_this_run(load: Load, cpu_us: dict[str, float]) -> Load:
    """Return the load with the CPU that the run took; its workers store too, in the proportion that was measured."""
    both = load.cpu_us["worker"] + load.cpu_us["store"]
    parts = {role: cpu_us["worker"] * load.cpu_us[role] / both for role in ("worker", "store")}
    return replace(load, cpu_us={**{role: cpu_us[role] for role in _SERVING}, **parts})


def _simulated(load: Load, fleet_us: float, shape: Shape, options: argparse.Namespace) -> Observed:
    low_ms, high_ms = shape.fleet.latency_ms
    return simulate(
        Scenario(
            devices=shape.devices, interval_s=shape.interval_s, load=load, processes=shape.processes,
            shards=shape.shards, cores=len(AVAILABLE), concurrency=shape.concurrency,
            latency_s=(low_ms / 1000, high_ms / 1000), fleet_us=fleet_us / load.requests,
            seconds=round(options.seconds), warm_s=round(options.warm),
        )
    )  # fmt: skip


def report_of(found: list[Compared]) -> Report:
    """Put the comparisons together."""
    columns = ("load", "devices/s", "cores", "model", "late, median", "simulated", "late, p99", "simulated")
    rows = [
        (
            each.name, each.per_s, each.real_cores, each.said_cores, each.real_late_s[0], each.said_late_s[0],
            each.real_late_s[1], each.said_late_s[1],
        )
        for each in found
    ]  # fmt: skip
    metrics = {f"{each.name}@{each.per_s}": {**each.ratios, "agrees": each.agrees} for each in found}
    return Report("simulation", metrics, [Table("measured, and said by model and simulation", columns, rows)])


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--load", choices=[*endtoend.LOADS], default="get10", help="what is asked (default get10)")
    parser.add_argument("--rates", default="1500,3000", help="devices a second (default 1500,3000)")
    parser.add_argument("--seconds", type=float, default=15, help="length of a window (default 15)")
    parser.add_argument("--warm", type=float, default=12, help="seconds before it (default 12)")
    parser.add_argument("--interval", type=int, default=10, help="seconds between two polls of a device (default 10)")
    parser.add_argument("--processes", type=int, default=2, help="worker processes (default 2)")
    parser.add_argument("--own-cpu", action="store_true", help="simulate with the CPU that this run took")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Compare; 1 if lateness differs by more than 20 %, or a rate could not be run."""
    options = parse(argv)
    rates = [int(rate) for rate in options.rates.split(",")]
    found = [compared(options.load, per_s, options) for per_s in rates]
    known = [each for each in found if each]
    emit(report_of(known), options)
    for each in known:
        progress(f"{each.name} at {each.per_s:,} devices/s: said to real {each.ratios}")
    return int(len(known) < len(rates) or not all(each.agrees for each in known))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
