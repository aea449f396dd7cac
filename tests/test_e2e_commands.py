"""The commands that look at a running system, and what they say when its servers are not there."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.embedded.fleet import FleetSettings
from streampoll.embedded.places import free_port
from tests.e2e_support import START_S, Deployment, deployed
from tests.waiting import eventually


@pytest.fixture
def system(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    fleet = FleetSettings(devices=5, latency_ms=(1, 1))
    with deployed(open_directory, fresh_redis, fresh_database, every="1s", fleet=fleet) as deployment:
        yield deployment


def test_a_running_system_is_shown_by_stats_results_and_audit(system: Deployment) -> None:
    system.start("coordinator")
    worker = system.start("worker", "--processes", "1")
    eventually(lambda: system.polled(20), START_S)

    stats = system.stats()
    assert [each["pid"] for each in stats["workers"]] == worker.children
    assert stats["leader"]["id"]
    assert {row["queue"] for row in stats["queues"]} == {
        "polling", "results", "workflows", "analysis", "notifications", "urgent",
    }  # fmt: skip
    assert "sysName" in system.run("results", "sim-0000").stdout
    rows = system.rows("sim-0000")
    assert any(row["status"] == "ok" and row["values"]["sysName"] for row in rows)
    cells = list(csv.DictReader(io.StringIO(system.run("results", "sim-0000", "--format", "csv").stdout)))
    assert any("sysName" in cell.values() for cell in cells)
    audit = system.run("audit", "--since", "10m", "--list")
    assert audit.returncode == 0
    assert "nothing missing, nothing doubled" in audit.stdout
    unknown = system.run("results", "sim-000")
    assert unknown.returncode == 1
    assert "the nearest: sim-000" in unknown.stderr


def test_a_row_that_was_taken_away_is_named_by_audit_and_ends_it_with_1(system: Deployment) -> None:
    coordinator = system.start("coordinator")
    system.start("worker", "--processes", "1")
    eventually(lambda: system.polled(20), START_S)
    assert coordinator.stop() == 0
    eventually(system.drained, START_S)
    system.query(
        "WITH gone AS (SELECT slot FROM polls ORDER BY slot OFFSET 10 LIMIT 1) "
        "DELETE FROM polls USING gone, devices WHERE polls.slot = gone.slot AND device = id AND name = 'sim-0003'"
    )

    done = system.run("audit", "--since", str(system.began), "--json", "--list")

    assert done.returncode == 1
    figures = json.loads(done.stdout)
    assert (figures["missing"], figures["duplicates"]) == (1, 0)
    assert "1 no row; likely sim-0003" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "server"),
    [(("stats",), "Redis"), (("audit",), "Redis"), (("results", "a"), "PostgreSQL"), (("migrate",), "PostgreSQL")],
)
def test_a_command_whose_server_is_away_ends_with_1_and_a_line(
    system: Deployment, arguments: tuple[str, ...], server: str
) -> None:
    away = f"127.0.0.1:{free_port()}"
    broken = {
        "Redis": {"STREAMPOLL_REDIS_URL": f"redis://:s3cret@{away}/0"},
        "PostgreSQL": {"STREAMPOLL_POSTGRES_DSN": f"postgresql://u:s3cret@{away}/x"},
    }[server]
    assert system.run("migrate").returncode == 0

    done = system.run(*arguments, **broken)

    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert server in said
    assert "Traceback" not in said
    assert "s3cret" not in said
