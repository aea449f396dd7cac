"""End to end: inventory, coordinator, Redis, workers, Redis, PostgreSQL, and the fleet too, on this machine's cores.

Three questions. Are 1,000 devices with table walks, all due at once, done within 5 s? How many devices a second are
sustained with one GET of ten varbinds each, and with walks of about ninety (three requests)? A rate counts as sustained
if the audit is clean (nothing missing, doubled, skipped or expired) and p99 of lateness is below 5 s. The rates are
found by search: each trial is a run of `streampoll demo`, so everything is on: acknowledgement, ledger, fsync.

    python -m benchmarks.endtoend [--seconds 20] [--json]
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_INTERVAL_S = 10
_LATENESS_P99_S = 5.0
_GROWTH = 1.25
_PROFILES = Path(__file__).parent / "profiles"


@dataclass(frozen=True)
class Load:
    """What each device is asked."""

    name: str
    profile: str
    first: int  # devices a second to begin the search with


LOADS = (Load("get10", "get10", 2_000), Load("walk90", "walk90", 800))


def run(devices: int, seconds: float, *arguments: str) -> dict[str, Any]:
    """Run a demo and return its figures."""
    command = [
        sys.executable, "-m", "streampoll", "demo", "--devices", str(devices), "--seconds", str(seconds),
        "--silent", "0", "--profiles", str(_PROFILES), "--json", *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    lines = done.stdout.splitlines()
    if not lines:
        raise SystemExit(f"the run ended with exit code {done.returncode} and no figures")
    figures: dict[str, Any] = json.loads(lines[-1])
    return figures


def trial(load: Load, rate: int, seconds: float) -> dict[str, Any]:
    """Poll at a rate (devices a second, spread evenly) for a while."""
    return run(
        rate * _INTERVAL_S, seconds, "--interval", str(_INTERVAL_S), "--profile", load.profile, "--interfaces", "10"
    )


def is_sustained(figures: Mapping[str, Any]) -> bool:
    """Return True if everything was polled, in time, and accounted for."""
    clean = not any(figures[name] for name in ("missing", "duplicates", "skipped", "expired", "failed", "lost"))
    late = figures["lateness_p99_s"]
    return bool(clean and figures["expected"] and late is not None and late < _LATENESS_P99_S)


def search(load: Load, seconds: float) -> tuple[int, dict[str, Any]]:
    """Find the greatest rate that is sustained, to within a quarter, and the figures of that run."""
    best: tuple[int, dict[str, Any]] = (0, {})
    rate = load.first
    while True:
        figures = trial(load, rate, seconds)
        sustained = is_sustained(figures)
        print(f"{load.name}: {rate:,} devices/s {'sustained' if sustained else 'not sustained'}, {_short(figures)}",
              file=sys.stderr)  # fmt: skip
        if not sustained:
            if best[0] or rate < 100:
                return best
            rate = int(rate / _GROWTH**2)
            continue
        best = rate, figures
        rate = int(rate * _GROWTH)


def _short(figures: Mapping[str, Any]) -> str:
    return f"p99 lateness {figures['lateness_p99_s']} s, expired {figures['expired']}, failed {figures['failed']}"


def metrics(rate: int, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of the best run, CPU by role as microseconds a device."""
    polls = figures.get("expected") or 0
    return {
        "devices_per_s": rate,
        "devices_per_minute": rate * 60,
        "cpu_us_per_device": {role: round(1e6 * spent / polls, 1) for role, spent in figures["cpu_s"].items()},
        **{name: figures[name] for name in ("lateness_p99_s", "missing", "duplicates", "varbinds_per_s")},
        "worker_rss_mb_max": figures["worker_rss_mb_max"],
    }  # fmt: skip


def at_once(seconds: float) -> dict[str, Any]:
    """Poll 1,000 devices with interface tables, all due at the same second."""
    figures = run(1000, seconds, "--interval", "10", "--at-once", "--profile", "interfaces")
    return {name: figures[name] for name in ("cycle_p50_s", "cycle_p99_s", "missing", "duplicates", "failed")}


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20, help="length of a trial")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    found: dict[str, Any] = {"cores": os.cpu_count(), "at_once_1000_walks": at_once(options.seconds)}
    for load in LOADS:
        rate, figures = search(load, options.seconds)
        found[load.name] = metrics(rate, figures) if rate else None
    if options.json:
        print(json.dumps({"benchmark": "endtoend", "metrics": found}))
        return 0
    for name, value in found.items():
        print(f"{name:20} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
