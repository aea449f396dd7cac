"""Events over the API: listed, acknowledged once, told live; and maintenance windows."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import httpx
import pytest
import redis

from streampoll.model import Change, Event, Severity, event_id
from streampoll.results.events import insert_events
from streampoll.results.migrations import migrate
from streampoll.shards.entries import Entry, Kind, decode_event
from tests.api_server_support import configured, serving
from tests.servers_support import run_now
from tests.test_api_servers import listening
from tests.waiting import eventually

NOW = int(time.time())


def opened(device: str = "r1", severity: Severity = Severity.ERROR, at: int = NOW) -> Event:
    """An event that opens."""
    labels = {"site": "zrh" if device == "r1" else "gva"}
    identity = event_id("link-down", device, "eth0", at)
    return Event(identity, "link-down", device, "eth0", severity, labels, at, at, Change.OPENED, 1.5, "eth0 is down")


def store(dsn: str, *changes: Event) -> None:
    """Store changes as the class results does."""

    async def insert() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await migrate(connection)
            async with connection.transaction():
                await insert_events(connection, changes)
        finally:
            await connection.close()

    run_now(insert())


@pytest.fixture
def url(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[str]:
    """An API with two events."""
    store(fresh_database, opened(), opened("r2", Severity.INFO, NOW - 60))
    with serving(configured(open_directory), fresh_redis, fresh_database) as served:
        yield served


def names(url: str, **parameters: object) -> list[str]:
    """The devices of the events that are found."""
    return [row["device"] for row in httpx.get(f"{url}/api/v1/events", params=parameters).json()]


def test_events_are_found_by_what_they_are_about(url: str) -> None:
    assert names(url) == ["r1", "r2"]
    assert names(url, severity="warning") == ["r1"]
    assert names(url, site="gva") == ["r2"]
    assert names(url, device="r1", rule="link-down", open=True) == ["r1"]
    assert names(url, rule="other") == []


def test_an_event_is_acknowledged_once_and_notifications_are_told(url: str, fresh_redis: str) -> None:
    event = str(opened().id)
    path = f"{url}/api/v1/events/{event}"
    done = httpx.post(f"{path}/acknowledge", json={"note": "on my way"}).json()
    assert (done["id"], done["acknowledged_by"], done["acknowledged_note"]) == (event, "loopback", "on my way")
    assert "loopback" in httpx.post(f"{path}/acknowledge", json={}).json()["detail"]
    assert httpx.get(f"{url}/api/v1/events/1").status_code == 404
    with redis.Redis.from_url(fresh_redis) as client:
        streams = [client.xrange(f"sp:{{{shard:02d}}}:notifications") for shard in range(4)]
    [(_, fields)] = [entry for stream in streams for entry in stream]
    told = decode_event(Entry(Kind.EVENT, "link-down", int(fields[b"s"]), 0, fields[b"b"]))
    assert (told.id, told.change, told.device) == (int(event), Change.ACKNOWLEDGED, "r1")


def test_a_closed_event_can_not_be_acknowledged(url: str, fresh_database: str) -> None:
    store(fresh_database, replace(opened(), at=NOW + 1, change=Change.CLOSED))
    answer = httpx.post(f"{url}/api/v1/events/{opened().id}/acknowledge", json={})
    assert (answer.status_code, "is closed" in answer.json()["detail"]) == (409, True)
    assert names(url, open=True) == ["r2"]


def test_changes_are_told_to_listeners_as_they_come(url: str, fresh_database: str) -> None:
    with listening(url) as messages:
        assert next(messages)[0] == "stats"  # what there was before is not told
        store(fresh_database, replace(opened(), at=NOW + 1, change=Change.CLOSED), opened("r3", at=NOW - 5))
        heard = [data for name, _, data in (next(messages) for _ in range(6)) if name == "event"]
    assert {(row["device"], row["closed"]) for row in heard} == {("r1", NOW + 1), ("r3", None)}


def test_a_maintenance_window_is_kept_until_it_is_ended(url: str) -> None:
    path = f"{url}/api/v1/maintenance"
    assert "select nothing" in httpx.post(path, json={"select": {}, "duration_s": 60}).json()["detail"]
    made = httpx.post(path, json={"select": {"site": ["zrh"]}, "duration_s": 600, "reason": "move"})
    assert made.status_code == 201
    [window] = httpx.get(path).json()
    assert (window["select"], window["by"], window["until"] - window["since"]) == ({"site": ["zrh"]}, "loopback", 600)
    ended = httpx.post(f"{path}/{window['id']}/end", json={})
    assert ended.status_code == 200
    eventually(lambda: httpx.get(path).json() == [])
