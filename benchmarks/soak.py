"""Hours at a steady load: do memory, descriptors and Redis stay flat? By hand; `bin/bench all` leaves it out.

A deployment with a tenth of its devices silent is looked at every now and then: RSS, PSS and descriptors by role, what
Redis uses, how many polls are open. Flat means: the mean of the last third is at most 5 % and 2 MB (10 descriptors)
above that of the third before it; the first third is warm-up. At its end the run is audited from its beginning:
nothing may be missing, doubled, skipped, expired or lost, and no more may have failed than devices are silent.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

import redis

from benchmarks.rig.deployment import UNDONE, Deployment, Shape, deployed
from benchmarks.rig.figures import mb
from benchmarks.rig.plot import Lines
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from benchmarks.rig.servers import room

ROLES = ("coordinator", "worker", "redis", "postgres")
SILENT, FAILED = 0.1, 0.105  # of the devices; of the polls, since the first and last slots are not whole
CLEAN = (*UNDONE, "partial")
GROWTH, GROWTH_MB, GROWTH_DESCRIPTORS = 0.05, 2.0, 10.0

Look = dict[str, float]
"""Figure -> value, at one moment; `minutes` is when."""


def look(deployment: Deployment, began: float) -> Look:
    """Read all figures now."""
    found: Look = {"minutes": round((time.monotonic() - began) / 60, 2)}
    for role, memory in deployment.roles.memory().items():
        if role in ROLES:
            found[f"{role}_rss_mb"], found[f"{role}_pss_mb"] = mb(memory.rss_bytes), mb(memory.pss_bytes)
            found[f"{role}_descriptors"] = memory.descriptors
    with redis.Redis.from_url(deployment.servers.redis_url) as client:
        found["redis_used_mb"] = mb(client.info("memory")["used_memory"])
    return found


def growth(looks: Sequence[Look]) -> dict[str, Any]:
    """Compare the last third with the one before it, figure by figure."""
    third = len(looks) // 3
    middle, last = looks[third : 2 * third], looks[2 * third :]
    found = {}
    for name in looks[0].keys() - {"minutes"}:
        before, after = mean(each[name] for each in middle or looks), mean(each[name] for each in last or looks)
        slack = GROWTH_DESCRIPTORS if name.endswith("descriptors") else GROWTH_MB
        flat = after <= before + slack or after <= before * (1 + GROWTH)
        found[name] = {"before": round(before, 1), "after": round(after, 1), "flat": flat}
    return found


def main(argv: list[str]) -> int:
    """Run the benchmark; 1 if something grew or a poll is missing."""
    options = parse(argv)
    shape = Shape(devices=options.devices, interval_s=options.interval, profile=options.profile)
    shape = replace(shape, fleet=replace(shape.fleet, silent=SILENT))
    looks: list[Look] = []
    with room() as where, deployed(shape, where) as deployment:
        began, since = time.monotonic(), int(time.time()) + 1
        while time.monotonic() - began < options.minutes * 60:
            time.sleep(options.every)
            looks.append(look(deployment, began))
            progress(" ".join(f"{name}={value:g}" for name, value in looks[-1].items() if "pss" not in name))
        audit = deployment.settle(since)
    found = growth(looks)
    emit(report_of(found, looks, audit, options), options)
    return 0 if all(each["flat"] for each in found.values()) and is_clean(audit) else 1


def is_clean(audit: Mapping[str, Any]) -> bool:
    """Return whether all was polled and only the silent have failed."""
    return 0 <= audit["failed"] <= FAILED * audit["expected"] > 0 and not any(audit[term] for term in CLEAN)


def report_of(
    found: dict[str, Any], looks: Sequence[Look], audit: dict[str, Any], options: argparse.Namespace
) -> Report:
    """Put figures and verdict together."""
    rows = [(name, of["before"], of["after"], "yes" if of["flat"] else "NO") for name, of in sorted(found.items())]
    title = f"{options.minutes:g} minutes, {options.devices:,} devices each {options.interval} s"
    minutes = [each["minutes"] for each in looks]
    series = {name: [each[name] for each in looks] for name in looks[0] if name.endswith("_mb") and "pss" not in name}
    plot = Lines("soak-memory", "Memory at a steady load", ("minutes", "MB"), minutes, series)
    kept = ("expected", "ok", "failed", *CLEAN, "lateness_p99_s")
    metrics = {"growth": found, "audit": {name: audit[name] for name in kept}, "minutes": options.minutes}
    return Report("soak", metrics, [Table(title, ("", "second third", "last third", "flat"), rows)], [plot])


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=float, default=240, help="how long (default 240)")
    parser.add_argument("--every", type=float, default=30, help="seconds between two looks (default 30)")
    parser.add_argument("--devices", type=int, default=30_000, help="(default 30000)")
    parser.add_argument("--interval", type=int, default=60, help="seconds between two polls of a device (default 60)")
    parser.add_argument("--profile", default="walk90", help="get10 or walk90 (default walk90)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
