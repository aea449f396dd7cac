"""A replica is promoted whose clock is ahead or behind, on real servers: polling follows it, every poll is booked."""

import time
from pathlib import Path

import pytest

from tests.e2e_support import START_S, Deployment, deployed
from tests.servers_support import redis_program
from tests.topology_support import Watched, watched_redis
from tests.waiting import eventually

OFF_S = 8  # beyond the grace
GRACE = {"STREAMPOLL_COORDINATOR_GRACE_S": "3", "STREAMPOLL_REDIS_CONNECT_TIMEOUT_S": "2"}


def polled_for(system: Deployment, span_s: float) -> bool:
    """Tell whether the rows are of so long a time."""
    [(span,)] = system.query("SELECT coalesce(extract(epoch FROM max(slot) - min(slot)), 0) FROM polls")
    return float(span) >= span_s


def promote(watched: Watched, off_s: int) -> str:
    """Kill the master; its replica, whose clock is another, takes its place. Return the replica's URL."""
    old, new = watched.nodes
    assert abs(int(new.do("TIME")[0]) - time.time() - off_s) < 3
    assert watched.master() is old
    old.kill()
    eventually(lambda: watched.master() is new, START_S)
    return f"redis://127.0.0.1:{new.port}"


@pytest.mark.parametrize("off_s", [OFF_S, -OFF_S], ids=["ahead", "behind"])
def test_polling_follows_the_clock_of_the_replica_that_was_promoted_and_every_poll_is_booked(
    open_directory: Path, fresh_database: str, off_s: int
) -> None:
    nodes = open_directory / "nodes"
    nodes.mkdir()
    with (
        watched_redis(nodes, replica_clock=f"{off_s:+d}s", program=redis_program("valkey")) as watched,
        deployed(open_directory, watched.url, fresh_database) as system,
    ):
        system.environ |= GRACE
        coordinator, worker = system.start("coordinator"), system.start("worker", "--processes", "2")
        eventually(lambda: polled_for(system, OFF_S + 2), START_S)
        system.redis_url = promote(watched, off_s)  # what the test looks at; the processes ask the Sentinels
        [(latest,)] = system.query("SELECT extract(epoch FROM max(slot)) FROM polls")
        eventually(lambda: polled_for(system, float(latest) - system.began + OFF_S + 4), START_S)

        report = system.settle()
        assert (report["missing"], report["duplicates"], report["lost"]) == (0, 0, 0)
        if off_s > 0:
            assert report["skipped"] > 0  # what lay between, beyond the grace
        else:
            assert report["executed_twice"] > 0  # slots that came twice have one row each
            coordinator.says("the clock of Redis went back")
        assert worker.stop() == 0
        assert all("Traceback" not in running.said for running in system.running)
