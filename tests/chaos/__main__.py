"""`bin/chaos`: torments a deployment on a seeded schedule, and proves that nothing was lost and nothing done twice.

bin/chaos --minutes 30                    every fault, over and over, for half an hour
bin/chaos --seed 7 --faults redis-flushed,worker-killed --once
bin/chaos --list
"""

import argparse
import json
import random
import signal
import sys
import time
from pathlib import Path

from tests.chaos import faults_network, faults_postgres, faults_process, faults_redis  # noqa: F401 - they add themselves
from tests.chaos.fault import FAULTS, Fault
from tests.chaos.report import as_json, equation, matrix
from tests.chaos.run import Options, run
from tests.chaos.system import Scale, Servers


def main() -> int:
    """Run; 0 if nothing is wrong, 1 if something is."""
    arguments = _parser().parse_args()
    if arguments.list:
        print("\n".join(f"{name:34} {fault.what}" for name, fault in FAULTS.items()))
        return 0
    seed = random.SystemRandom().randrange(1 << 32) if arguments.seed is None else arguments.seed
    servers = Servers.SENTINEL if arguments.sentinel else Servers.ONE
    scale = Scale(devices=arguments.devices, processes=arguments.processes, servers=servers)
    options = Options(
        seed,
        arguments.minutes,
        _chosen(arguments.faults, servers),
        scale,
        arguments.long,
        arguments.once,
        arguments.keep,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of every `finally`
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {what}", file=sys.stderr, flush=True)

    say(f"seed {seed}")
    verdict = run(options, say)
    if arguments.json:
        print(json.dumps(as_json(verdict)))
    else:
        print(matrix(verdict), f"\n{equation(verdict)}", sep="\n")
    for kind, complaints in (("WRONG", verdict.wrong), ("SLOW", verdict.slow)):
        for complaint in complaints:
            print(f"{kind}: {complaint}", file=sys.stderr)
    print(f"{'green' if verdict.passed else 'RED'}; seed {seed}", file=sys.stderr)
    return 0 if verdict.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bin/chaos", description="Torment a deployment, and audit it.")
    parser.add_argument("--minutes", type=float, default=10, help="for how long faults are injected")
    parser.add_argument("--seed", type=int, help="of the schedule and every choice; a red run is repeated with its own")
    parser.add_argument("--faults", default="", help="only these, comma-separated")
    parser.add_argument("--once", action="store_true", help="each fault once, instead of --minutes")
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2, help="worker processes of each of the two hosts")
    parser.add_argument("--sentinel", action="store_true", help="run Redis as master and replica behind Sentinels")
    parser.add_argument("--long", type=float, default=60, help="seconds of a long outage")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the processes' logs there")
    parser.add_argument("--list", action="store_true", help="list the faults")
    return parser


def _chosen(text: str, servers: Servers) -> list[Fault]:
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise SystemExit(f"bin/chaos: there is no fault {unknown[0]!r}; --list shows them")
    fit = [fault for fault in FAULTS.values() if fault.on in (None, servers)]
    for name in names:
        if FAULTS[name] not in fit:
            raise SystemExit(
                f"bin/chaos: {name} can't be done {'with' if servers is Servers.SENTINEL else 'without'} --sentinel"
            )
    return [fault for fault in fit if not names or fault.name in names]


if __name__ == "__main__":
    raise SystemExit(main())
