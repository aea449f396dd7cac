"""The fleet at a glance, as the API answers it from real rows."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from streampoll.api.directory import Directory, Inventory
from streampoll.api.fleet import Fleet, due_per_s
from streampoll.config.jobs import Job
from streampoll.model import Device, Status
from streampoll.results.archive import Archive
from streampoll.results.postgres import Postgres
from streampoll.results.queries import load_queries
from streampoll.results.ranking import Span, past, recent, sampled, step_of
from tests.api_support import asking
from tests.results_support import NOON, bench, many_rows, plan_of, result_entry, settings_of

NOW = int(time.time()) // 60 * 60 - 120  # the archive reads up to this moment
INVENTORY = Inventory.of(
    [
        Device(name, f"10.0.0.{n}", site=site)
        for n, (name, site) in enumerate([("r1", "fra"), ("r2", "fra"), ("r3", "ams")])
    ],
    [Job("interfaces", 60), Job("off", 60, enabled=False)],
)


@asynccontextmanager
async def fleet(dsn: str, *rows: tuple[str, int, Status]) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of an API on these rows: (device, seconds before now, status)."""
    async with bench(dsn, float(NOW)) as b:
        await b.handle(*(result_entry(device, NOW - back, status) for device, back, status in rows))
        archive = Archive(Postgres(settings_of(dsn)))
        try:
            async with asking(Fleet(Directory(lambda: INVENTORY), archive, lambda: NOW).routes()) as client:
                yield client
        finally:
            await archive.close()


async def test_a_site_counts_its_devices_by_their_newest_poll(fresh_database: str) -> None:
    rows = [("r1", 70, Status.OK), ("r1", 10, Status.TIMEOUT), ("r2", 20, Status.PARTIAL)]
    async with fleet(fresh_database, *rows) as client:
        sites = (await client.get("/api/v1/sites")).json()["sites"]
    assert sites == [
        {"site": "ams", "devices": 1, "ok": 0, "partial": 0, "failed": 0, "unknown": 1},
        {"site": "fra", "devices": 2, "ok": 0, "partial": 1, "failed": 1, "unknown": 0},
    ]


async def test_the_failing_come_by_the_share_that_failed_and_the_slow_without_what_failed(fresh_database: str) -> None:
    half = [("r1", 60, Status.OK), ("r1", 10, Status.TIMEOUT)]
    all_of_it = [("r2", 60, Status.AUTH), ("r2", 10, Status.AUTH)]
    async with fleet(fresh_database, *half, *all_of_it, ("gone", 5, Status.OK)) as client:
        failing = (await client.get("/api/v1/top?by=failing")).json()["devices"]
        slow = (await client.get("/api/v1/top?by=slow&limit=5")).json()["devices"]
    assert [(each["device"], each["failed"], each["polls"], each["status"]) for each in failing] == [
        ("r2", 2, 2, "auth"),
        ("r1", 1, 2, "timeout"),
    ]
    assert [(each["device"], each["site"]) for each in slow] == [("gone", None), ("r1", "fra")]


async def test_the_past_has_rates_lateness_and_cycles_by_step(fresh_database: str) -> None:
    rows = [(device, back, Status.OK) for device in ("r1", "r2") for back in range(60, 660, 60)]
    async with fleet(fresh_database, *rows) as client:
        past = (await client.get("/api/v1/past?hours=1")).json()
    assert (past["step_s"], past["one_of"]) == (20, 1)
    assert {step["polls_per_s"] for step in past["steps"]} == {0.1}
    assert past["steps"][0]["late_p50_ms"] == past["steps"][0]["cycle_p99_ms"] == 600_000  # stored now, due then


async def test_of_a_large_fleet_only_some_seconds_of_the_past_are_looked_at(fresh_database: str) -> None:
    async with bench(fresh_database, float(NOW)) as b:
        await b.handle(*(result_entry(slot=NOW - back) for back in range(120)))
        wide = Span(NOW - 119, NOW, every=7)
        steps = await past(b.connection, wide)
    looked_at = sum(
        slot % 1000003 * 7919 % 1000003 % 7 == 0 for slot in range(steps[0].at, steps[-1].at + step_of(wide))
    )
    assert sum(step.polls_per_s for step in steps) * step_of(wide) == pytest.approx(looked_at * 7)


async def test_no_row_of_the_past_is_sought_in_the_list_of_seconds_and_a_whole_past_makes_none(
    fresh_database: str,
) -> None:
    """After a few questions PostgreSQL plans for any: with an OR in it each row was then held against all seconds."""
    past_query = load_queries("ranking.sql")["past"]
    async with bench(fresh_database) as b:
        await many_rows(b)
        some = await plan_of(b.connection, past_query, NOON, NOON + 3600, 6, 20, mode="force_generic_plan")
        whole = await plan_of(b.connection, past_query, NOON, NOON + 3600, 1, 20)
    assert "Index Cond" in next(line for line in some.splitlines() if "= ANY" in line), some
    assert "generate_series" not in whole, whole


async def test_what_was_just_read_is_not_read_again(fresh_database: str) -> None:
    async with fleet(fresh_database, ("r1", 10, Status.OK)) as client, bench(fresh_database, float(NOW)) as b:
        before = (await client.get("/api/v1/sites")).json()
        await b.handle(result_entry("r3", NOW - 5))
        assert (await client.get("/api/v1/sites")).json() == before


def test_no_fleet_is_too_large_to_be_looked_at() -> None:
    assert due_per_s(INVENTORY) == 3 / 60
    assert recent(1_000_000, 600, 3_333).first == 1_000_000 - 90  # 300,000 rows
    assert recent(1_000_000, 600, 1.0).first == 1_000_000 - 600
    wide = sampled(1_000_000, 3600, 3_333)
    assert wide.every == 40
    assert step_of(wide) == 160  # each step has four of the seconds that are looked at
