"""A secret that is replaced while a fleet is polled: used at once, by the processes that were running."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.embedded.fleet import FleetSettings
from tests.e2e_support import START_S, Deployment, deployed
from tests.waiting import eventually

FLEET = FleetSettings(devices=6, latency_ms=(1.0, 5.0), interfaces=(1, 1))


@pytest.fixture
def system(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    with deployed(open_directory, fresh_redis, fresh_database, every="1s", fleet=FLEET) as deployment:
        (deployment.where / "credentials.toml").write_text('[credentials.default]\ncommunity = "file:community"\n')
        yield deployment


def keep(system: Deployment, community: str) -> None:
    """Replace the secret's file, as a vault's agent does."""
    new = system.where / ".community.new"
    new.write_text(community)
    new.chmod(0o600)
    new.rename(system.where / "community")


def test_a_secret_is_replaced_without_a_restart(system: Deployment) -> None:
    keep(system, "not-that-one")
    system.start("coordinator")
    workers = system.start("worker", "--processes", "1")
    eventually(lambda: system.count() >= 6, START_S)
    children = workers.children
    assert system.query("SELECT count(*) FROM polls WHERE status = 0")[0][0] == 0

    keep(system, FLEET.community)

    eventually(lambda: system.query("SELECT count(*) FROM polls WHERE status = 0")[0][0] >= 6, START_S)
    assert workers.children == children
    assert "credential 'default' has changed" in workers.said
