"""The metrics of a deployment that runs: figures that agree with its rows, over processes that are killed."""

import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.embedded.fleet import FleetSettings
from streampoll.embedded.places import free_port
from tests.e2e_support import START_S, Deployment, deployed
from tests.test_metrics_pages import samples
from tests.waiting import eventually


@pytest.fixture
def system(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    fleet = FleetSettings(devices=10, latency_ms=(1, 1), silent=0.2)
    more = f'\n[metrics]\nlisten = "127.0.0.1:{free_port()}"\n'
    with deployed(open_directory, fresh_redis, fresh_database, every="1s", fleet=fleet, more=more) as deployment:
        yield deployment


def page(system: Deployment, path: str = "") -> dict[str, float]:
    """Return the samples of a page of the running exporter."""
    address = re.findall(r'listen = "(.*)"', (system.where / "streampoll.toml").read_text())[-1]
    with urllib.request.urlopen(f"http://{address}/metrics{path}", timeout=10) as answer:
        return samples(answer.read())


def polls(found: dict[str, float]) -> float:
    return sum(count for key, count in found.items() if key.startswith("streampoll_polls_total"))


def test_counters_agree_with_the_rows_although_workers_are_killed_and_the_exporter_restarted(
    system: Deployment,
) -> None:
    system.start("coordinator")
    worker = system.start("worker", "--processes", "2")
    exporter = system.start("metrics")
    exporter.says("answering on")
    eventually(lambda: polls(page(system)) >= 30, START_S)

    os.kill(worker.children[0], signal.SIGKILL)
    before = page(system)
    assert exporter.stop() == 0
    exporter = system.start("metrics")
    exporter.says("answering on")
    eventually(lambda: polls(page(system)) >= polls(before) + 30, START_S)
    found = page(system)
    falling = [key for key, count in before.items() if "_total" in key and found.get(key, 0) < count]
    assert falling == []
    devices = page(system, "/device?target=sim-0001&module=system")
    assert devices["streampoll_device_up{job=fast,profile=system}"] == 1
    assert devices["sysUpTime{}"] > 0

    assert worker.stop() == 0  # what it had counted to the last is told
    stored = system.count()
    found = page(system)
    assert found["streampoll_rows_stored_total{}"] == pytest.approx(stored, abs=15)  # less what the killed one had
    assert polls(found) == pytest.approx(stored, abs=35)
    assert found["streampoll_polls_total{outcome=timeout,protocol=snmp}"] > 0
    assert found["streampoll_snmp_retries_total{}"] > 0
    assert found["streampoll_row_lateness_seconds_count{}"] > 0
    assert found["streampoll_leader_terms_total{}"] == 1
    assert found["streampoll_cpu_seconds_total{pool=coordinator}"] > 0
    assert found["streampoll_entries_claimed_total{class=polling}"] >= 0
    assert exporter.stop() == 0
    assert "Traceback" not in exporter.said
