"""The dashboard on a real `up`: what it shows is there, and what is clicked is done."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from selenium.webdriver.common.keys import Keys

from streampoll.embedded.fleet import FleetSettings
from streampoll.embedded.places import free_port
from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, encode_fields
from streampoll.shards.keys import Keys as RedisKeys
from tests.dashboard_support import Page, chromium
from tests.e2e_support import START_S, Deployment, deployed
from tests.waiting import eventually

EVENT = """
INSERT INTO events (id, rule, device, row, severity, labels, opened, updated, text, suppressed)
VALUES (4711, 'device-down', 'sim-0001', '', 3, '{}', now(), now(), 'no answer', '')
"""
SMALL = FleetSettings(devices=40, silent=0.1, latency_ms=(5.0, 50.0), interfaces=(2, 3))


@pytest.fixture
def deployment(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    """An `up` that polls interfaces, with its API."""
    with deployed(open_directory, fresh_redis, fresh_database, every="2s", fleet=SMALL) as made:
        lines = [
            line.rsplit(",", 1)[0] + ",interfaces"
            for line in made.where.joinpath("inventory.csv").read_text().split()[1:]
        ]
        made.inventory(lines)
        made.environ |= {"STREAMPOLL_API_ENABLED": "true", "STREAMPOLL_API_PORT": str(free_port())}
        made.start("up", "--processes", "1")
        yield made


@pytest.fixture
def page(deployment: Deployment) -> Iterator[Page]:
    url = f"http://127.0.0.1:{deployment.environ['STREAMPOLL_API_PORT']}/"
    eventually(lambda: ready(url), START_S)
    with tempfile.TemporaryDirectory(prefix="streampoll-test-") as profile, chromium(Path(profile)) as browser:
        yield Page(browser, url)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}readyz").status_code == 200
    except httpx.TransportError:
        return False


def bury(url: str) -> None:
    """Give the workers an entry of a kind that none knows."""
    fields = encode_fields(Entry("riddle", "fast", int(time.time()), 0, b""))
    with redis.Redis.from_url(url) as client:
        client.execute_command("XADD", RedisKeys().shard(3).stream(QueueClass.POLLING), "*", *fields)


def test_it_shows_the_fleet_and_acts_on_it(page: Page, deployment: Deployment) -> None:
    page.open()
    eventually(lambda: "ok of 40" in page.text("[aria-label='Fleet health by site']"), START_S)
    eventually(lambda: page.all("[aria-label='Slowest devices'] tbody tr"), START_S)

    page.open("#/devices/sim-0001")
    eventually(lambda: "bit/s" in page.text("[aria-label=Interfaces] tbody"), START_S)
    eventually(lambda: len(page.all(".poll-bars rect")) > 2, START_S)
    page.button("Poll now").click()
    eventually(lambda: "is polled now" in page.text(".said"))

    page.open("#/jobs")
    page.button("Pause").click()
    page.find("dialog input").send_keys("core is moved", Keys.ENTER)
    eventually(lambda: "paused" in page.text("tbody"), START_S)
    assert "job fast is paused" in deployment.run("stats").stdout
    page.button("Resume").click()
    eventually(lambda: "active" in page.text("tbody"), START_S)

    classes = "[aria-label='Queue classes']"
    page.open("#/workers")
    page.button("Pause", classes).click()
    page.find("dialog input").send_keys("switches are moved", Keys.ENTER)
    eventually(lambda: "switches are moved" in page.text(f"{classes} tbody"), START_S)
    page.button("Resume", classes).click()
    eventually(lambda: "paused" not in page.text(f"{classes} tbody"), START_S)

    windows = "[aria-label=Maintenance]"
    page.open("#/events")
    page.button("Add").click()
    page.find("dialog [type=text]").send_keys("sim-0001", Keys.ENTER)
    eventually(lambda: "sim-0001" in page.text(f"{windows} tbody"))
    page.button("End", windows).click()
    page.button("End", "dialog").click()
    eventually(lambda: "None" in page.text(windows))

    bury(deployment.redis_url)
    page.open("#/dead")
    eventually(lambda: "riddle" in page.text("tbody"), START_S)
    page.button("Requeue").click()
    eventually(lambda: "back in its queue" in page.text(".said"))

    deployment.query(EVENT)
    page.open("#/events")
    page.button("Acknowledge").click()
    page.find("dialog input").send_keys("on it", Keys.ENTER)
    eventually(lambda: "acknowledged by loopback: on it" in page.text(".events"), START_S)
    assert page.errors() == []
