"""Prometheus' snmp_exporter, from the distribution: scraped over kept connections; its answers are stored nowhere."""

import asyncio
import itertools
import os
import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import yaml

from benchmarks.contenders.ground import Asked, Ground, Runner, begun
from benchmarks.rig.environments import MissingPeer
from benchmarks.rig.processes import running, tail, wait_until
from benchmarks.rig.roles import Roles
from streampoll.embedded.places import free_port

AT_ONCE = 32  # scrapes in flight
_PAUSE_S = 0.1  # before a connection that broke is made again
_INDEXES = [{"labelname": "ifIndex", "type": "gauge"}]
_RETURNED = re.compile(rb"^snmp_scrape_pdus_returned (\S+)$", re.MULTILINE)
PROGRAMS = ("prometheus-snmp-exporter", "snmp_exporter")


@contextmanager
def snmp_exporter(ground: Ground) -> Iterator[Runner]:
    """Run the exporter, and scrape it from a thread of this process."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise MissingPeer("not installed: apt-get install --no-install-recommends prometheus-snmp-exporter")
    configuration, log, port = ground.where / "snmp.yml", ground.where / "exporter.log", free_port()
    configuration.write_text(yaml.safe_dump(_module(ground)))
    configuration.chmod(0o600)
    command = [program, f"--config.file={configuration}", f"--web.listen-address=127.0.0.1:{port}"]
    with running(command, log) as exporter:
        scraper = Scraper(port, ground)
        wait_until(scraper.reachable, 20, f"the exporter\n{tail(log)}")
        with scraper.at_work():
            roles = Roles({"exporter": [exporter.pid]})
            versions = {"snmp_exporter": _version(program)}
            runner = Runner(
                roles, lambda: scraper.done, lambda: scraper.values, versions, [exporter], scraper.failed_since
            )
            with begun(runner, lambda: f"{scraper.trouble} {tail(log)}") as ready:
                yield ready


def _module(ground: Ground) -> dict[str, object]:
    """Return snmp.yml of releases up to 0.22, in which a module has its credentials."""
    asked = ground.asked
    module: dict[str, object] = {"get": [value.oid for value in asked.scalars], "metrics": _metrics(asked)}
    if asked.columns:
        module |= {"walk": [value.oid for value in asked.columns], "max_repetitions": asked.repetitions}
    return {asked.profile: {**module, "version": 2, "auth": {"community": ground.community}}}


def _metrics(asked: Asked) -> list[dict[str, object]]:
    """Return what the exporter gives; it gives a value once, also where it is asked alone and in a column."""
    metrics: dict[str, dict[str, object]] = {}
    for value in (*asked.columns, *asked.scalars):
        scalar, column = value.oid.endswith(".0"), value.oid if value in asked.columns else value.oid.rpartition(".")[0]
        metric: dict[str, object] = {
            "name": value.name, "oid": column, "type": "counter" if value.numeric else "DisplayString",
            "help": value.name,
        }  # fmt: skip
        metrics.setdefault(column, metric if scalar else {**metric, "indexes": _INDEXES})
    return list(metrics.values())


class Scraper:
    """Keeps a number of scrapes in flight."""

    def __init__(self, port: int, ground: Ground) -> None:
        self._port = port
        self._targets = itertools.cycle([f"{address}:{ground.port}" for address in ground.addresses])
        self._profile = ground.asked.profile
        self._names = [str(metric["name"]).encode() for metric in _metrics(ground.asked)]
        self._stop = threading.Event()
        self.values: Counter[int] = Counter()  # how many each scrape got from its device
        self.trouble = ""
        self._failed: list[float] = []  # when scrapes failed, by the wall clock

    @property
    def done(self) -> int:
        """How many scrapes had every metric."""
        return self.values.total()

    def failed_since(self, since: float) -> int:
        """Return how many scrapes have failed since then."""
        return sum(at >= since for at in self._failed)

    def reachable(self) -> bool:
        """Tell whether the exporter listens."""
        import socket

        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self._port)) == 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Scrape as long as the block."""
        thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(10)

    async def _all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._scrape(), name=f"scrape {number}")

    async def _scrape(self) -> None:
        """Scrape until told to stop, on a new connection where one breaks."""
        while not self._stop.is_set():
            try:
                await self._connected()
            except (OSError, EOFError, ValueError) as error:
                self._fail(f"{type(error).__name__}: {error}")
                await asyncio.sleep(_PAUSE_S)

    async def _connected(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while not self._stop.is_set():
                writer.write(self._request(next(self._targets)))
                head = await reader.readuntil(b"\r\n\r\n")
                body = await _body(reader, head)
                if b" 200 " in head and all(name in body for name in self._names):
                    self.values[values_of(body)] += 1
                else:
                    self._fail(body[:300].decode(errors="replace"))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _request(self, target: str) -> bytes:
        return f"GET /snmp?module={self._profile}&target={target} HTTP/1.1\r\nHost: exporter\r\n\r\n".encode()

    def _fail(self, trouble: str) -> None:
        self.trouble = trouble
        self._failed.append(time.time())


def values_of(body: bytes) -> int:
    """Read how many values the exporter got from the device."""
    found = _RETURNED.search(body)
    return int(float(found[1])) if found else 0


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Read a body of known length, or in chunks."""
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if b"content-length" in fields:
        return await reader.readexactly(int(fields[b"content-length"]))
    body = b""
    while length := int(await reader.readline(), 16):
        body += await reader.readexactly(length)
        await reader.readline()
    await reader.readline()
    return body


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, env=dict(os.environ))
    words = (said.stdout or said.stderr).split()
    return words[words.index("version") + 1].rstrip(",") if "version" in words else "unknown"
