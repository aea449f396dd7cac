"""The whole of streampoll on a Cluster and behind Sentinels, with a master killed: audit has the last word."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streampoll.shards.keys import Keys
from streampoll.shards.slots import slot_of
from tests.e2e_support import START_S, Deployment, deployed
from tests.topology_support import redis_cluster, watched_redis
from tests.waiting import eventually


@contextmanager
def polling(where: Path, url: str, dsn: str) -> Iterator[Deployment]:
    """A coordinator and two workers at work."""
    with deployed(where, url, dsn, every="3s", more="\n[redis]\nconnect_timeout_s = 2\n") as system:
        system.start("coordinator")
        system.start("worker", "--processes", "2")
        eventually(lambda: system.polled(200), START_S)
        yield system


def nothing_is_missing(system: Deployment) -> None:
    """Drain and audit; losses that Redis confirmed and forgot are on record or there are none."""
    coordinator = system.running[0]
    assert coordinator.stop() == 0

    def drained() -> bool:
        queues = system.stats()["queues"]
        return not any(row["waiting"] or row["in_flight"] or row["delayed"] for row in queues)

    eventually(drained, START_S)
    figures = system.audit()
    assert (figures["missing"], figures["duplicates"]) == (0, 0)
    assert figures["ok"] > 200
    assert system.running[1].stop() == 0


def go_on(system: Deployment) -> None:
    """Wait until two more rounds have been stored."""
    stored = system.count()
    eventually(lambda: system.count() > stored + 400, START_S)


@pytest.fixture
def nodes(open_directory: Path) -> Path:
    """Where the servers keep their files."""
    directory = open_directory / "nodes"
    directory.mkdir()
    return directory


def test_a_cluster_whose_leading_master_is_killed(nodes: Path, fresh_database: str) -> None:
    with redis_cluster(nodes, replicas=True) as cluster, polling(nodes.parent, cluster.url, fresh_database) as system:
        cluster.holder(slot_of(Keys().leader)).kill()
        go_on(system)
        nothing_is_missing(system)


def test_a_master_behind_sentinels_that_is_killed(nodes: Path, fresh_database: str) -> None:
    with watched_redis(nodes) as watched, polling(nodes.parent, watched.url, fresh_database) as system:
        watched.master().kill()
        go_on(system)
        nothing_is_missing(system)
