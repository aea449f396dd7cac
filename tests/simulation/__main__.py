"""`bin/simulate [--minutes M] [--seed N] [SCENARIO…]`: runs until the time is over or a law is broken.

Without a scenario it takes all in turn that must hold. A broken law is told as the smallest story found, with the
command that brings it again; the last line is the verdict, and the exit code is 1 then.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice

from tests.simulation.choices import Choices
from tests.simulation.explore import Finding, run_once, smallest
from tests.simulation.scenarios import HARDER, SCENARIOS

ALL = {**SCENARIOS, **HARDER}
_AT_ONCE = 200


def main() -> int:
    """Run as the options say."""
    parser = argparse.ArgumentParser(
        prog="bin/simulate",
        description="Model-check the protocol: thousands of interleavings of the real coordinator, consume loop and "
        "store, with crashes, freezes and lost answers anywhere. Exit code 0: every law held; 1: one was broken.",
        epilog=f"Scenarios that must hold, taken in turn: {', '.join(SCENARIOS)}. By name only, for Redis then loses "
        f"data or its clock steps, beyond what docs/guarantees.md promises: {', '.join(HARDER)}.",
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="only these")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (5)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--once", action="store_true", help="run that seed only")
    options = parser.parse_args()
    if unknown := sorted(set(options.scenarios) - ALL.keys()):
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(ALL)}")
    names = options.scenarios or list(SCENARIOS)
    if options.once:
        return _report([found for name in names if (found := _run((name, options.seed)))], len(names))
    return _explore(names, options.seed, time.monotonic() + 60 * options.minutes)


def _explore(names: list[str], seed: int, until: float) -> int:
    runs = ((name, number) for number in count(seed) for name in names)
    done = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        while time.monotonic() < until:
            findings = [found for found in pool.map(_run, _some(runs), chunksize=10) if found]
            done += _AT_ONCE
            if findings:
                return _report(findings[:1], done)
    return _report([], done)


def _some(runs: Iterator[tuple[str, int]]) -> list[tuple[str, int]]:
    return list(islice(runs, _AT_ONCE))


def _run(run: tuple[str, int]) -> tuple[str, Finding] | None:
    name, seed = run
    found = run_once(ALL[name], Choices(seed), seed)
    return (name, found) if found else None


def _report(findings: list[tuple[str, Finding]], runs: int) -> int:
    for name, found in findings:
        print(smallest(ALL[name], found, 300))
        print(f"again: bin/simulate --once --seed {found.seed} {name}")
    print(f"{runs} runs: " + (f"BROKEN: {findings[0][1].law}" if findings else "every law held"))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
