"""The bare request loop: 10-varbind GETs from one process to net-snmp's agent pinned to another core.

Ours in v2c and in v3 (SHA-256, AES-128), gufo_snmp and pysnmp in one run. Each peer asks in rounds that take turns, so
that a noisy neighbour hits all; a figure is the median round. Requests a second of wall clock are bounded by the agent,
too, and by who else runs on the machine; requests a second of CPU are not, so the ratios are of those. Needs snmpd and
gufo-snmp (group `bench`).

    python benchmarks/codec.py [--seconds 12] [--json]
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.snmp.ber import encode_oid
from streampoll.snmp.client import WireEngine
from streampoll.snmp.credential import AuthProtocol, Community, Credential, PrivProtocol, UsmUser
from streampoll.snmp.engine import Agent, Engine, Limits, Reply
from streampoll.snmp.engines import make_pysnmp_engine
from streampoll.snmp.message import PduType, Request
from tests.snmp_support import V3_KEY, SnmpdAgent

_IF_ENTRY = (1, 3, 6, 1, 2, 1, 2, 2, 1)
OIDS = [(1, 3, 6, 1, 2, 1, 1, 3, 0), (1, 3, 6, 1, 2, 1, 1, 5, 0)] + [
    (*_IF_ENTRY, column, 1) for column in (10, 11, 13, 14, 16, 17, 19, 20)
]
V2C = Community(Secret("public"))
V3 = UsmUser("sha256aes", AuthProtocol.SHA256, Secret(V3_KEY), PrivProtocol.AES128, Secret(V3_KEY))
IN_FLIGHT = 40
ROUNDS = 5

Ask = Callable[[int], Awaitable[None]]
"""Sends one request from the caller's numbered place and checks the reply."""


@dataclass
class Round:
    """What one peer did in one round."""

    requests: int
    wall_s: float
    cpu_s: float


async def run_round(ask: Ask, seconds: float, in_flight: int) -> Round:
    """Ask without a pause from `in_flight` places."""
    done = 0
    end = time.perf_counter() + seconds

    async def place(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await ask(number)
            done += 1

    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for number in range(in_flight):
            group.create_task(place(number), name=f"place {number}")
    return Round(done, time.perf_counter() - wall, time.process_time() - cpu)


def asker(engine: Engine, port: int, credential: Credential = V2C) -> Ask:
    """Ask through an engine of streampoll, each place another of the agent's addresses."""
    request = Request(PduType.GET, tuple(map(encode_oid, OIDS)))
    agents = [Agent((f"127.0.0.{place + 1}", port), credential, Limits()) for place in range(IN_FLIGHT)]
    loop = asyncio.get_running_loop()

    async def ask(place: int) -> None:
        reply = await engine.request(agents[place], request, loop.time() + 10)
        assert isinstance(reply, Reply), reply
        assert len(reply.varbinds) == len(OIDS)

    return ask


async def pysnmp_asker(port: int) -> tuple[Ask, Callable[[], None]]:
    """Ask through pysnmp as its users do: the high-level API, MIB look-ups off, one engine."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    engine = hlapi.SnmpEngine()
    community, context = hlapi.CommunityData("public"), hlapi.ContextData()
    targets = [await hlapi.UdpTransportTarget.create((f"127.0.0.{n + 1}", port), timeout=10) for n in range(IN_FLIGHT)]

    async def ask(place: int) -> None:
        varbinds = [hlapi.ObjectType(hlapi.ObjectIdentity(oid)) for oid in OIDS]
        error, status, _, answer = await hlapi.get_cmd(
            engine, community, targets[place], context, *varbinds, lookupMib=False
        )
        assert not error, error
        assert not status
        assert len(answer) == len(OIDS)

    return ask, engine.close_dispatcher


async def peers(port: int, seconds: float) -> dict[str, list[Round]]:
    """Let the peers take turns."""
    from gufo.snmp.aio import SnmpSession

    settings = SnmpSettings(packets_per_s=0)
    wire, pysnmp = WireEngine(settings), make_pysnmp_engine(settings)
    hlapi, close_hlapi = await pysnmp_asker(port)
    texts = [".".join(map(str, oid)) for oid in OIDS]
    sessions = [SnmpSession(addr=f"127.0.0.{n + 1}", port=port, community="public") for n in range(IN_FLIGHT)]

    async def ask_gufo(place: int) -> None:
        assert len(await sessions[place].get_many(texts)) == len(OIDS)

    asks = {
        "streampoll": asker(wire, port),
        "streampoll_v3": asker(wire, port, V3),
        "gufo_snmp": ask_gufo,
        "pysnmp": hlapi,
        "our_pysnmp_engine": asker(pysnmp, port),
    }
    cheap = [ask for name, ask in asks.items() if "pysnmp" not in name]
    rounds: dict[str, list[Round]] = {name: [] for name in asks}
    for ask in asks.values():
        await run_round(ask, 0.2, IN_FLIGHT if ask in cheap else 4)  # warm: caches, sockets, pysnmp's tables
    for _ in range(ROUNDS):
        for name, ask in asks.items():
            rounds[name].append(await run_round(ask, seconds / ROUNDS / len(asks), IN_FLIGHT if ask in cheap else 4))
    close_hlapi()
    await wire.close()
    await pysnmp.close()
    return rounds


def figures(rounds: dict[str, list[Round]]) -> dict[str, float]:
    """Sum the rounds up: medians, and ratios of medians."""
    metrics: dict[str, float] = {}
    for name, mine in rounds.items():
        metrics[f"{name}_requests_per_s"] = round(statistics.median(r.requests / r.wall_s for r in mine), 1)
        metrics[f"{name}_requests_per_core_s"] = round(statistics.median(r.requests / r.cpu_s for r in mine), 1)
        metrics[f"{name}_cpu_us_per_request"] = round(statistics.median(r.cpu_s / r.requests for r in mine) * 1e6, 1)
    ours = metrics["streampoll_requests_per_core_s"]
    metrics["v3_over_v2c_cpu"] = round(ours / metrics["streampoll_v3_requests_per_core_s"], 2)
    metrics["times_pysnmp"] = round(ours / metrics["pysnmp_requests_per_core_s"], 1)
    metrics["times_gufo_snmp"] = round(ours / metrics["gufo_snmp_requests_per_core_s"], 2)
    return metrics


def pinned() -> tuple[str, ...]:
    """Keep this process on its first core; returns what pins the agent to the last one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    return ("taskset", "-c", str(cores[-1])) if len(cores) > 1 else ()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12.0, help="in all (default 12)")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ResourceWarning)
    with (
        tempfile.TemporaryDirectory() as directory,
        SnmpdAgent(Path(directory), command=pinned()) as agent,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        metrics = figures(runner.run(peers(agent.port, options.seconds)))
    print(f"{'':18}{'requests/s':>12}{'a core':>12}{'CPU us each':>13}")
    for name in ("streampoll", "streampoll_v3", "gufo_snmp", "pysnmp", "our_pysnmp_engine"):
        rate, core = metrics[f"{name}_requests_per_s"], metrics[f"{name}_requests_per_core_s"]
        cpu = metrics[f"{name}_cpu_us_per_request"]
        print(f"{name:18}{rate:12,.0f}{core:12,.0f}{cpu:13,.1f}")
    print(f"CPU of a v3 request / a v2c one = {metrics['v3_over_v2c_cpu']}")
    print(f"a core, streampoll / pysnmp = {metrics['times_pysnmp']}, / gufo_snmp = {metrics['times_gufo_snmp']}")
    if options.json:
        print(json.dumps({"benchmark": "codec", "metrics": metrics}))


if __name__ == "__main__":
    main()
