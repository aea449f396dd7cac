"""`streampoll explain` on a running system whose network loses requests, and whose worker is stopped."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import PostgresSettings
from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.errors import StreampollError
from streampoll.model import Status
from streampoll.results.postgres import connected
from streampoll.results.reader import StoredPoll, Wanted, results
from streampoll.results.render import clock
from streampoll.shards.entries import decode_fields, decode_target
from streampoll.shards.ring import shard_of
from tests.e2e_support import SHARDS, START_S, Deployment, Running, deployed
from tests.servers_support import run_now
from tests.waiting import eventually

NAME = "sim-0000"
SHARD = shard_of(device_address(0), SHARDS)
SKIPPED = f"SELECT extract(epoch FROM tick)::bigint FROM ledger WHERE cause = 'backlog' AND shard = {SHARD} LIMIT 1"


@pytest.fixture
def system(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    fleet = FleetSettings(devices=1, latency_ms=(250, 250), loss=0.3)
    with deployed(open_directory, fresh_redis, fresh_database, every="1s", fleet=fleet) as deployment:
        yield deployment


def explained(system: Deployment, *arguments: str) -> list[dict[str, Any]]:
    done = system.run("explain", NAME, "--json", *arguments)
    assert not done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_late_poll_and_those_without_a_row_are_explained(system: Deployment) -> None:
    system.start("coordinator")
    system.start("worker", "--queues", "results", "--processes", "1")
    worker = system.start("worker", "--queues", "polling", "--processes", "1")
    poll = eventually(lambda: retried(system), START_S)[0]

    [story] = explained(system, "--slot", str(poll.slot))
    asked, again = (
        [each for each in story["story"] if each["what"] == what] for what in ("first request", "sent again")
    )
    assert (story["status"], story["retries"], len(again)) == ("ok", poll.trace.asked.retries, story["retries"])
    assert again[0]["after_s"] - asked[0]["after_s"] >= 0.45  # snmp.timeout_s, and the wheel's tick
    assert again[0]["at"] == clock(poll.trace.asked.retried[0])

    [held] = eventually(lambda: stopped_with_a_poll(system, worker), START_S)
    slot, consumer = entry_of(system, *held)
    skipped = eventually(lambda: system.query(SKIPPED), START_S)[0][0]

    done = system.run("explain", NAME, "--slot", str(skipped))
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    head, why = done.stdout.splitlines()
    assert head.startswith("fast of sim-0000, due 20")
    assert head.endswith("Z: skipped")
    assert why.startswith("  Cause backlog: more polls of the job were unfinished in its shard")
    [pending] = explained(system, "--slot", str(slot))
    assert pending["fate"] == "with a worker"
    assert f"with worker {consumer} since 20" in pending["why"]
    assert "dead, stopped or cut off" in pending["why"]
    [old] = explained(system, "--slot", "2020-01-01T00:00:00Z")
    assert old["fate"] == "not known any more"
    assert "The ledger does not reach back so far: it begins at 20" in old["why"]


def retried(system: Deployment) -> list[StoredPoll]:
    """Return the polls of which a request was sent again, and which ended well."""

    async def read() -> list[StoredPoll]:
        async with connected(PostgresSettings(dsn=Secret(system.dsn))) as connection:
            return [poll async for poll in results(connection, Wanted(NAME))]

    with suppress(StreampollError):  # no schema yet, or no row
        return [poll for poll in run_now(read()) if poll.trace.asked.retries and poll.status is Status.OK]
    return []


def stopped_with_a_poll(system: Deployment, worker: Running) -> set[tuple[int, str]]:
    """Stop a worker that holds a poll, parent and child; a moment later it may have finished it, and goes on."""
    [pid] = worker.children
    if not system.in_flight(pid):
        return set()
    os.killpg(worker.process.pid, signal.SIGSTOP)
    held = system.in_flight(pid)
    if not held:
        os.killpg(worker.process.pid, signal.SIGCONT)
    return held


def entry_of(system: Deployment, shard: int, entry_id: str) -> tuple[int, str]:
    """Return the slot of an entry, and who holds it."""
    stream = f"sp:{{{shard:02d}}}:polling"
    with system.redis() as client:
        reply = client.execute_command("XRANGE", stream, entry_id, entry_id, NEVER_DECODE=True)
        fields = [part for pair in reply[0][1].items() for part in pair]
        consumer = client.xpending_range(stream, "polling", entry_id, entry_id, 1)[0]["consumer"].decode()
    entry = decode_fields(fields)
    assert decode_target(entry.body)[0].device == NAME
    return entry.slot, consumer
