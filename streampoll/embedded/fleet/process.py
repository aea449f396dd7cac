"""The fleet as a process of its own: `python -m streampoll.embedded.fleet`.

It prints one line of JSON with its port when it answers, and exits 0 on SIGTERM or SIGINT. Whoever starts it may ask it
to die with them; then nothing is left behind however they end.
"""

import asyncio
import ctypes
import gc
import json
import os
import signal
import sys
from dataclasses import dataclass

import uvloop

from streampoll.embedded.fleet.server import Fleet
from streampoll.embedded.fleet.settings import FleetSettings

PR_SET_PDEATHSIG = 1  # prctl(2)
COMMUNITY_VARIABLE = "STREAMPOLL_FLEET_COMMUNITY"  # a community is a secret, and argv is public
V3_VARIABLE = "STREAMPOLL_FLEET_V3"


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """How the process behaves, beside what it simulates."""

    report: bool = False  # print a line of JSON with the figures at the end
    parent: int = 0  # end when the process of this number, which started this one, does; 0: go on


@dataclass(frozen=True, slots=True)
class Spawn:
    """How to run a fleet as a child process."""

    arguments: tuple[str, ...]
    environment: dict[str, str]  # to be added to the child's


def spawn(settings: FleetSettings, *, report: bool = False) -> Spawn:
    """Return the command of a fleet that ends with this process.

    It prints `{"port": N}` on standard output when it answers, and with `report` the figures when it ends. It must be
    started from a thread that lives as long as it shall: the kernel takes that thread for the parent.
    """
    low_ms, high_ms = settings.latency_ms
    fewest, most = settings.interfaces
    options = {
        "port": settings.port, "seed": settings.seed, "devices": settings.devices, "silent": settings.silent,
        "loss": settings.loss, "latency": f"{low_ms}-{high_ms}", "interfaces": f"{fewest}-{most}",
        "reboot-every": settings.reboot_every_s, "max-reply": settings.max_reply_bytes,
        "too-big": settings.too_big_bytes, "community-env": COMMUNITY_VARIABLE, "parent": os.getpid(),
    }  # fmt: skip
    arguments = [sys.executable, "-m", "streampoll.embedded.fleet"]
    arguments += [f"--{name}={value}" for name, value in options.items()]
    arguments += [f"--recording={recording}" for recording in settings.recordings]
    environment = {COMMUNITY_VARIABLE: settings.community}
    if settings.v3_passphrase:
        arguments.append(f"--v3-env={V3_VARIABLE}")
        environment[V3_VARIABLE] = settings.v3_passphrase
    return Spawn((*arguments, *["--report"] * report), environment)


def run(settings: FleetSettings, options: ProcessOptions) -> None:
    """Run a fleet until SIGTERM or SIGINT.

    Raises:
        ConfigError: the settings can't be used.
    """
    if options.parent:
        die_with(options.parent)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(_run(Fleet(settings)))
    if options.report:
        print(json.dumps(figures), flush=True)  # noqa: T201 - the report is this process' output


def die_with(parent: int) -> None:
    """Have the kernel end this process with SIGTERM when `parent` ends, also if it just has."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)


async def _run(fleet: Fleet) -> dict[str, int | float]:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    gc.freeze()  # the MIBs live as long as the process: no need to look through them again and again
    async with fleet:
        print(json.dumps({"port": fleet.port}), flush=True)  # noqa: T201
        await ended.wait()
    return fleet.figures.report()
