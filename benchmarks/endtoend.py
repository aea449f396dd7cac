"""End to end: inventory, coordinator, Redis, workers, Redis, PostgreSQL, and the fleet too, on this machine's cores.

A fleet of one interval's devices, spread evenly, is polled with one GET of ten varbinds (get10) or with a table too,
about ninety in two requests (walk90). A rate is sustained if audit is clean (nothing missing, doubled, skipped,
expired, lost, failed or partial), p99 of lateness, over polls that got an answer, is below 5 s, and lateness does not
grow: that of the window's last third is that of its first, but for 1 % of the time between them and a quarter of a
second. Everything of a poll is on: acknowledgement, ledger, append-only file, fsync; its analysis is with --analysis.
Start-up and warm-up are in no figure. Afterwards the wire engine alone asks the same fleet, from as many places as a
worker has (walk90: forty values of a table a request); `of_bare_loop` is how much of a worker's CPU that would be.

    bin/bench endtoend                  a fixed load that any machine carries: CPU a device, by role
    bin/bench endtoend --search         the largest fleet that holds the interval, to within 5 %; windows of 90 s

In the JSON, the figures beside `get10` and `walk90` are those of walk90, or of the one that was run.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.contenders.askers import Case, Where, bare_us
from benchmarks.rig.deployment import SHORT, Shape, Window, deployed
from benchmarks.rig.figures import each_us, mb
from benchmarks.rig.plot import Stacked
from benchmarks.rig.processes import Ended
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from benchmarks.rig.servers import room

LATENESS_P99_S = 5.0
_GROWTH = 1.25
_GROWS_S, _GROWS_SHARE = 0.25, 0.01  # lateness may, from one third of a window to its last: polls differ that much
_SECONDS, _SEARCH_SECONDS = 20.0, 90.0
_PRODUCT = ("coordinator", "worker", "redis", "postgres")
_LEAST_PER_S = 50
_BARE_S = 2.0


@dataclass(frozen=True, slots=True)
class Load:
    """What each device is asked, and how many devices a second."""

    profile: str
    fixed_per_s: int  # without a search
    first_per_s: int  # of a search
    bare: Case  # what the bare request loop asks


LOADS = {"get10": Load("get10", 1_000, 4_000, Case.GET10), "walk90": Load("walk90", 400, 1_500, Case.BULK40)}


@dataclass(frozen=True, slots=True)
class Trial:
    """One deployment, watched for a while."""

    per_s: int
    window: Window
    audit: Mapping[str, Any]
    late_s: tuple[float | None, float | None]  # the median of the window's first third, and of its last
    bare_us: float  # CPU of a request of the bare loop

    @property
    def of_bare_loop(self) -> float:
        """How many requests the workers did of those that the bare loop does with the same CPU."""
        worker_us = 1e6 * self.window.cpu_s["worker"] / max(self.window.polls, 1)
        return self.bare_us * self.window.requests / worker_us

    @property
    def sustained(self) -> bool:
        """True if everything was polled, in time, is accounted for, and could go on like that."""
        late = self.audit["lateness_p99_s"]
        clean = not any(self.audit[name] for name in SHORT)
        in_time = late is not None and late < LATENESS_P99_S
        return bool(clean and self.audit["expected"] and in_time and not self.grows)

    @property
    def grows(self) -> bool:
        """True if polls come later and later: more are due than are done, however little that is."""
        first, last = self.late_s
        between_s = self.window.seconds * 2 / 3
        return first is None or last is None or last - first > _GROWS_S + _GROWS_SHARE * between_s


def trial(load: Load, per_s: int, options: argparse.Namespace) -> Trial | None:
    """Run a fleet at a rate; None if the machine can't even start or drain it."""
    shape = Shape(
        devices=per_s * options.interval, interval_s=options.interval, profile=load.profile,
        processes=options.processes, analysis=options.analysis,
    )  # fmt: skip
    try:
        with room() as where, deployed(shape, where) as deployment:
            window = deployment.measure(options.seconds, options.warm)
            audit = deployment.settle(window.since)
            third = window.seconds / 3
            first, last = (deployment.lateness_p50_s(at, at + third) for at in (window.since, window.since + 2 * third))
            fleet = Where("127.1.0.", deployment.port, "", "", "")
            bare = bare_us(fleet, load.bare, min(shape.devices, shape.concurrency), _BARE_S)
            return Trial(per_s, window, audit, (first, last), bare)
    except Ended as why:
        progress(f"{load.profile}: {per_s:,} devices/s: {why}")
        return None


def noted(load: Load, per_s: int, options: argparse.Namespace) -> Trial | None:
    """Run a trial and say how it went."""
    done = trial(load, per_s, options)
    if done is not None:
        found = {name: done.audit[name] for name in ("expected", "lateness_p99_s", *SHORT)}
        found["lateness grows"] = done.grows
        said = ", ".join(f"{name} {value}" for name, value in found.items() if value)
        progress(f"{load.profile}: {per_s:,} devices/s {'' if done.sustained else 'not '}sustained: {said}")
    return done


def search(load: Load, options: argparse.Namespace) -> Trial | None:
    """Find the greatest rate that is sustained, to within the precision asked for."""
    best: Trial | None = None
    per_s, too_much = options.first or load.first_per_s, 0
    while per_s >= _LEAST_PER_S:
        done = noted(load, per_s, options)
        if done is None or not done.sustained:
            done = noted(load, per_s, options)  # once more: others on the machine end no search
        if done is not None and done.sustained:
            best = done
        else:
            too_much = per_s
        held = best.per_s if best else 0
        per_s = _next(held, too_much)
        if held and too_much and (too_much / held - 1 <= options.precision or per_s == held):
            break
    return best


def _next(held: int, too_much: int) -> int:
    """Return the rate to try between what was held (0: nothing) and what was too much (0: nothing)."""
    if not too_much:
        return int(held * _GROWTH)
    return (held + too_much) // 2 if held else int(too_much / _GROWTH**2)


def figures(done: Trial) -> dict[str, Any]:
    """Return a trial's metrics."""
    window, audit = done.window, done.audit
    return {
        "sustained": done.sustained,
        "devices_per_s": round(window.polls_per_s, 1),
        "devices_per_minute": round(window.polls_per_s * 60),
        "cpu_us_per_device": each_us(window.cpu_s, window.polls),
        "cpu_us_per_device_product": round(window.cpu_us(_PRODUCT), 1),
        "requests_per_worker_core_s": round(window.requests * window.polls / max(window.cpu_s["worker"], 0.01)),
        "bare_loop_us": round(done.bare_us, 1),
        "of_bare_loop": round(done.of_bare_loop, 2),
        "requests_per_device": window.requests,
        "varbinds_per_device": window.varbinds,
        "redis_reads_per_device": window.redis_reads,
        "varbinds_per_s": round(window.varbinds * window.polls_per_s),
        **{name: audit[name] for name in ("lateness_p50_s", "lateness_p99_s", *SHORT, "executed_twice")},
        "lateness_grows": done.grows,
        "worker_pss_mb_max": mb(window.memory["worker"].pss_max_bytes),
        "pss_mb": {role: mb(memory.pss_bytes) for role, memory in window.memory.items()},
    }


def report_of(found: Mapping[str, Mapping[str, Any]], options: argparse.Namespace) -> Report:
    """Put the loads' figures together."""
    main = found.get("walk90") or next(iter(found.values()), {})
    how = {
        "interval_s": options.interval, "seconds": options.seconds, "searched": options.search,
        "analysis": options.analysis,
    }  # fmt: skip
    loads = ", ".join(found)
    roles = (*_PRODUCT, "fleet")
    costs = Table(
        f"end to end ({loads}): CPU microseconds a device, by role",
        ("load", "devices a minute", *roles, "product", "p99 late, s", "missing", "duplicates", "varbinds/s"),
        [
            (
                name, of["devices_per_minute"], *(of["cpu_us_per_device"].get(role) for role in roles),
                of["cpu_us_per_device_product"], of["lateness_p99_s"], of["missing"], of["duplicates"],
                of["varbinds_per_s"],
            )
            for name, of in found.items()
        ],
    )  # fmt: skip
    memory = Table(
        "memory: PSS in MB; and a worker's requests a second of CPU against those of the wire engine alone",
        ("load", *roles, "largest worker", "reads by Redis a device", "of the bare loop"),
        [
            (
                name, *(of["pss_mb"].get(role) for role in roles), of["worker_pss_mb_max"],
                of["redis_reads_per_device"], of["of_bare_loop"],
            )
            for name, of in found.items()
        ],
    )  # fmt: skip
    plot = Stacked(
        "endtoend-cpu", "CPU of one poll, end to end", "microseconds a device",
        {name: {role: of["cpu_us_per_device"].get(role, 0.0) for role in roles} for name, of in found.items()},
    )  # fmt: skip
    return Report("endtoend", {**main, **found, "run": how}, [costs, memory], [plot])


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--load", choices=[*LOADS, "both"], default="both", help="what is asked (default both)")
    parser.add_argument("--seconds", type=float, help="length of a trial's window (default 20; of a search, 90)")
    parser.add_argument("--warm", type=float, default=5, help="seconds before it (default 5)")
    parser.add_argument("--interval", type=int, default=60, help="seconds between two polls of a device (default 60)")
    parser.add_argument("--rate", type=int, default=0, help="devices a second, instead of the fixed rates")
    parser.add_argument("--processes", type=int, default=2, help="worker processes (default 2)")
    parser.add_argument("--analysis", action="store_true", help="analyse each poll too: rates of its counters")
    parser.add_argument("--search", action="store_true", help="find the greatest rate that is sustained")
    parser.add_argument("--first", type=int, default=0, help="devices a second that a search begins with")
    parser.add_argument("--precision", type=float, default=0.05, help="of a search, as a share (default 0.05)")
    options = parser.parse_args(argv)
    if options.seconds is None:
        options.seconds = _SEARCH_SECONDS if options.search else _SECONDS
    return options


def main(argv: list[str]) -> int:
    """Run the benchmark; 1 if nothing was sustained."""
    options = parse(argv)
    loads = LOADS if options.load == "both" else {options.load: LOADS[options.load]}
    found = {}
    for name, load in loads.items():
        load = replace(load, fixed_per_s=options.rate or load.fixed_per_s)
        done = search(load, options) if options.search else noted(load, load.fixed_per_s, options)
        if done is not None:
            found[name] = figures(done)
    emit(report_of(found, options), options)
    return 0 if found and all(of["sustained"] for of in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
