"""Workers that die, drain and come back while a fleet is polled: every poll is done, once, and audit proves it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e_support import START_S, Deployment, deployed
from tests.supervisor_support import alive
from tests.waiting import eventually

CLAIM_S = 2 + 5  # claim_idle and the promise beyond it


@pytest.fixture
def system(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    with deployed(open_directory, fresh_redis, fresh_database, every="5s") as deployment:
        yield deployment


def test_the_polls_of_a_killed_worker_are_done_by_another_in_time_and_audit_is_clean(system: Deployment) -> None:
    system.start("coordinator")
    workers = system.start("worker", "--processes", "2")
    eventually(lambda: system.polled(200), START_S)

    victim = eventually(lambda: next((pid for pid in workers.children if len(system.in_flight(pid)) >= 5), 0), START_S)
    os.kill(victim, signal.SIGKILL)
    held = system.in_flight(victim)

    assert held
    eventually(lambda: not system.unfinished(held), CLAIM_S)
    assert sum(row["claimed"] or 0 for row in system.stats()["queues"]) >= len(held)
    figures = system.settle()
    assert (figures["missing"], figures["duplicates"]) == (0, 0)
    assert figures["ok"] > 200
    assert workers.stop() == 0


def test_a_killed_supervisor_takes_its_workers_along_and_others_take_over(system: Deployment) -> None:
    system.start("coordinator")
    first, _ = system.start("worker", "--processes", "2"), system.start("worker", "--processes", "1")
    eventually(lambda: system.polled(200), START_S)
    children = first.children
    eventually(lambda: len(system.in_flight(*children)) >= 5, START_S)

    first.kill()

    eventually(lambda: not any(map(alive, children)), START_S)
    held = system.in_flight(*children)
    eventually(lambda: not system.unfinished(held), START_S)
    system.settle()


def test_a_worker_told_to_stop_under_load_finishes_or_hands_back_and_exits_0(system: Deployment) -> None:
    system.start("coordinator")
    first, _ = system.start("worker", "--processes", "2"), system.start("worker", "--processes", "1")
    eventually(lambda: system.polled(200), START_S)
    children = first.children
    eventually(lambda: len(system.in_flight(*children)) >= 5, START_S)

    assert first.stop() == 0

    assert not system.in_flight(*children)
    assert system.settle()["executed_twice"] == 0
