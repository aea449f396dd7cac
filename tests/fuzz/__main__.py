"""`bin/fuzz [--minutes M] [--seed N] [TARGET…]`: all targets in turn until the time is over or something is found."""

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import count

from tests.fuzz.run import TARGETS, first_finding

_IN_TURN = 50  # seeds of one target before the next has its turn


def main() -> int:
    """Run as the options say; 0: nothing was found, 1: something was."""
    parser = argparse.ArgumentParser(
        prog="bin/fuzz",
        description="Feed wrong bytes to all that reads bytes, until the time is over or something is found.",
        epilog=f"Targets: {', '.join(TARGETS)}. What is found is printed with the line that repeats it.",
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="only these  [default: all]")
    parser.add_argument("--minutes", type=float, default=5.0, metavar="M", help="how long  [default: 5]")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed  [default: 0]")
    options = parser.parse_args()
    if unknown := sorted(set(options.targets) - TARGETS.keys()):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    try:
        found, verdict = _search(options.targets or list(TARGETS), options.seed, 60 * options.minutes)
    except KeyboardInterrupt:
        return 130
    print(found + verdict)
    return 1 if found else 0


def _search(names: Sequence[str], seed: int, most_s: float) -> tuple[str, str]:
    """Run the targets in turn; return the first finding, and the line that says how it ended."""
    until, runs = time.monotonic() + most_s, 0
    for first in count(seed, _IN_TURN):
        for name in names:
            if found := first_finding(name, range(first, first + _IN_TURN)):
                return found, f"\nfound something in {name}"
            runs += _IN_TURN
            if time.monotonic() > until and (name == names[-1] or most_s):
                targets = f"{len(names)} target{'s' if len(names) > 1 else ''}"
                return "", f"nothing found: {runs} runs of {targets}, seeds {seed} to {first + _IN_TURN - 1}"
    raise AssertionError("count does not end")


if __name__ == "__main__":
    sys.exit(main())
