"""What workers learned of devices outlives them: sizes, silence, the credential that worked, with real processes."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import PostgresSettings
from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.model import Status
from streampoll.results.postgres import connected
from streampoll.results.reader import StoredPoll, Wanted, results
from tests.e2e_support import START_S, Deployment, deployed
from tests.waiting import eventually

DEVICES, SILENT = 16, 4
EXPIRED = Status.EXPIRED  # while nobody polled
NAMES = [f"sim-{n:04}" for n in range(DEVICES)]
FLEET = FleetSettings(
    devices=DEVICES, silent=SILENT / DEVICES, latency_ms=(1.0, 5.0), interfaces=(6, 6), too_big_bytes=450
)
WRONG = '\n[credentials.wrong]\ncommunity = { env = "WRONG_COMMUNITY" }\n'


@pytest.fixture
def system(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    with deployed(open_directory, fresh_redis, fresh_database, every="2s", fleet=FLEET) as deployment:
        with (deployment.where / "credentials.toml").open("a") as file:
            file.write(WRONG)
        deployment.environ["WRONG_COMMUNITY"] = "not-that-one"
        lines = [f'sim-{n:04},{device_address(n)},interfaces,"wrong, default"' for n in range(DEVICES)]
        deployment.inventory(lines, "name,address,profile,credential")
        yield deployment


def device(system: Deployment, name: str) -> dict[str, Any]:
    done = system.run("device", name, "--json")
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def learned(system: Deployment) -> dict[str, Any]:
    with system.redis() as client:
        return {
            name.decode(): value
            for key in client.scan_iter("sp:{*}:device")
            for name, value in client.hgetall(key).items()
        }


def polls(system: Deployment) -> dict[str, list[StoredPoll]]:
    """The stored polls of each device, the newest first."""

    async def read() -> dict[str, list[StoredPoll]]:
        async with connected(PostgresSettings(dsn=Secret(system.dsn))) as connection:
            return {
                name: [poll async for poll in results(connection, Wanted(name, since=system.began))] for name in NAMES
            }

    return asyncio.run(read())


def silent_devices(system: Deployment) -> set[str]:
    """The devices that never answered, known for it; nothing until all others did (their first polls try a login)."""
    never = {name for name, found in polls(system).items() if found and not any(poll.status.answered for poll in found)}
    known = {name for name, value in learned(system).items() if b"silent" in value}
    return never if len(never) == SILENT and never <= known else set()


def after(system: Deployment, consumers: set[str]) -> dict[str, list[StoredPoll]]:
    """The first two polls of each device that others than these have made; nothing until there are as many."""
    made = {
        name: [poll for poll in reversed(found) if poll.trace.consumer not in consumers and poll.status != EXPIRED]
        for name, found in polls(system).items()
    }
    return {name: found[:2] for name, found in made.items()} if min(map(len, made.values())) >= 2 else {}


def test_a_killed_workers_knowledge_is_its_successors(system: Deployment) -> None:
    system.start("coordinator")
    workers = system.start("worker", "--processes", "2")
    eventually(lambda: len(learned(system)) == DEVICES, START_S)
    silent = eventually(lambda: silent_devices(system), START_S)
    before = {poll.trace.consumer for found in polls(system).values() for poll in found}

    for pid in workers.children:
        os.kill(pid, signal.SIGKILL)

    fresh = eventually(lambda: after(system, before), START_S)
    answering = [name for name in NAMES if name not in silent and fresh[name][-1].status is Status.OK]
    first = [fresh[name][0] for name in answering]
    in_time = [poll for poll in first if poll.trace.started - poll.slot < 1]  # others began when their 2 s were over
    wrong = [poll for poll in in_time if poll.status is not Status.OK]
    said = [fresh[name][1].outcome.error for name in silent]
    assert [text for text in said if "a probe: silent for" not in text] == []  # without it: three times in full
    assert len(wrong) <= len(in_time) / 2  # without a memory each begins with the wrong credential; some may be lost
    shown = device(system, answering[0])
    assert [(each["credential"], "varbinds" in each["numbers"]) for each in shown["learned"]] == [("default", True)]
    assert shown["jobs"][0]["last"]["status"] == "ok"
    assert device(system, min(silent))["learned"][0]["silent_polls"] >= 3
    system.settle()
