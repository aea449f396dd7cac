"""The store on a real PostgreSQL: every entry ends as one row, whatever order, repetition or trouble comes."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from msgspec import structs

from streampoll.config.settings import Settings
from streampoll.errors import PostgresUnavailable
from streampoll.model import LedgerEntry, QueueClass, Status
from streampoll.results.batch import Record, signed
from streampoll.results.codec import decode_payload
from streampoll.results.partitions import DAY_S
from streampoll.shards.entries import Entry, Kind, encode_result
from streampoll.shards.ring import device_hash
from streampoll.shards.rows import MOST_BYTES, MOST_ROWS, join
from streampoll.worker.port import Bury, Finish, Release, Retry
from tests.results_support import (
    NOON,
    Bench,
    bench,
    delivered,
    dispatched,
    ledger_entry,
    result,
    result_entry,
)
from tests.waiting import eventually_async


async def test_results_become_rows_and_are_finished(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        answers = await b.handle(result_entry("r1"), result_entry("r2", status=Status.TIMEOUT))
        assert answers == [Finish(), Finish()]
        assert await b.rows() == [("interfaces", "r1", NOON, Status.OK), ("interfaces", "r2", NOON, Status.TIMEOUT)]


async def test_a_row_says_how_late_it_was_stored(fresh_database: str) -> None:
    async with bench(fresh_database, now=NOON + 2.5) as b:
        await b.handle(result_entry())
        row = await b.connection.fetchrow("SELECT duration_ms, stored_ms, payload FROM polls")
        assert (row["duration_ms"], row["stored_ms"]) == (750, 2500)
        assert decode_payload(row["payload"])[0].values == {"x": 1}


def joined(*devices: str) -> Entry:
    """One entry of several rows."""
    return join([result_entry(device) for device in devices])


async def test_an_entry_of_several_rows_becomes_all_of_them(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        assert await b.handle(joined("r1", "r2", "r3"), result_entry("r4")) == [Finish(), Finish()]
        assert await b.rows() == [("interfaces", f"r{n}", NOON, Status.OK) for n in range(1, 5)]


async def test_rows_that_come_again_in_other_company_change_nothing(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await b.handle(joined("r1", "r2"))
        assert await b.handle(joined("r2", "r1", "r3"), joined("r3", "r2"), result_entry("r1")) == [Finish()] * 3
        assert (await b.count("polls"), await b.count("repeats")) == (3, 0)


async def test_one_row_of_several_that_is_refused_is_an_error_and_its_entry_one_letter(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await b.connection.execute("ALTER TABLE polls ADD CHECK (length(payload) < 2000)")
        big = [structs.replace(result(f"big{n}"), payload=random.randbytes(3000)) for n in (1, 2)]
        entry = join([result_entry("r1"), *map(encode_result, big), result_entry("r2")])
        for _ in range(2):  # as when it is put back to work
            answers = await b.handle(entry, joined("r3", "r4"))
            b.clock[0] += 1.0
            assert await b.count("repeats") == 0
            assert [type(answer) for answer in answers] == [Bury, Finish]
            assert {row[1]: row[3] for row in await b.rows()} == {
                "r1": Status.OK, "r2": Status.OK, "r3": Status.OK, "r4": Status.OK,
                "big1": Status.ERROR, "big2": Status.ERROR,
            }  # fmt: skip


async def test_what_was_written_before_an_outage_is_done_and_the_rest_handed_back(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of more rows than are written at once: each entry is of one portion."""
    async with bench(fresh_database) as b:
        await b.store.ready()
        entries = [joined(f"a{n}", f"b{n}", f"c{n}") for n in range(700)]
        write, written = b.store._writer.write, []

        async def write_once(records: Sequence[Record]) -> None:
            if written:
                raise PostgresUnavailable("PostgreSQL is not reachable: planted")
            written.append(len(records))
            await write(records)

        monkeypatch.setattr(b.store._writer, "write", write_once)
        answers = await b.store.handle([delivered(entry) for entry in entries])
        assert written == [999]
        assert [type(answer) for answer in answers] == [Finish] * 333 + [Release] * 367
        monkeypatch.undo()
        rest = entries[333:]
        assert {type(answer) for answer in await b.handle(*rest)} == {Finish}
        assert (await b.count("polls"), b.store.counts.stored) == (2100, 2100)


@pytest.mark.parametrize(
    "body",
    [
        joined("r1", "r2").body[:-1],
        joined("r1", "r2").body + b"\xc0",
        b"\x93" + joined("r1", "r2").body[1:],
        b"\x90",
        b"",
        result_entry("r1").body,
        join([result_entry("r1"), Entry(Kind.RESULT, "interfaces", NOON, 0, b"\x90")]).body,
    ],
)
async def test_of_an_entry_of_which_one_row_cannot_be_read_none_is_stored(fresh_database: str, body: bytes) -> None:
    async with bench(fresh_database) as b:
        await b.store.ready()
        entry = Entry(Kind.RESULTS, "interfaces", NOON, 0, body)
        first, good = await b.store.handle([delivered(entry), delivered(result_entry("r9"))])
        assert isinstance(first, Release)
        assert first.counted
        assert good == Finish()
        assert isinstance((await b.store.handle([delivered(entry, 2)]))[0], Bury)
        assert [row[1] for row in await b.rows()] == ["r9"]


async def test_entries_of_many_rows_are_written_a_thousand_at_a_time(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(fresh_database) as b:
        written: list[int] = []
        real = b.store._writer.write

        async def write(records: Sequence[Record]) -> None:
            written.append(len(records))
            await real(records)

        monkeypatch.setattr(b.store._writer, "write", write)
        entries = [joined(*(f"r{first + n}" for n in range(MOST_ROWS))) for first in range(0, 2100, MOST_ROWS)]
        assert await b.handle(*entries) == [Finish()] * 140
        assert written == [990, 990, 120]
        assert await b.count("polls") == 2100


def test_a_process_that_meets_a_backlog_holds_so_much_of_it() -> None:
    """What waits for PostgreSQL is held by its number of entries, and has rows of every process that polls."""
    results = Settings().queues[QueueClass.RESULTS]
    assert 2 * results.concurrency * MOST_BYTES <= 16 << 20


async def test_a_redelivery_changes_nothing(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        for _ in range(2):
            assert await b.handle(result_entry(), result_entry(), delivery=2) == [Finish(), Finish()]
        assert (await b.count("polls"), await b.count("repeats")) == (1, 0)


async def test_a_second_different_outcome_is_suppressed_and_counted_once(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await b.handle(result_entry(value=1))
        for _ in range(2):
            await b.handle(result_entry(value=2))
        payload = await b.connection.fetchval("SELECT payload FROM polls")
        assert decode_payload(payload)[0].values == {"x": 1}
        assert (await b.count("polls"), await b.count("repeats")) == (1, 1)


async def test_a_second_different_outcome_in_one_batch_is_counted(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await b.handle(result_entry(value=1), result_entry(value=2))
        assert (await b.count("polls"), await b.count("repeats")) == (1, 1)


@pytest.mark.parametrize("stand_in", [Status.EXPIRED, Status.CRASHED])
@pytest.mark.parametrize("in_one_batch", [True, False])
@pytest.mark.parametrize("attempt_first", [True, False])
async def test_an_attempts_outcome_replaces_a_stand_in(
    fresh_database: str, stand_in: Status, in_one_batch: bool, attempt_first: bool
) -> None:
    entries = [result_entry(status=stand_in), result_entry(status=Status.TIMEOUT)]
    entries = entries[::-1] if attempt_first else entries
    async with bench(fresh_database) as b:
        for batch in [entries] if in_one_batch else [[entry] for entry in entries]:
            await b.handle(*batch)
        assert [row[3] for row in await b.rows()] == [Status.TIMEOUT]
        assert await b.count("repeats") == 0


async def test_a_row_that_postgresql_refuses_costs_only_itself(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        answers = await b.handle(result_entry("r1"), result_entry("bad\x00name"), result_entry("r3"))
        assert [type(answer) for answer in answers] == [Finish, Bury, Finish]
        assert [row[1] for row in await b.rows()] == ["r1", "r3"]


async def test_a_row_refused_for_its_content_is_stored_as_an_error(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await b.connection.execute("ALTER TABLE polls ADD CHECK (length(payload) < 2000)")
        big = encode_result(result("r2").__class__("interfaces", "r2", NOON, Status.OK, 1, random.randbytes(3000)))
        answers = await b.handle(result_entry("r1"), big)
        assert isinstance(answers[1], Bury)
        assert (await b.rows())[1] == ("interfaces", "r2", NOON, Status.ERROR)
        payload = await b.connection.fetchval("SELECT payload FROM polls ORDER BY status DESC LIMIT 1")
        assert "check constraint" in decode_payload(payload)[0].error


async def test_a_slot_that_no_calendar_has_is_buried(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        answers = await b.handle(result_entry("r1", slot=1 << 60), result_entry("r2"), result_entry("r3", slot=-5))
        assert [type(answer) for answer in answers] == [Bury, Finish, Bury]


async def test_a_name_too_long_to_index_is_buried(fresh_database: str) -> None:
    name = "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    async with bench(fresh_database) as b:
        answers = await b.handle(result_entry(name), result_entry("r2"))
        assert [type(answer) for answer in answers] == [Bury, Finish]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        Entry("novel", "j", NOON, 0, b""),
        Entry(Kind.RESULT, "j", NOON, 0, b"junk"),
        Entry(Kind.LEDGER, "j", NOON, 0, b""),
        Entry(Kind.RESULT, "j", NOON, 0, result_entry().body, b"2"),
    ],
)
async def test_an_entry_nobody_knows_is_handed_back_once_then_buried(fresh_database: str, entry: Entry | None) -> None:
    async with bench(fresh_database) as b:
        await b.store.ready()
        first, good = await b.store.handle([delivered(entry), delivered(result_entry())])
        assert isinstance(first, Release)
        assert first.counted
        assert good == Finish()
        assert isinstance((await b.store.handle([delivered(entry, 2)]))[0], Bury)


async def test_a_ledger_entry_is_stored_once(fresh_database: str) -> None:
    entry = LedgerEntry("interfaces", 7, NOON, NOON, 0, (1 << 64) - 1, 3, (1 << 64) - 2, 1, "backlog")
    async with bench(fresh_database) as b:
        for _ in range(2):
            assert await b.handle(ledger_entry(entry), ledger_entry(entry)) == [Finish(), Finish()]
        row = await b.connection.fetchrow("SELECT plan, hash_sum, count, skipped, cause FROM ledger")
        assert tuple(row) == (-1, -2, 3, 1, "backlog")


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("skipped_first", [True, False])
async def test_what_was_dispatched_and_skipped_stays_dispatched_with_the_cause(
    fresh_database: str, at_once: bool, skipped_first: bool
) -> None:
    """Redis forgot one before the other; the second entry was dropped, and no loss showed."""
    sent = dispatched("r1", plan=5)
    skip = replace(sent, count=0, hash_sum=0, skipped=1, cause="backlog")
    entries = [ledger_entry(entry) for entry in ((skip, sent) if skipped_first else (sent, skip))]
    async with bench(fresh_database) as b:
        for some in [entries] if at_once else [entries[:1], entries[1:], entries[:1]]:
            await b.handle(*some)
        row = await b.connection.fetchrow("SELECT count, hash_sum, skipped, cause FROM ledger")
        assert tuple(row) == (1, signed(sent.hash_sum), 0, "backlog")
        assert await b.count("ledger") == 1


async def test_a_range_that_begins_at_a_tick_that_was_dispatched_stands_beside_it(fresh_database: str) -> None:
    """It was taken for the same entry, and dropped: all its ticks were missing."""
    sent = dispatched("r1", plan=5)
    ranges = [replace(sent, tick_to=NOON + to, count=0, hash_sum=0, skipped=to, cause="late") for to in (5, 9)]
    async with bench(fresh_database) as b:
        await b.handle(*map(ledger_entry, [sent, *ranges, *ranges]))
        assert await b.count("ledger") == 3


async def test_the_parts_of_a_tick_stand_beside_one_another(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        one = dispatched("r1")
        two = LedgerEntry(one.job, one.shard, one.tick, one.tick, 1, one.plan, 5, 9)
        await b.handle(ledger_entry(one), ledger_entry(two))
        assert await b.connection.fetchval("SELECT sum(count) FROM ledger") == 6


@pytest.mark.parametrize("slot", [NOON - 400 * DAY_S, NOON + 40 * DAY_S, NOON // DAY_S * DAY_S, 0])
async def test_a_row_of_any_day_finds_a_partition(fresh_database: str, slot: int) -> None:
    async with bench(fresh_database) as b:
        assert await b.handle(result_entry(slot=slot), ledger_entry(dispatched("r1", tick=slot))) == [Finish()] * 2
        assert await b.count("polls") == 1


async def test_a_row_is_not_lost_to_a_partition_dropped_meanwhile(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await b.handle(result_entry("r1"))
        await b.connection.execute("DROP TABLE polls_20260109")
        assert await b.handle(result_entry("r2")) == [Finish()]
        assert await b.count("polls") == 1


async def test_retention_drops_old_days_and_makes_days_ahead(fresh_database: str) -> None:
    async with bench(fresh_database, retention_days=7, partitions_ahead_days=2) as b:
        await b.handle(result_entry("old", slot=NOON - 9 * DAY_S), result_entry("new"))
        b.store._maintain_at = 0.0
        await b.store.ready()
        assert [row[1] for row in await b.rows()] == ["new"]
        assert await b.connection.fetchval("SELECT to_regclass('polls_20260111') IS NOT NULL")
        assert await b.connection.fetchval("SELECT to_regclass('polls_20251231') IS NULL")


async def test_concurrent_stores_with_the_same_rows_in_other_orders_do_not_deadlock(fresh_database: str) -> None:
    async with bench(fresh_database) as one, bench(fresh_database) as two:
        await asyncio.gather(one.store.ready(), two.store.ready())
        for slot in range(NOON, NOON + 5):
            entries = [result_entry(f"r{n}", slot=slot) for n in range(1500)]
            answers = await asyncio.gather(one.handle(*entries), two.handle(*entries[::-1]))
            assert all(answer == Finish() for part in answers for answer in part)


async def test_rows_of_a_batch_are_written_in_the_order_of_their_keys(fresh_database: str) -> None:
    """In the order of their names neighbours in the index came apart, as ids are given in the order of arrival."""
    async with bench(fresh_database) as b:
        await b.handle(result_entry("z"))
        await b.handle(*(result_entry(device, slot=NOON + 1) for device in ("a", "z")), result_entry("a"))
        rows = await b.connection.fetch(
            "SELECT extract(epoch FROM slot)::bigint - $1, device FROM polls ORDER BY ctid", NOON
        )
    assert [tuple(row) for row in rows] == [(0, 1), (0, 2), (1, 1), (1, 2)]


async def test_a_payload_of_a_megabyte_is_stored(fresh_database: str) -> None:
    payload = random.randbytes(1 << 20)
    async with bench(fresh_database) as b:
        await b.handle(encode_result(type(result())("interfaces", "r1", NOON, Status.OK, 1, payload)))
        assert await b.connection.fetchval("SELECT payload FROM polls") == payload


async def test_a_device_is_known_by_its_hash(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await b.handle(result_entry("r1"))
        assert await b.connection.fetchval("SELECT hash FROM devices") == signed(device_hash("r1"))


async def test_figures_count_what_was_stored(fresh_database: str) -> None:
    async with bench(fresh_database, now=NOON + 2.5) as b:
        await b.handle(result_entry("r1"), result_entry("r2", status=Status.TIMEOUT))
        figures = b.store.figures.jobs["interfaces"]
        assert (figures.slots[NOON].rows, figures.slots[NOON].last_stored_ms) == (2, 2500)
        assert sum(figures.lateness_since(NOON + 2.5).values()) == 1


async def test_what_crashed_a_process_is_buried_and_what_a_bug_stopped_is_retried(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        assert isinstance(b.store.fail(delivered(result_entry()), Status.CRASHED, "killed"), Bury)
        assert isinstance(b.store.fail(delivered(result_entry()), Status.ERROR, "bug"), Retry)


async def test_a_row_is_as_late_as_when_it_is_inserted_however_long_its_batch_waited(fresh_database: str) -> None:
    """Batches behind one that hung looked as if they had been stored in time."""
    async with bench(fresh_database) as b:
        await b.handle(result_entry("r1"))
        await b.connection.execute("BEGIN")
        await b.connection.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
        waiting = asyncio.create_task(b.handle(result_entry("r2", job="another")))
        await eventually_async(lambda: _waits_for_a_lock(b))
        b.clock[0] += 5.0
        await b.connection.execute("ROLLBACK")
        await waiting
        late = await b.connection.fetch("SELECT stored_ms FROM polls ORDER BY stored_ms")
    assert late[1]["stored_ms"] - late[0]["stored_ms"] == 5_000


async def _waits_for_a_lock(b: Bench) -> bool:
    return bool(await b.connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
