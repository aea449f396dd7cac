"""Discovery over 65,536 addresses of 127/8 of which 1 % answer SNMP.

The kernel answers ping for all of 127/8, so the pinger is a fake that knows which addresses are there: twice as many as
answer SNMP. What is not there costs its time-out, as it does in a real network. Bar: under 180 s for all of them, and
each that answers SNMP is found.
"""

import asyncio
import resource
import sys
import time

import uvloop

from benchmarks.rig.report import Report, Table, emit, parser_of
from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.discovery.networks import Networks
from streampoll.discovery.probe import Prober
from streampoll.discovery.report import Seen
from streampoll.discovery.sweep import sweep
from streampoll.embedded.fleet import FleetSettings
from streampoll.model import Outcome, Target
from streampoll.ping.port import Echo
from streampoll.pollers.snmp import SnmpPoller
from streampoll.snmp.credential import Community
from streampoll.snmp.plan import CollectPlan
from tests.fleet_support import running_fleet

ALIVE_OF_100 = 2
SILENT, NEAR = 0.5, 0.1  # which of the living are silent is drawn: so many are found, to within a tenth
BAR_S = 180.0


class FakePinger:
    """Answers for two addresses of a hundred, after 2 ms; the others time out. Half of them are silent over SNMP."""

    method = "icmp"

    async def ask(self, address: str, timeout_s: float) -> Echo:
        last = sum(int(part) << 8 * place for place, part in enumerate(reversed(address.split("."))))
        alive = last % 100 < ALIVE_OF_100
        await asyncio.sleep(0.002 if alive else timeout_s)
        return Echo(0.002 if alive else None)

    async def close(self) -> None:
        """Nothing is open."""


async def run(network: str, port: int) -> Seen:
    """Discover as `streampoll discover` does by default, with a wrong credential before the right one."""
    seen, poller = Seen(), SnmpPoller(SnmpSettings(timeout_s=1.0, retries=1))
    credentials = {"old": Community(Secret("retired")), "new": Community(Secret("public"))}

    async def ask(target: Target, plan: CollectPlan, name: str, deadline: float) -> Outcome:
        return await poller.poll(target, plan, credentials[name], deadline)

    prober = Prober(ask, tuple(credentials), FakePinger(), port, 1.0, 6.0)
    await sweep(Networks([network]), prober.probe, seen.note, rate_per_s=1000, at_once=4000)
    await poller.close()
    return seen


def main(argv: list[str]) -> int:
    """Run the benchmark; 1 if the bar is missed."""
    parser = parser_of(__doc__)
    parser.add_argument("--bits", type=int, default=16, help="2**bits addresses (default 16)")
    options = parser.parse_args(argv)
    with running_fleet(FleetSettings(silent=SILENT, latency_ms=(1, 5), interfaces=(2, 2))) as fleet:
        began = time.perf_counter()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            seen = runner.run(run(f"127.16.0.0/{32 - options.bits}", fleet.port))
        wall_s = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    metrics = {
        "addresses": seen.asked,
        "alive": seen.alive,
        "found": len(seen.found),
        "wall_s": round(wall_s, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "rss_mb": used.ru_maxrss // 1024,
    }
    emit(Report("discover", metrics, [Table("discovery", (*metrics,), [(*metrics.values(),)])]), options)
    answering = ALIVE_OF_100 / 100 * seen.asked * (1 - SILENT)
    return int(wall_s > BAR_S or abs(len(seen.found) / answering - 1) > NEAR)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
