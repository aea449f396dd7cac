"""Workflows over the API: listed, started once a key, cancelled."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from tests.api_server_support import configured, serving


@pytest.fixture
def url(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[str]:
    """An API; nobody works beside it."""
    with serving(configured(open_directory), fresh_redis, fresh_database) as served:
        yield served


def test_what_can_be_run_is_listed_and_started(url: str, fresh_redis: str) -> None:
    shipped = {each["name"]: each for each in httpx.get(f"{url}/api/v1/workflows").json()}
    assert shipped
    name = sorted(shipped)[0]
    path = f"{url}/api/v1/workflows/{name}/run"
    started = httpx.post(path, json={"devices": ["r1"], "key": "once"})
    assert started.status_code == 202, started.text
    assert httpx.post(path, json={"devices": ["r1"], "key": "once"}).json() == started.json()
    with redis.Redis.from_url(fresh_redis) as client:
        assert sum(client.xlen(f"sp:{{{shard:02d}}}:workflows") for shard in range(4)) >= 1


def test_what_is_none_is_said_to_be(url: str) -> None:
    assert httpx.post(f"{url}/api/v1/workflows/none/run", json={}).status_code == 404
    assert httpx.get(f"{url}/api/v1/runs").json() == []
    assert httpx.get(f"{url}/api/v1/runs/{'0' * 16}").status_code == 404
    assert httpx.post(f"{url}/api/v1/runs/{'0' * 16}/cancel", json={}).status_code == 409
