"""Outputs of a deployment that runs: a real Prometheus, an InfluxDB that hangs, a file, a Redis stream."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streampoll.embedded.fleet import FleetSettings
from tests.e2e_support import CREDENTIALS, START_S, Deployment, deployed
from tests.prometheus_support import Prometheus, running_prometheus
from tests.waiting import eventually

TOKEN = "t0ken-of-influx"
OUTPUTS = """
[outputs.prometheus]
kind = "remote_write"
url = "{prometheus}/api/v1/write"

[outputs.influx]
kind = "influx"
url = "{influx}"
credential = "influx"
timeout_s = 0.3
max_back_off_s = 0.5

[outputs.archive]
kind = "jsonl"
path = "results.jsonl"

[outputs.bus]
kind = "redis"
url = "{redis}"
credential = "bus"
stream = "copies"
"""
MORE_CREDENTIALS = """
[credentials.influx]
protocol = "http"
scheme = "api_key"
header = "Authorization"
key = { env = "INFLUX_TOKEN" }

[credentials.bus]
protocol = "http"
scheme = "basic"
user = "default"
password = { env = "BUS_PASSWORD" }
"""


@dataclass
class Influx:
    """A server that hangs until it is let go, then takes lines."""

    url: str = ""
    go_on: threading.Event = field(default_factory=threading.Event)
    asked: int = 0
    lines: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)


@contextmanager
def influx_running() -> Iterator[Influx]:
    influx = Influx()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            influx.asked += 1
            influx.tokens.add(self.headers.get("Authorization", ""))
            if not influx.go_on.is_set():
                influx.go_on.wait(START_S)
                self.close_connection = True
                return
            influx.lines += body.decode().splitlines()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    influx.url = f"http://127.0.0.1:{server.server_port}/write"
    try:
        yield influx
    finally:
        influx.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    with running_prometheus(tmp_path) as running:
        yield running


@pytest.fixture
def influx() -> Iterator[Influx]:
    with influx_running() as running:
        yield running


@pytest.fixture
def system(
    open_directory: Path, fresh_redis: str, fresh_database: str, prometheus: Prometheus, influx: Influx
) -> Iterator[Deployment]:
    login, _, place = fresh_redis.removeprefix("redis://").rpartition("@")
    more = OUTPUTS.format(prometheus=prometheus.url, influx=influx.url, redis=f"redis://{place}")
    fleet = FleetSettings(devices=10, latency_ms=(1, 1))
    with deployed(open_directory, fresh_redis, fresh_database, every="1s", fleet=fleet, more=more) as deployment:
        (open_directory / "credentials.toml").write_text(CREDENTIALS + MORE_CREDENTIALS)
        deployment.environ |= {"INFLUX_TOKEN": f"Token {TOKEN}", "BUS_PASSWORD": login.removeprefix(":")}
        yield deployment


def lines(system: Deployment) -> list[dict]:
    path = system.where / "results.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def written(influx: Influx) -> set[str]:
    """Return the polls that InfluxDB has, by device and time."""
    return {line for line in influx.lines if line.startswith("streampoll_poll,")}


def test_one_output_that_hangs_holds_neither_polling_nor_the_others_and_catches_up(
    system: Deployment, prometheus: Prometheus, influx: Influx
) -> None:
    checked = system.run("check", "--connect")
    assert "outputs.influx: no answer" in checked.stderr
    assert "outputs.prometheus" not in checked.stderr
    coordinator = system.start("coordinator")
    worker = system.start("worker", "--processes", "2")

    eventually(lambda: system.polled(100) and influx.asked > 3, START_S)  # it hangs all the while
    eventually(lambda: len(prometheus.query("streampoll_device_up == 1")) == 10, START_S)
    assert len(prometheus.query('sysUpTime{job="fast",instance="sim-0003"} > 0')) == 1
    eventually(lambda: len(lines(system)) >= 100, START_S)
    with system.redis() as client:
        eventually(lambda: client.xlen("copies") >= 100, START_S)
        assert client.xrange("copies", count=1)[0][1].keys() == {b"device", b"job", b"slot", b"status", b"json"}
    late = system.query("SELECT count(*) FROM polls WHERE stored_ms > 4000")[0][0]
    assert late == 0
    rows = {row["output"]: row for row in system.stats()["outputs"]}
    assert rows["influx"]["waiting"] >= 50
    assert "no answer within 0.3 s" in rows["influx"]["error"]
    assert rows["archive"]["error"] == ""
    assert "influx" in system.run("stats").stdout

    influx.go_on.set()
    assert coordinator.stop() == 0
    eventually(system.drained, START_S)
    stored = system.count()
    eventually(lambda: len(written(influx)) == stored, START_S)
    eventually(lambda: len(lines(system)) == stored, START_S)
    assert all("sysUpTime" in each["values"] for each in lines(system) if each["status"] == "ok")
    figures = system.audit()
    assert (figures["missing"], figures["duplicates"]) == (0, 0)
    eventually(lambda: all(row["waiting"] == 0 for row in system.stats()["outputs"]), START_S)

    assert influx.tokens == {f"Token {TOKEN}"}
    assert worker.stop() == 0
    shown = "".join(running.said for running in system.running) + json.dumps(system.stats())
    with system.redis() as client:
        shown += "".join(str(client.dump(key)) for key in client.scan_iter("*"))
    assert TOKEN not in shown
    assert "Traceback" not in shown
