"""What a poll costs, read off a running fleet: from figures by hand, and from real servers and processes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from streampoll.capacity.live import Look, compare
from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings
from streampoll.embedded.fleet import FleetSettings
from streampoll.errors import StreampollError
from streampoll.results.migrations import migrate
from streampoll.results.weight import Weight, weigh
from streampoll.shards.usage import Usage, usage_of, used
from tests.capacity_support import CONSTANTS
from tests.e2e_support import START_S, Deployment, deployed
from tests.waiting import eventually


def polling(cpu_s: float, ok: int, timeout: int = 0) -> dict[str, Any]:
    by_status = {"ok": ok, "timeout": timeout}
    return {"cpu_s": cpu_s, "polls": {"by_status": by_status, "requests": 2 * ok + timeout, "varbinds": 50 * ok}}


BEFORE = Look(
    100.0, {"a": polling(1.0, 1_000), "s": {"cpu_s": 5.0, "store": {}}}, {"devices": {"j": 600}, "cpu_s": 2.0},
    Usage(10.0, 1_000, 100, 5_000, 6_000), Weight(None, 1e6),
)  # fmt: skip
AFTER = Look(
    110.0, {"a": polling(1.2, 1_900, 100), "s": {"cpu_s": 5.05, "store": {}}, "new": polling(9.0, 9_000)},
    {"devices": {"j": 600}, "cpu_s": 2.01}, Usage(10.04, 6_000, 350, 605_000, 406_000), Weight(321.0, 1.5e6),
)  # fmt: skip


def test_a_poll_costs_what_was_spent_between_two_looks() -> None:
    live = compare(BEFORE, AFTER, CONSTANTS, "2026-01-31")

    assert live.polls_per_s == 100.0
    assert live.silent == 0.1
    assert live.interval_s == 6.0
    assert live.load.cpu_us == pytest.approx(
        {"coordinator": 10.0, "worker": 200.0, "store": 50.0, "analysis": 0.0, "redis": 40.0, "postgres": 20.0}
    )
    assert (live.load.redis_round_trips, live.load.redis_in_bytes) == (0.25, 600.0)
    assert (live.load.payload_bytes, live.load.wal_bytes) == (321.0, 500.0)


def test_processes_that_do_nothing_but_analyse_have_a_figure_of_their_own() -> None:
    def with_analysis(look: Look, cpu_s: float) -> Look:
        return replace(look, workers={**look.workers, "x": {"cpu_s": cpu_s, "queues": {"analysis": {}}}})

    before, after = with_analysis(BEFORE, 7.0), with_analysis(AFTER, 7.08)

    live = compare(before, after, CONSTANTS, "2026-01-31")

    assert live.load.cpu_us["analysis"] == pytest.approx(80.0)
    assert (live.load.cpu_us["worker"], live.load.cpu_us["store"]) == (pytest.approx(200.0), pytest.approx(50.0))
    assert (live.load.analysed, live.load.rates_rows) == (True, 1.0)
    assert live.load.payload_bytes == 321.0 + 150.0  # the polls' rows are weighed, those of rates are not
    assert "too" not in live.load.about


def test_where_analysis_is_off_nobody_is_said_to_analyse() -> None:
    """Every worker serves the class by default; where nothing is analysed it has nothing to do."""
    idle = {"x": {"cpu_s": 7.0, "queues": {"analysis": {}}}}
    before, after = (replace(look, workers={**look.workers, **idle}) for look in (BEFORE, AFTER))

    load = compare(before, after, CONSTANTS, "2026-01-31", analysis=False).load

    assert (load.analysed, load.rates_rows, load.payload_bytes, load.cpu_us["analysis"]) == (False, 0.0, 321.0, 0.0)


def test_whose_figure_has_others_work_in_it_is_said() -> None:
    worker = {**polling(1.0, 1_000), "queues": {"polling": {}, "results": {}, "analysis": {}}, "store": {}}
    before = replace(BEFORE, workers={"a": worker})
    after = replace(AFTER, workers={"a": {**worker, **polling(1.2, 2_000)}})

    assert compare(before, after, CONSTANTS, "2026-01-31").load.about.endswith(
        "workers store and analyse too, so their figure has that in it"
    )


def test_a_process_that_came_meanwhile_is_left_out() -> None:
    assert compare(BEFORE, AFTER, CONSTANTS, "2026-01-31").processes == 1


def test_what_postgresql_does_not_say_is_what_was_measured_beforehand() -> None:
    unknown = replace(AFTER, weight=Weight(None, None))

    live = compare(BEFORE, unknown, CONSTANTS, "2026-01-31")

    assert live.load.payload_bytes == pytest.approx(375.0)  # between get10 and walk90, at 45 varbinds
    assert live.load.wal_bytes == 500.0


def test_a_fleet_that_polls_nothing_says_so() -> None:
    with pytest.raises(StreampollError, match="no worker polled anything"):
        compare(BEFORE, replace(BEFORE, at=110.0), CONSTANTS, "2026-01-31")


def test_a_fleet_that_nobody_leads_says_so() -> None:
    with pytest.raises(StreampollError, match="no coordinator leads"):
        compare(BEFORE, replace(AFTER, leader={}), CONSTANTS, "2026-01-31")


# -- real servers


def test_info_that_says_little_counts_as_nothing() -> None:
    assert usage_of(b"redis_version:7.0.15\r\n# Commandstats\r\n") == Usage(0.0, 0, 0, 0, 0)


async def test_redis_says_what_it_has_done(fresh_redis: str) -> None:
    settings = RedisSettings(url=Secret(fresh_redis))
    before = await used(settings)

    spent = (await used(settings)).since(before)

    assert spent.commands >= 1  # the INFO before
    assert spent.out_bytes > 1_000
    assert spent.cpu_s >= 0.0


async def test_postgresql_says_what_rows_weigh(fresh_database: str) -> None:
    connection = await asyncpg.connect(fresh_database)
    try:
        await migrate(connection)
        found = await weigh(connection)
    finally:
        await connection.close()

    assert found.payload_bytes is None
    assert found.log_bytes
    assert found.log_bytes > 0


@pytest.fixture
def system(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    fleet = FleetSettings(devices=20, latency_ms=(1, 1))
    with deployed(open_directory, fresh_redis, fresh_database, every="1s", fleet=fleet) as deployment:
        yield deployment


def test_a_running_fleet_is_measured(system: Deployment) -> None:
    system.start("coordinator")
    system.start("worker", "--processes", "1")
    eventually(lambda: system.polled(40), START_S)

    found = eventually(lambda: measured(system), START_S)

    assert found["devices"] == 20
    assert found["interval_s"] > 0.5  # on a busy machine some polls are skipped
    assert found["load"]["cpu_us"]["worker"] > 0
    assert found["load"]["cpu_us"]["coordinator"] > 0
    assert found["load"]["payload_bytes"] > 0
    assert found["load"]["source"]["benchmark"] == "live"


def measured(system: Deployment) -> dict[str, Any]:
    """Return what is measured; nothing if nothing was polled meanwhile, as on a machine that is busy."""
    done = system.run("capacity", "--measured", "--seconds", "3", "--json")
    assert done.returncode == 0 or "no worker polled anything" in done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found
