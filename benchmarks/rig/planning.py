"""What plans of so many devices cost, in a process of its own: memory, and the time of a tick, on a simulated clock.

python -m benchmarks.rig.planning DEVICES INTERVAL_S       prints one JSON object
"""

import gc
import json
import subprocess
import sys
import time

from benchmarks.rig.environments import TOP
from streampoll.config.jobs import Job
from streampoll.coordinator.layout import lay_out
from streampoll.coordinator.line import Line, Pace
from streampoll.embedded.fleet import device_address
from streampoll.model import Device
from streampoll.shards.port import Answer, Dispatched
from streampoll.worker.process import resident_bytes

SHARDS, BATCH, TICKS = 16, 100, 20
_START = 1_767_960_000


def plan_cost(devices: int, interval_s: int) -> dict[str, float]:
    """Measure in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.rig.planning", str(devices), str(interval_s)]
    done = subprocess.run(command, cwd=TOP, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(devices: int, interval_s: int) -> dict[str, float]:
    """Lay the devices out and go through some ticks, each answered at once."""
    listed = [Device(f"sim-{n:07}", device_address(n), profile="get10") for n in range(devices)]
    gc.collect()
    before, began = resident_bytes(), time.perf_counter()
    plans = list(lay_out([Job("bench", every_s=interval_s)], listed, SHARDS))
    laid_out_s = time.perf_counter() - began
    plan_bytes = resident_bytes() - before
    lines = []
    for plan in plans:
        line = Line("bench", plan.terms.shard, _START)
        line.change(plan, _START)
        line.plan = plan
        lines.append(line)
    ticks_s = [_tick(lines, _START + number) for number in range(TICKS)]
    return {
        "plan_bytes_per_device": round(plan_bytes / devices, 1),
        "plan_us_per_device": round(1e6 * laid_out_s / devices, 2),
        "tick_ms": round(1000 * sorted(ticks_s)[TICKS // 2], 3),
        "tick_us_per_device": round(1e6 * sum(ticks_s) / max(1, TICKS * devices / interval_s), 2),
    }


def _tick(lines: list[Line], now: int) -> float:
    """Return the seconds that a tick takes the coordinator, servers aside."""
    pace = Pace(grace_s=10, batch_size=BATCH)
    began = time.perf_counter()
    for line in lines:
        parts = line.wanted(now, pace)
        line.heard(parts, [Dispatched(Answer.OK, part.mark) for part in parts])
    return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
