"""Silent devices next to healthy ones: how late the healthy are, without and with them, in one run.

Three deployments in turn: all devices answer; a tenth never does; all answer until a whole site (5,000 devices) is gone
at once, with no ICMP error to say so. Lateness is from a poll's slot to its stored row, over healthy devices and the
slots since the trouble began. The bar: p99 with trouble is within a tenth, or a quarter of a second, of p99 without;
audit finds nothing missing, doubled, skipped, expired or lost; of the healthy polls that were due 95 % got an answer.
"""

import argparse
import sys
import time
from dataclasses import replace
from typing import Any

from benchmarks.rig.deployment import UNDONE, Deployment, Shape, deployed
from benchmarks.rig.figures import ratio
from benchmarks.rig.plot import Bars
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from benchmarks.rig.servers import room

WITHIN_SHARE, WITHIN_S = 0.10, 0.25
SILENT = 0.10
ANSWERED = 0.95  # of the healthy polls that are due; the first and the last slots are not whole
_LATENESS = """
SELECT count(*) AS polls, percentile_disc(0.5) WITHIN GROUP (ORDER BY p.stored_ms) / 1000::float8 AS p50_s,
    percentile_disc(0.99) WITHIN GROUP (ORDER BY p.stored_ms) / 1000::float8 AS p99_s
FROM polls p JOIN devices d ON d.id = p.device
WHERE p.slot >= to_timestamp($1::bigint) AND p.slot < to_timestamp($2::bigint) AND p.status IN (0, 1) AND d.name < $3
"""
_ENDS = "SELECT status, count(*) AS polls FROM polls WHERE slot >= to_timestamp($1::bigint) GROUP BY status"


def case(shape: Shape, options: argparse.Namespace, site_goes: bool = False) -> dict[str, Any]:
    """Run one deployment, and read how late its healthy devices were."""
    with room() as where, deployed(shape, where) as deployment:
        time.sleep(options.warm)
        if site_goes:
            deployment.silence_site()
        since = int(time.time()) + 1
        time.sleep(options.seconds)
        until = int(time.time()) - 1
        audit = deployment.settle(since)
        due = (shape.devices - shape.site) * (1 - shape.fleet.silent) * (until - since) / shape.interval_s
        return _lateness(deployment, since, until) | {"due": round(due)} | {name: audit[name] for name in UNDONE}


def _lateness(deployment: Deployment, since: int, until: int) -> dict[str, Any]:
    """Read the lateness of healthy devices: those before the site, in the order of names."""
    first_of_site = f"sim-{deployment.shape.devices - deployment.shape.site:07}"
    [row] = deployment.query(_LATENESS, since, until, first_of_site if deployment.shape.site else "~")
    ends = {int(each["status"]): int(each["polls"]) for each in deployment.query(_ENDS, since)}
    return {
        "healthy_polls": int(row["polls"]),
        "p50_s": row["p50_s"],  # None: nobody answered
        "p99_s": row["p99_s"],
        "timeouts": ends.get(2, 0),
    }


def main(argv: list[str]) -> int:
    """Run the benchmark; 1 if the bar is missed."""
    options = parse(argv)
    shape = Shape(devices=options.devices, interval_s=options.interval, profile=options.profile)
    fleet = replace(shape.fleet, silent=SILENT)
    runs = {
        "none": (shape, False),
        "a tenth silent": (replace(shape, fleet=fleet), False),
        "a site gone": (replace(shape, site=options.site), True),
    }
    found = {}
    for name, (each, site_goes) in runs.items():
        found[name] = case(each, options, site_goes)
        progress(f"{name}: p99 {found[name]['p99_s']} s")
    judge(found)
    emit(report_of(found, options), options)
    return 0 if all(of["within"] for of in found.values()) else 1


def judge(found: dict[str, dict[str, Any]]) -> None:
    """Add to each run how it compares with that without trouble, and whether it is within the bar."""
    without = found["none"]["p99_s"]
    for of in found.values():
        late, in_time = of["p99_s"], False
        of["p99_ratio"] = of["p99_more_s"] = None
        if late is not None and without is not None:
            of["p99_ratio"], of["p99_more_s"] = ratio(late, without), round(late - without, 3)
            in_time = late <= max(without * (1 + WITHIN_SHARE), without + WITHIN_S)
        of["within"] = in_time and of["healthy_polls"] >= ANSWERED * of["due"] and not any(of[term] for term in UNDONE)


def report_of(found: dict[str, dict[str, Any]], options: argparse.Namespace) -> Report:
    """Put the three side by side."""
    columns = ("trouble", "healthy polls", "due", "p50 s", "p99 s", "time-outs", *UNDONE, "of without", "more s", "ok")
    names = ("healthy_polls", "due", "p50_s", "p99_s", "timeouts", *UNDONE, "p99_ratio", "p99_more_s")
    rows = [(name, *(of[each] for each in names), "yes" if of["within"] else "no") for name, of in found.items()]
    title = (
        f"lateness of the healthy: {options.devices:,} devices each {options.interval} s, a site of {options.site:,}"
    )
    plot = Bars(
        "silent",
        "p99 lateness of healthy devices",
        "seconds",
        {name: of["p99_s"] or 0.0 for name, of in found.items()},
        "none",
    )
    run = {"devices": options.devices, "interval_s": options.interval, "site": options.site}
    return Report("silent", {"cases": found, "run": run}, [Table(title, columns, rows)], [plot])


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--devices", type=int, default=20_000, help="in all (default 20000)")
    parser.add_argument("--site", type=int, default=5_000, help="of them in the site (default 5000)")
    parser.add_argument("--interval", type=int, default=60, help="seconds between two polls of a device (default 60)")
    parser.add_argument("--profile", default="get10", help="get10 or walk90 (default get10)")
    parser.add_argument("--seconds", type=float, default=60, help="of trouble (default 60)")
    parser.add_argument("--warm", type=float, default=10, help="seconds before it (default 10)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
