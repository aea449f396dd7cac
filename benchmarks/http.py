"""HTTP: CPU of a poll with kept sessions, against httpx with a login kept, or anew each poll; memory of a session.

Devices (addresses of 127/8) are uvicorn with TLS in a child process, on another core. A poll is two requests with a
token. httpx is asked with a client and token kept for each device, and as a script does: a TLS connection, a login, the
requests and a logout each time. Medians are of the cycles after the first, in which kept sessions log in.
"""

import asyncio
import gc
import multiprocessing
import os
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import uvloop

from benchmarks.rig.figures import ratio
from benchmarks.rig.report import Report, Table, emit, parser_of, progress
from streampoll.config.secret import Secret
from streampoll.config.settings import HttpSettings
from streampoll.http.credential import HttpCredential, Login, Logout
from streampoll.http.plan import Field, HttpPlan, JsonBody, Request, TableRule
from streampoll.model import Status, Target
from streampoll.pollers.http import HttpPoller

OURS, KEPT = "streampoll, kept sessions", "httpx, client and login kept"
ANEW, ANEW_TLS = "httpx, a new client and login a poll", "httpx, with a TLS context of its own"
PORTS = b'{"data": [%s]}' % b", ".join(b'{"name": "eth%d", "stats": {"rx": 123456789}}' % n for n in range(48))
ANSWERS = {
    "/login": b'{"token": "a-token"}',
    "/system": b'{"name": "edge-1", "uptime": 123456}',
    "/ports": PORTS,
    "/logout": b"{}",
}
LOGIN = Login(
    "poller", Secret("benchmark"), "/login", JsonBody('{"u": "{user}", "p": "{password}"}'), "token",
    logout=Logout("/logout"),
)  # fmt: skip
PLAN = HttpPlan(
    "bench",
    (
        Request("system", "/system", scalars=(Field("name", "name"), Field("uptime", "uptime"))),
        Request(
            "ports",
            "/ports",
            tables=(TableRule("ports", "data", (Field("name", "name"), Field("rx", "stats.rx")), "name"),),
        ),
    ),
)

Poll = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Load:
    """What is polled."""

    devices: int
    at_once: int
    cycles: int
    port: int
    ca: str

    def addresses(self) -> list[str]:
        """Return the devices' addresses."""
        return [f"127.8.{number // 250}.{number % 250 + 1}" for number in range(self.devices)]


# -- the devices


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWERS[scope["path"]]})


def serve(pipe: Connection, core: int | None, directory: str) -> None:
    """Answer on all of 127/8 until killed; say the port once it is there."""
    _pin(core)
    server = uvicorn.Server(
        uvicorn.Config(
            answer, host="0.0.0.0", port=0, lifespan="off", ws="none", log_config=None, timeout_keep_alive=600,
            ssl_certfile=f"{directory}/cert.pem", ssl_keyfile=f"{directory}/key.pem",
        )
    )  # fmt: skip

    async def main() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        pipe.send(server.servers[0].sockets[0].getsockname()[1])
        await task

    uvloop.run(main())


# -- the ways to poll


def kept(poller: HttpPoller, load: Load) -> Poll:
    """Poll as a worker does."""
    who = HttpCredential(LOGIN, tls_ca=load.ca)

    async def poll(address: str) -> None:
        target = Target(address, address, load.port, "bench", "", {"http.tls_verify": "chain", "http.tls_ca": load.ca})
        outcome = await poller.poll(target, PLAN, who, asyncio.get_running_loop().time() + 60)
        assert outcome.status is Status.OK, outcome.error

    return poll


def anew(load: Load, context: ssl.SSLContext | None) -> Poll:
    """Poll as a script does; with a context that is shared, or a new one each time."""

    async def poll(address: str) -> None:
        tls = context or _context(load)
        async with httpx.AsyncClient(base_url=f"https://{address}:{load.port}", verify=tls, timeout=60) as client:
            login = await client.post("/login", json={"u": "poller", "p": "benchmark"})
            client.headers["Authorization"] = f"Bearer {login.json()['token']}"
            for path in ("/system", "/ports"):
                (await client.get(path)).raise_for_status().json()
            await client.post("/logout")

    return poll


def bare(load: Load, context: ssl.SSLContext, stack: AsyncExitStack) -> Poll:
    """Poll with one client of httpx a device, which has its token; nobody looks at what the answers say."""
    clients: dict[str, httpx.AsyncClient] = {}

    async def poll(address: str) -> None:
        client = clients.get(address)
        if client is None:
            opened = httpx.AsyncClient(base_url=f"https://{address}:{load.port}", verify=context, timeout=60)
            client = clients[address] = await stack.enter_async_context(opened)
            login = await client.post("/login", json={"u": "poller", "p": "benchmark"})
            client.headers["Authorization"] = f"Bearer {login.json()['token']}"
        for path in ("/system", "/ports"):
            (await client.get(path)).raise_for_status().json()

    return poll


def _context(load: Load) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=load.ca)
    context.check_hostname = False
    return context


# -- measuring


async def cycle(poll: Poll, load: Load) -> tuple[float, float]:
    """Poll each device once; return (seconds, CPU seconds)."""
    slots = asyncio.Semaphore(load.at_once)

    async def one(address: str) -> None:
        async with slots:
            await poll(address)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(one, load.addresses()))
    return time.perf_counter() - began, time.process_time() - cpu


async def median(name: str, poll: Poll, load: Load) -> dict[str, float]:
    """Measure some cycles."""
    await cycle(poll, load)
    times = [await cycle(poll, load) for _ in range(load.cycles)]
    wall, cpu = (statistics.median(each) for each in zip(*times, strict=True))
    found = {"polls_per_s": round(load.devices / wall, 1), "cpu_ms_per_poll": round(cpu / load.devices * 1e3, 3)}
    progress(f"{name}: {found['cpu_ms_per_poll']} ms of CPU a poll")
    return found


async def measure(load: Load) -> dict[str, Any]:
    """Return all figures."""
    poller = HttpPoller(HttpSettings())
    await kept(poller, load)(load.addresses()[0])  # what is imported and shared is not a session's
    gc.collect()
    before = _rss_bytes()
    ways = {OURS: await median(OURS, kept(poller, load), load)}
    gc.collect()
    size = (_rss_bytes() - before) / load.devices
    await poller.close()
    async with AsyncExitStack() as stack:
        ways[KEPT] = await median(KEPT, bare(load, _context(load), stack), load)
    ways[ANEW] = await median(ANEW, anew(load, _context(load)), load)
    ways[ANEW_TLS] = await median(ANEW_TLS, anew(load, None), load)
    return {"ways": ways, "session_kb": round(size / 1024)}


def report_of(found: dict[str, Any], load: Load) -> Report:
    """Put the ways side by side."""
    ways = found["ways"]
    against = {name: ratio(of["cpu_ms_per_poll"], ways[OURS]["cpu_ms_per_poll"]) for name, of in ways.items()}
    title = (
        f"{load.devices} devices, {load.at_once} at once, 2 requests a poll, TLS; a session: {found['session_kb']} KB"
    )
    columns = ("", "polls/s", "CPU ms a poll", "streampoll is")
    rows = [(name, *of.values(), None if name == OURS else against[name]) for name, of in ways.items()]
    return Report("http", {**found, "ratio": against}, [Table(title, columns, rows)])


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _pin(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


def main(argv: list[str]) -> int:
    """Start the devices in a child on another core, and measure."""
    parser = parser_of(__doc__)
    parser.add_argument("--devices", type=int, default=300, help="(default 300)")
    parser.add_argument("--at-once", type=int, default=50, help="polls at a time (default 50)")
    parser.add_argument("--cycles", type=int, default=5, help="of each way (default 5)")
    chosen = parser.parse_args(argv)
    ours, theirs = [*sorted(os.sched_getaffinity(0)), None, None][:2]
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    with tempfile.TemporaryDirectory() as directory:
        argv = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bench -keyout key.pem -out cert.pem"
        subprocess.run(argv.split(), cwd=directory, check=True, capture_output=True)
        child = context.Process(target=serve, args=(there, theirs, directory), daemon=True)
        child.start()
        load = Load(chosen.devices, chosen.at_once, chosen.cycles, here.recv(), f"{directory}/cert.pem")
        _pin(ours)
        try:
            report = report_of(uvloop.run(measure(load)), load)
        finally:
            child.kill()
            child.join()
    emit(report, chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
