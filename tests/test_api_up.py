"""The API beside everything else: what it says is true, and what it is told to do is done and accounted for."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from streampoll.embedded.fleet import FleetSettings
from streampoll.embedded.places import free_port
from tests.e2e_support import START_S, Deployment, deployed
from tests.waiting import eventually

SMALL = FleetSettings(devices=60, silent=0.0, latency_ms=(5.0, 50.0), interfaces=(1, 2))


class Api:
    """A client of the API of an `up`."""

    def __init__(self, deployment: Deployment, url: str) -> None:
        self.deployment = deployment
        self.client = httpx.Client(base_url=url, timeout=10)

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
        answer = self.client.post(path, json=body or {})
        assert answer.status_code == status, answer.text
        return answer.json()

    def ready(self) -> bool:
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def job(self) -> dict[str, Any]:
        return self.get("/api/v1/jobs/fast")


@pytest.fixture
def api(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Api]:
    """A deployment that runs, with its API, on servers of the test."""
    with deployed(open_directory, fresh_redis, fresh_database, every="2s", fleet=SMALL) as deployment:
        port = free_port()
        deployment.environ |= {"STREAMPOLL_API_ENABLED": "true", "STREAMPOLL_API_PORT": str(port)}
        deployment.start("up", "--processes", "2")
        served = Api(deployment, f"http://127.0.0.1:{port}")
        with served.client:
            eventually(served.ready, START_S)
            yield served


def newest(api: Api) -> int:
    """The newest slot that has a row."""
    return api.deployment.query("SELECT coalesce(extract(epoch FROM max(slot))::bigint, 0) FROM polls")[0][0]


def test_a_paused_job_is_not_polled_and_the_audit_stays_exact(api: Api) -> None:
    eventually(lambda: api.deployment.polled(60), START_S)
    api.post("/api/v1/jobs/fast/pause", {"reason": "the core is moved"})
    eventually(lambda: api.job()["devices"] == 0, START_S)
    assert api.job()["paused"]["reason"] == "the core is moved"
    assert "job fast is paused" in api.deployment.run("stats").stdout
    eventually(lambda: api.job()["unfinished"] == 0, START_S)
    paused = api.deployment.count()

    # by hand, which a pause does not prevent
    assert api.post("/api/v1/run", {"devices": ["sim-0001", "sim-0002"]}, 202) == {"added": 2, "asked": 2}
    eventually(lambda: api.deployment.count() == paused + 2, START_S)

    # a coordinator that starts anew knows of it
    coordinator = next(pid for pid in api.deployment.running[0].children if b"coord" in comm(pid))
    kill(coordinator)
    eventually(lambda: api.get("/api/v1/stats")["stats"]["leader"], START_S)
    resumed = api.deployment.run("job", "resume", "fast")
    assert resumed.stdout == "job fast goes on\n", resumed.stderr
    eventually(lambda: api.deployment.count() > paused + 60, START_S)

    audit = api.deployment.audit()
    assert (audit["missing"], audit["duplicates"]) == (0, 0)
    slots = api.get("/api/v1/jobs/fast/slots", since="5m")
    final = [slot for slot in slots if slot["final"]]
    assert sum(slot["ok"] for slot in final) > 100
    assert all(slot["missing"] == slot["duplicates"] == 0 for slot in final)
    assert api.deployment.running[0].stop() == 0


def test_a_paused_class_is_read_by_nobody_until_it_is_resumed(api: Api) -> None:
    eventually(lambda: api.deployment.polled(60), START_S)
    assert api.deployment.run("queue", "pause", "results", "--reason", "vacuum").stdout == "results is paused\n"
    eventually(lambda: depth(api, "results")["lag"] > 30, START_S)
    before = newest(api)
    eventually(lambda: depth(api, "results")["lag"] > 90, START_S)
    assert newest(api) == before
    assert [row["name"] for row in api.get("/api/v1/stats")["stats"]["pauses"]] == ["results"]
    api.post("/api/v1/queues/results/resume")
    eventually(lambda: newest(api) > before, START_S)
    assert [each["action"] for each in api.get("/api/v1/actions")] == ["resume", "pause"]
    api.post("/api/v1/queues/results/resume", status=409)
    assert api.deployment.running[0].stop() == 0


def test_tokens_are_made_listed_and_revoked(api: Api) -> None:
    deployment, proxied = api.deployment, {"x-forwarded-for": "203.0.113.9"}
    token = deployment.run("token", "create", "--role", "read", "--name", "wall", "--expires", "1h").stdout.strip()
    asked = {**proxied, "authorization": f"Bearer {token}"}

    def status(headers: dict[str, str]) -> int:
        return api.client.get("/api/v1/workers", headers=headers).status_code

    assert status(proxied) == 401
    eventually(lambda: status(asked) == 200, START_S)
    assert api.client.post("/api/v1/jobs/fast/pause", json={}, headers=asked).status_code == 403
    listed = json.loads(deployment.run("token", "list", "--json").stdout)
    assert (listed["name"], listed["role"]) == ("wall", "read")
    assert token not in str(deployment.query("SELECT * FROM tokens"))
    assert deployment.run("token", "revoke", str(listed["id"])).returncode == 0
    eventually(lambda: status(asked) == 401, START_S)
    assert token not in deployment.running[0].said


def depth(api: Api, queue: str) -> dict[str, Any]:
    """How much of a class there is."""
    classes = api.get("/api/scheduler/queues")["data"]["classes"]
    return next(row for row in classes if row["queue"] == queue)


def comm(pid: int) -> bytes:
    """What `top` calls a process."""
    return Path(f"/proc/{pid}/comm").read_bytes()


def kill(pid: int) -> None:
    """Kill a process, as the kernel's memory killer would."""
    os.kill(pid, signal.SIGKILL)
