"""Coordinators that die and configurations that change while a fleet is polled: no tick is missed, none done twice."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e_support import FLEET, START_S, Deployment, deployed, simulated
from tests.supervisor_support import alive
from tests.waiting import eventually

LEASE_S = 2


@pytest.fixture
def system(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    with deployed(open_directory, fresh_redis, fresh_database) as deployment:
        deployment.start("worker", "--processes", "1")
        yield deployment


def leader(system: Deployment) -> str:
    with system.redis() as client:
        return (client.get("sp:leader") or b"").decode()


def test_a_standby_leads_soon_after_the_leader_was_killed_and_no_tick_is_missed_or_doubled(system: Deployment) -> None:
    first = system.start("coordinator")
    first.says("leading with epoch")
    second = system.start("coordinator")
    second.says("standing by")
    eventually(lambda: system.polled(100), START_S)
    old = leader(system)

    first.end()

    eventually(lambda: leader(system) not in ("", old), LEASE_S + 2)
    stored = system.count()
    eventually(lambda: system.polled(stored + 200), START_S)
    figures = system.settle()
    assert figures["skipped"] == 0  # all within the grace
    entries, parts = system.query("SELECT count(*), count(DISTINCT (job, shard, tick, part)) FROM ledger")[0]
    assert entries == parts > 0


def test_a_coordinator_that_is_told_to_stop_hands_over_at_once(system: Deployment) -> None:
    first = system.start("coordinator")
    first.says("leading with epoch")
    second = system.start("coordinator")
    second.says("standing by")

    assert first.stop() == 0

    second.says("leading with epoch", LEASE_S)


def test_devices_come_and_go_with_the_inventory_and_a_broken_one_is_refused(system: Deployment) -> None:
    coordinator = system.start("coordinator")
    eventually(lambda: system.polled(FLEET.devices), START_S)

    system.inventory(simulated(50, first=150) + simulated(100, first=300))
    eventually(lambda: stored_of(system, "sim-0399"), START_S)
    gone = stored_of(system, "sim-0000")
    system.inventory(["broken,300.1.2.3"])
    coordinator.says("the new configuration is refused, the old one stays:\ninventory.csv:2: ")
    kept = stored_of(system, "sim-0199")
    eventually(lambda: stored_of(system, "sim-0199") > kept + 1, START_S)

    figures = system.settle()
    assert gone <= stored_of(system, "sim-0000") <= gone + 1
    assert figures["devices"] == FLEET.devices + 100


def test_sighup_reads_everything_again_and_a_broken_file_leaves_the_old(system: Deployment) -> None:
    coordinator = system.start("coordinator")
    eventually(lambda: system.polled(FLEET.devices), START_S)
    worker = system.running[0]
    leading, polling = coordinator.children, worker.children
    file = system.where / "streampoll.toml"
    good = file.read_text()

    file.write_text(good + "nonsense = 1\n")  # in the last section: a job's
    coordinator.process.send_signal(signal.SIGHUP)
    coordinator.says("the new configuration is refused, the old one stays")
    file.write_text(good.replace("[worker]", "[worker]\nnonsense = 1"))
    worker.process.send_signal(signal.SIGHUP)
    worker.says("SIGHUP: the new configuration is refused, the old one stays: streampoll.toml")
    file.write_text(good.replace("[worker]", "[worker]\nheartbeat_s = 0.5"))
    for running in (coordinator, worker):
        running.process.send_signal(signal.SIGHUP)
    eventually(lambda: not any(map(alive, leading + polling)), START_S)

    eventually(lambda: len(coordinator.children + worker.children) == 2, START_S)
    stored = system.count()
    eventually(lambda: system.polled(stored + 200), START_S)
    system.settle()


def stored_of(system: Deployment, device: str) -> int:
    """Return how many rows a device has."""
    query = "SELECT count(*) FROM polls JOIN devices ON device = devices.id WHERE name = '{}'"
    return system.query(query.format(device))[0][0]
