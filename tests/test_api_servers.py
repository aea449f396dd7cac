"""The API on real servers, on none, and over real connections that last."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from streampoll.embedded.places import free_port
from tests.api_server_support import configured, serving
from tests.e2e_support import Deployment
from tests.waiting import eventually

AWAY = ("redis://127.0.0.1:1/0", "postgresql://nobody@127.0.0.1:1/none")


@contextmanager
def listening(url: str, **headers: str) -> Iterator[Iterator[tuple[str, int, Any]]]:
    """Yield the (event, id, data) that a listener of the stream is sent."""
    with httpx.Client(timeout=10) as client, client.stream("GET", f"{url}/api/v1/stream", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _messages(answer.iter_lines())


def _messages(lines: Iterator[str]) -> Iterator[tuple[str, int, Any]]:
    said: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        said[name] = value
        if not line and "data" in said:
            yield said["event"], int(said["id"]), json.loads(said["data"])
            said = {}


def test_with_both_servers_away_it_says_so_and_shows_what_it_can(open_directory: Path) -> None:
    with serving(configured(open_directory), *AWAY) as url, httpx.Client(base_url=url, timeout=20) as client:
        assert client.get("/healthz").json()["ok"]
        ready = client.get("/readyz")
        wrong = {check["name"]: check["detail"] for check in ready.json()["checks"] if not check["ok"]}
        assert ready.status_code == 503
        assert "Redis" in wrong["redis"]
        assert "PostgreSQL" in wrong["postgres"]
        queues = client.get("/api/scheduler/queues")
        assert (queues.status_code, queues.json()["success"]) == (503, False)
        assert client.get("/api/v1/stats").json()["stats"]["troubles"]
        page = client.get("/api/v1/devices", params={"q": "r1", "limit": 3}).json()
        assert [row["name"] for row in page["devices"]] == ["r1", "r10", "r11"]
        assert page["devices"][0]["last"] is None
        assert "PostgreSQL" in page["trouble"]
        assert client.post("/api/v1/jobs/interfaces/pause", json={}).status_code == 503
        assert client.post("/api/v1/run", json={"devices": ["r1"]}).status_code == 503
        assert client.get("/api/v1/devices/r1").json()["troubles"]


def test_devices_are_paged_and_searched(open_directory: Path, fresh_redis: str, fresh_database: str) -> None:
    with serving(configured(open_directory), fresh_redis, fresh_database) as url, httpx.Client(base_url=url) as client:
        names, after = [], ""
        while after is not None:
            page = client.get("/api/v1/devices", params={"limit": 7, "after": after}).json()
            names += [row["name"] for row in page["devices"]]
            after = page["after"]
        assert names == sorted(f"r{n}" for n in range(1, 21))
        assert page["total"] == 20
        found = client.get("/api/v1/devices", params={"site": "gva", "q": "192.0.2.1"}).json()["devices"]
        assert [row["name"] for row in found] == ["r10", "r12", "r14", "r16", "r18"]
        assert found[0]["jobs"] == ["interfaces", "nightly"]
        unknown = client.get("/api/v1/devices/r99")
        assert "r9" in unknown.json()["detail"]
        sites = client.get("/api/v1/sites").json()["sites"]
        assert [(site["site"], site["devices"], site["unknown"]) for site in sites] == [
            ("gva", 10, 10),
            ("zrh", 10, 10),
        ]


def test_listeners_are_told_each_second(open_directory: Path, fresh_redis: str, fresh_database: str) -> None:
    with (
        serving(configured(open_directory), fresh_redis, fresh_database) as url,
        listening(url) as first,
        listening(url) as second,
    ):
        one, other = [next(first), next(first)], [next(second), next(second)]
    assert [event for event, _, _ in one] == ["stats", "stats"]
    assert one[0][1] < one[1][1]
    assert {number for _, number, _ in one} & {number for _, number, _ in other}  # one reader for both
    assert one[0][2]["stats"]["queues"]


def test_listeners_are_let_go_at_the_end(open_directory: Path, fresh_redis: str, fresh_database: str) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(timeout=20))
        with serving(configured(open_directory), fresh_redis, fresh_database) as url:
            lasting = stack.enter_context(client.stream("GET", f"{url}/api/v1/stream"))
            began = time.monotonic()
        assert "retry: 3000" in list(lasting.iter_lines())  # it ended whole: a cut would raise
        assert time.monotonic() - began < 10


def test_so_many_may_listen_and_no_more(open_directory: Path, fresh_redis: str, fresh_database: str) -> None:
    with (
        serving(configured(open_directory), fresh_redis, fresh_database, STREAMPOLL_API_STREAMS="1") as url,
        listening(url) as first,
    ):
        next(first)
        refused = httpx.get(f"{url}/api/v1/stream")
        assert "api.streams" in refused.json()["detail"]


@pytest.fixture
def command(open_directory: Path, fresh_redis: str, fresh_database: str) -> Deployment:
    """A configuration for `streampoll api` as a command."""
    environ = {
        "STREAMPOLL_REDIS_URL": fresh_redis, "STREAMPOLL_POSTGRES_DSN": fresh_database, "PATH": "/usr/bin:/bin",
    }  # fmt: skip
    return Deployment(configured(open_directory), fresh_redis, fresh_database, environ)


def test_a_port_that_is_taken_is_one_line(command: Deployment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command.run("api", STREAMPOLL_API_PORT=str(port))
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if "api.port" in line]
    assert len(said) == 1
    assert f"{port} of 127.0.0.1 is taken" in said[0]
    assert "Traceback" not in done.stderr


def test_others_are_not_served_before_there_is_a_token(command: Deployment) -> None:
    everywhere = {"STREAMPOLL_API_HOST": "0.0.0.0", "STREAMPOLL_API_PORT": str(free_port())}
    done = command.run("api", **everywhere)
    assert done.returncode == 2
    assert "streampoll token create" in done.stderr
    assert command.run("token", "create", "--role", "operator").returncode == 0
    command.environ |= everywhere
    running = command.start("api")
    try:
        url = f"http://127.0.0.1:{everywhere['STREAMPOLL_API_PORT']}"
        eventually(lambda: _answers(url), 20)
        assert running.stop() == 0
    finally:
        running.end()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False
