"""The metrics of a deployment that runs: figures that agree with its rows, over processes that are killed."""

import os
import re
import signal
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.embedded.places import free_port
from tests.e2e_support import START_S, Deployment, deployed
from tests.grafana_support import TOP, Query, as_promql, as_sql, queries
from tests.prometheus_support import running_prometheus
from tests.servers_support import run_now
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
    with urllib.request.urlopen(f"http://{address_of(system)}/metrics{path}", timeout=10) as answer:
        return samples(answer.read())


SCRAPE = """
global: {{ scrape_interval: 1s }}
rule_files: [{rules}]
scrape_configs:
  - job_name: streampoll
    static_configs: [{{ targets: ["{address}"] }}]
  - job_name: devices
    metrics_path: /metrics/device
    params: {{ module: [interfaces] }}
    static_configs: [{{ targets: [{devices}] }}]
    relabel_configs:
      - {{ source_labels: [__address__], target_label: __param_target }}
      - {{ source_labels: [__param_target], target_label: instance }}
      - {{ target_label: __address__, replacement: "{address}" }}
"""
QUIET = {
    "Skipped, by cause",
    "Skipped, on the ledger",
    "Time-outs by cause",
    "Skipped a second",
    "Open events",
    "Events",
}
"""What may be empty here: nothing goes wrong, or not that."""


def address_of(system: Deployment) -> str:
    return re.findall(r'listen = "(.*)"', (system.where / "streampoll.toml").read_text())[-1]


async def rows(dsn: str, statement: str) -> list[Any]:
    """Ask PostgreSQL; a query that is wrong fails the test."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


def test_a_real_prometheus_scrapes_it_and_every_query_of_the_dashboards_returns_data(
    system: Deployment, tmp_path: Path
) -> None:
    names = [f"sim-{number:04}" for number in range(10)]
    system.inventory([f"{name},{device_address(n)},interfaces" for n, name in enumerate(names)])
    more = '\n[outputs.archive]\nkind = "jsonl"\npath = "results.jsonl"\n'
    with (system.where / "streampoll.toml").open("a") as file:
        file.write(more)
    for command in ("coordinator", "worker", "metrics"):
        system.start(command)
    eventually(lambda: system.polled(20), START_S)
    config = SCRAPE.format(
        rules=TOP / "conf/prometheus/streampoll.rules.yml", address=address_of(system), devices=", ".join(names)
    )
    with running_prometheus(tmp_path, config) as prometheus:
        since = int(time.time()) - 600

        def answers(query: Query) -> int:
            if query.language == "sql":
                return len(run_now(rows(system.dsn, as_sql(query.text, names[1], since, int(time.time()) + 1))))
            return len(prometheus.query(as_promql(query.text, names[1], 5)))

        for query in queries():
            if query.panel in QUIET:
                answers(query)  # it need only be one
            else:
                eventually(partial(answers, query), START_S)
        up = {each["metric"]["instance"]: each["value"][1] for each in prometheus.query("up")}
        assert set(up.values()) == {"1"}
        assert up.keys() == {address_of(system), *names}
        firing = prometheus.query('ALERTS{alertstate="firing"}')
        assert [each["metric"]["alertname"] for each in firing] == []


def polls(found: dict[str, float]) -> float:
    return sum(count for key, count in found.items() if key.startswith("streampoll_polls_total"))


def test_once_prints_the_page_and_fails_where_redis_is_away(system: Deployment) -> None:
    here = system.run("metrics", "--once")
    assert (here.returncode, samples(here.stdout.encode())["streampoll_redis_up{}"]) == (0, 1)
    away = system.run("metrics", "--once", STREAMPOLL_REDIS_URL="redis://127.0.0.1:1/0")
    assert (away.returncode, samples(away.stdout.encode())["streampoll_redis_up{}"], away.stderr) == (1, 0, "")
    refused = system.run("metrics", "--listen", "nowhere")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "write 127.0.0.1:9585" in refused.stderr


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
