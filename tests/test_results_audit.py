"""Audit on PostgreSQL: a real store's rows, and bugs planted in them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from streampoll.coordinator.losses import Loss
from streampoll.coordinator.plan import Plan, PlanTerms, build_plan
from streampoll.coordinator.planning import PlanRow
from streampoll.coordinator.schedule import Every
from streampoll.model import Device, LedgerEntry, Status
from streampoll.results import ledger
from streampoll.results.audit import AuditReport, audit, likely_devices
from streampoll.results.equation import Gap
from streampoll.results.ledger import Window
from streampoll.results.plans import PostgresPlans, commit_plans
from streampoll.results.postgres import Postgres
from streampoll.results.slots import read_slots
from streampoll.results.verdict import verdict
from tests.results_support import (
    NOON,
    Bench,
    bench,
    dispatched,
    ledger_entry,
    many_rows,
    plan_of,
    result_entry,
    settings_of,
)

JOB, SHARD, SECONDS = "interfaces", 7, 30
DEVICES = [Device(f"r{n}", f"10.0.0.{n}") for n in range(20)]
FAILING = "r3"

STRANGER = "INSERT INTO devices (name, hash) VALUES ('stranger', 99);"
KEYS = (
    "devices expected ok partial failed failed_by_status expired skipped lost missing duplicates executed_twice"
    " lateness_p50_s lateness_p99_s cycle_p50_s cycle_p99_s lateness_one_of jobs"
)

Unfinished = Callable[[], Awaitable[Mapping[tuple[str, int], int]]]


def _plan() -> Plan:
    return build_plan(PlanTerms(JOB, SHARD, Every(10)), DEVICES, "p")


def _ledger(plan: Plan, tick: int, batch_size: int = 2) -> list[LedgerEntry]:
    return [
        LedgerEntry(JOB, SHARD, tick, tick, number, plan.id, len(part.polls), part.hash_sum)
        for number, part in enumerate(plan.parts(tick, batch_size))
    ]


@asynccontextmanager
async def history(dsn: str) -> AsyncIterator[Bench]:
    """Half a minute of a job with twenty devices, each every ten seconds, one of them failing."""
    plan = _plan()
    async with bench(dsn, now=NOON + SECONDS) as b:
        await commit_plans(b.connection, [PlanRow(plan.id, JOB, SHARD, NOON, plan.summary())])
        entries = [ledger_entry(entry) for tick in range(NOON, NOON + SECONDS) for entry in _ledger(plan, tick)]
        for device in DEVICES:
            status = Status.TIMEOUT if device.name == FAILING else Status.OK
            entries += [result_entry(device.name, slot, status) for slot in _slots(device.name)]
        await b.handle(*entries)
        yield b


def _slots(device: str) -> list[int]:
    lone = build_plan(PlanTerms(JOB, SHARD, Every(10)), [Device(device, "10.0.0.1")], "p")
    return [tick for tick in range(NOON, NOON + SECONDS) if lone.due(tick)]


async def _run(b: Bench, unfinished: Mapping[tuple[str, int], int] | None = None) -> AuditReport:
    async def finality() -> Mapping[tuple[str, int], int]:
        return unfinished or {}

    return await audit(b.connection, NOON, NOON + 600, finality)


async def test_what_is_complete_passes(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        report = await _run(b)
    total = report.as_json()
    assert report.passed
    assert (total["expected"], total["ok"], total["failed_by_status"]) == (60, 57, {"timeout": 3})
    assert (total["missing"], total["duplicates"], total["devices"]) == (0, 0, 20)


async def test_the_keys_are_those_of_the_demo_and_can_be_json(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        found = json.loads(json.dumps((await _run(b)).as_json()))
    assert list(found) == KEYS.split()
    assert list(found["jobs"][JOB]) == KEYS.split()[:-1]


async def test_lateness_is_of_answered_polls_and_cycles_of_slots(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        await b.connection.execute("UPDATE polls SET stored_ms = CASE status WHEN 0 THEN 1000 ELSE 90000 END")
        total = (await _run(b)).as_json()
    assert (total["lateness_p50_s"], total["lateness_p99_s"]) == (1.0, 1.0)
    assert total["cycle_p99_s"] == 90.0


async def test_of_very_many_rows_all_are_counted_and_some_slots_looked_at_for_lateness(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_MOST_TIMED", 10)
    async with history(fresh_database) as b:
        await b.connection.execute(
            "UPDATE polls SET stored_ms = CASE WHEN extract(epoch FROM slot)::bigint % 1000003 * 7919 % 1000003 % 6 = 0"
            " THEN 1000 ELSE 90000 END"
        )
        report = await _run(b)
    total = report.as_json()
    assert (total["expected"], total["ok"], total["missing"], total["lateness_one_of"]) == (60, 57, 0, 6)
    assert (total["lateness_p99_s"], total["cycle_p99_s"]) == (1.0, 1.0)
    assert report.jobs[JOB].as_json()["lateness_one_of"] == 6
    assert verdict(report).splitlines()[-1] == "stored after due, cycle: of one slot in 6"


async def test_of_few_rows_lateness_is_that_of_all(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        report = await _run(b)
    assert (report.total.lateness.total(), report.as_json()["lateness_one_of"]) == (57, 1)
    assert report.total.cycles_ms.total() == len({slot for device in DEVICES for slot in _slots(device.name)})
    assert "one slot in" not in verdict(report)


async def test_cycles_are_of_slots_that_are_finished(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        slot = _slots("r5")[1]
        await b.connection.execute("UPDATE polls SET stored_ms = 1000")
        await b.connection.execute("UPDATE polls SET stored_ms = 90000 WHERE slot = to_timestamp($1)", slot)
        total = (await _run(b, {(JOB, slot): 1})).as_json()
    assert total["cycle_p99_s"] == 1.0


@pytest.mark.parametrize("interval_s", [6, 7, 30, 60, 84, 300, 420, 3600])
@pytest.mark.parametrize("one_of", [2, 6, 7, 60])
async def test_of_each_job_as_many_slots_are_looked_at_as_of_others(
    fresh_database: str, interval_s: int, one_of: int
) -> None:
    [picked] = [line for line in ledger.QUERIES["times"].splitlines() if line.lstrip().startswith("WHERE second")]
    async with history(fresh_database) as b:
        share = await b.connection.fetchval(
            f"SELECT avg(({picked.partition('WHERE')[2].replace('$3', str(one_of))})::int)::float8"
            f" FROM generate_series({NOON}::bigint, {NOON} + 5000 * {interval_s}, {interval_s}) second"
        )
    assert share == pytest.approx(1 / one_of, rel=0.25)


async def test_slots_one_by_one_have_the_time_to_their_last_row_where_it_is_read(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with history(fresh_database) as b:
        await b.connection.execute("UPDATE polls SET stored_ms = 2500")
        whole = await read_slots(b.connection, JOB, Window(NOON, NOON + SECONDS), ())
        monkeypatch.setattr(ledger, "_MOST_TIMED", 10)
        some = await read_slots(b.connection, JOB, Window(NOON, NOON + SECONDS), ())
    assert whole is not None
    assert some is not None
    assert sum(slot.expected for slot in some) == 60
    assert {slot.cycle_s for slot in whole if slot.ok} == {2.5}
    assert {slot.slot: slot.cycle_s for slot in some} == {
        slot.slot: None if slot.slot % 1000003 * 7919 % 1000003 % 6 else slot.cycle_s for slot in whole
    }


async def test_a_small_job_beside_a_large_one_has_all_its_slots_looked_at(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_MOST_TIMED", 60)  # as many as the job has
    async with history(fresh_database) as b:
        await b.connection.execute("INSERT INTO jobs (name) VALUES ('large')")
        await b.connection.execute(
            "INSERT INTO polls SELECT slot, device, duration_ms, stored_ms, (SELECT id FROM jobs WHERE name = 'large'),"
            " status, payload FROM polls"
        )
        slots = await read_slots(b.connection, JOB, Window(NOON, NOON + SECONDS), ())
        report = await _run(b)
    assert slots is not None
    assert all(slot.cycle_s is not None for slot in slots if slot.ok)
    assert report.as_json()["lateness_one_of"] == 2


async def test_what_is_counted_of_all_rows_is_read_from_the_index_alone(fresh_database: str) -> None:
    """With `stored_ms` in one of them all payloads were read: 66,757 pages for 400,000 rows, not 2,110."""
    async with bench(fresh_database) as b:
        await many_rows(b)
        for name in ("stored", "devices"):
            plan = await plan_of(b.connection, ledger.QUERIES[name], NOON, NOON + 3600)
            scans = [line for line in plan.splitlines() if "Scan" in line and "on polls" in line]
            assert scans, plan
            assert all("Index Only Scan" in line for line in scans), plan


async def test_slots_that_are_looked_at_for_lateness_are_probes_of_the_index(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await many_rows(b)
        some = await plan_of(
            b.connection, ledger.QUERIES["times"], NOON, NOON + 3600, 7, "NULL", mode="force_generic_plan"
        )
        whole = await plan_of(b.connection, ledger.QUERIES["times"], NOON, NOON + 3600, 1, "NULL")
    assert "Index Cond" in next(line for line in some.splitlines() if "= ANY" in line), some
    assert "generate_series" not in whole, whole


@pytest.mark.parametrize(
    ("bug", "missing", "duplicates", "gaps"),
    [
        ("DELETE FROM polls WHERE ctid = (SELECT min(ctid) FROM polls)", 1, 0, [Gap.NO_ROW]),
        (
            f"{STRANGER} UPDATE polls SET device = (SELECT max(id) FROM devices)"  # noqa: ISC004
            " WHERE ctid = (SELECT min(ctid) FROM polls)",
            1,
            1,
            [Gap.NO_ROW, Gap.EXTRA_ROW],
        ),
        (
            f"{STRANGER} INSERT INTO polls"  # noqa: ISC004
            " SELECT slot, (SELECT max(id) FROM devices), 1, 1, job, 0, '' FROM polls LIMIT 1",
            0,
            1,
            [Gap.EXTRA_ROW],
        ),
    ],
)
async def test_a_planted_bug_fails_the_audit(
    fresh_database: str, bug: str, missing: int, duplicates: int, gaps: list[Gap]
) -> None:
    async with history(fresh_database) as b:
        await b.connection.execute(bug)
        report = await _run(b)
    assert not report.passed
    assert (report.total.tally.missing, report.total.tally.duplicates) == (missing, duplicates)
    assert [shortfall.gap for shortfall in report.shortfalls] == gaps


async def test_a_ledger_entry_that_is_gone_is_missing_though_its_rows_are_there(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        count = await b.connection.fetchval(
            "DELETE FROM ledger WHERE (tick, part) = (SELECT tick, part FROM ledger ORDER BY tick LIMIT 1)"
            " RETURNING count"
        )
        report = await _run(b)
    assert not report.passed
    assert (report.total.tally.missing, report.total.tally.duplicates) == (count, count)


async def test_a_whole_slot_without_rows_is_missing(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        slot = _slots("r5")[1]
        gone = await b.connection.execute("DELETE FROM polls WHERE slot = to_timestamp($1)", slot)
        report = await _run(b)
    assert report.total.tally.missing == int(gone.split()[1])
    assert report.shortfalls[0].slot == slot


async def test_a_loss_on_record_makes_it_lost(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        slot = _slots("r5")[1]
        await b.connection.execute("DELETE FROM polls WHERE slot = to_timestamp($1)", slot)
        plans = PostgresPlans(Postgres(settings_of(b.dsn)))
        for _ in range(2):
            await plans.record([Loss(SHARD, slot, slot, "the stored tick went back")])
        await plans.close()
        report = await _run(b)
    assert report.passed
    assert report.total.tally.lost > 0


async def test_what_is_unfinished_in_redis_is_not_judged(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        slot = _slots("r5")[1]
        await b.connection.execute("DELETE FROM polls WHERE slot = to_timestamp($1)", slot)
        report = await _run(b, {(JOB, slot): 2})
    assert report.passed
    assert report.open_polls == 2


async def test_a_shortfall_that_a_second_reading_does_not_find_does_not_count(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        await b.connection.execute("CREATE TABLE aside AS SELECT * FROM polls LIMIT 1")
        await b.connection.execute("DELETE FROM polls p USING aside a WHERE (p.slot, p.device) = (a.slot, a.device)")
        readings = []

        async def finality() -> Mapping[tuple[str, int], int]:
            readings.append(1)
            if len(readings) == 2:
                await b.connection.execute("INSERT INTO polls SELECT * FROM aside")
            return {}

        report = await audit(b.connection, NOON, NOON + 600, finality)
    assert report.passed


async def test_dispatch_that_stopped_is_told_and_not_judged(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        report = await _run(b)
    stopped = report.stopped[0]
    assert (stopped.job, stopped.shard) == (JOB, SHARD)
    assert stopped.since >= NOON + SECONDS - 1
    assert report.passed


async def test_a_job_with_a_plan_and_no_ledger_is_told(fresh_database: str) -> None:
    plan = _plan()
    async with bench(fresh_database) as b:
        await commit_plans(b.connection, [PlanRow(plan.id, JOB, SHARD, NOON, plan.summary())])
        report = await _run(b)
    assert [stopped.since - NOON < 10 for stopped in report.stopped] == [True]


async def test_ad_hoc_polls_stand_outside_the_plan(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        await b.handle(ledger_entry(dispatched("r1", "r2", tick=NOON + 1000)), result_entry("r1", NOON + 1000))
        report = await audit(b.connection, NOON, NOON + 2000, _nothing_open)
    assert report.total.tally.missing == 1
    assert report.shortfalls[0].slot == NOON + 1000


async def _nothing_open() -> Mapping[tuple[str, int], int]:
    return {}


async def test_skipped_ranges_count_by_the_plan(fresh_database: str) -> None:
    plan = _plan()
    first, last = NOON + SECONDS, NOON + SECONDS + 59
    async with history(fresh_database) as b:
        skip = LedgerEntry(JOB, SHARD, first, last, 0, plan.id, 0, 0, plan.count_between(first, last), "late")
        await b.handle(ledger_entry(skip))
        report = await _run(b)
    assert report.passed
    assert (report.total.tally.skipped, report.total.tally.expected) == (120, 180)


async def test_a_tick_that_was_dispatched_and_then_skipped_is_lost_where_it_has_no_row(fresh_database: str) -> None:
    plan = _plan()
    async with history(fresh_database) as b:
        slot = _slots("r5")[1]
        await b.connection.execute(
            "DELETE FROM polls WHERE slot = to_timestamp($1) AND device = (SELECT id FROM devices WHERE name = 'r5')",
            slot,
        )
        assert (await _run(b)).total.tally.missing == 1
        skip = LedgerEntry(JOB, SHARD, slot, slot + 1, 0, plan.id, 0, 0, plan.count_between(slot, slot + 1), "late")
        await b.handle(ledger_entry(skip))
        tally = (await _run(b)).total.tally
    assert (tally.missing, tally.lost, tally.skipped, tally.duplicates) == (0, 1, 0, 0)


async def test_a_poll_executed_twice_is_counted_and_is_no_duplicate(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        await b.handle(result_entry("r5", _slots("r5")[0], value=99))
        total = (await _run(b)).as_json()
    assert (total["executed_twice"], total["duplicates"], total["missing"]) == (1, 0, 0)


async def test_the_devices_that_fell_short_are_named(fresh_database: str) -> None:
    async with history(fresh_database) as b:
        slot = _slots("r5")[1]
        await b.connection.execute(
            "DELETE FROM polls WHERE slot = to_timestamp($1) AND device = (SELECT id FROM devices WHERE name = 'r5')",
            slot,
        )
        report = await _run(b)
        names = await likely_devices(b.connection, report.shortfalls[0], Window(NOON, NOON + 600))
    assert names == ["r5"]


async def test_an_empty_database_has_nothing_to_say(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        total = (await _run(b)).as_json()
    assert total["expected"] == 0
    assert total["lateness_p50_s"] is None
