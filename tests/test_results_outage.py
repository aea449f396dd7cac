"""PostgreSQL in trouble: nothing is acknowledged that is not committed, and the store waits visibly."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest

from streampoll.errors import ConfigError, PostgresUnavailable, UnfitServerError
from streampoll.results import store as store_module
from streampoll.results.batch import digest
from streampoll.results.migrations import Migration, migrate
from streampoll.results.postgres import Connection, Postgres, connected, mapped_errors
from streampoll.shards.entries import Entry, encode_result
from streampoll.worker.port import Finish, Release
from tests.chaos.proxy import Link
from tests.results_proxy import proxied
from tests.results_support import (
    NOON,
    Bench,
    bench,
    delivered,
    dispatched,
    ledger_entry,
    result,
    result_entry,
    settings_of,
)
from tests.waiting import eventually_async

Lend = Callable[[Postgres], AbstractAsyncContextManager[Connection]]


@pytest.fixture(autouse=True)
def _quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_PROBE_FIRST_S", 0.01)
    monkeypatch.setattr(store_module, "_PROBE_MOST_S", 0.05)


async def test_while_postgresql_is_away_everything_is_handed_back(fresh_database: str) -> None:
    async with proxied(fresh_database) as proxy, bench(fresh_database, store_dsn=proxy.dsn) as b:
        await b.store.ready()
        proxy.away = True
        proxy.cut()
        answers = await b.store.handle([delivered(result_entry("r1")), delivered(result_entry("r2"))])
        assert [type(answer) for answer in answers] == [Release, Release]
        assert not any(answer.counted for answer in answers if isinstance(answer, Release))


async def test_the_store_waits_and_says_once_when_it_goes_and_once_when_it_is_back(
    fresh_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with proxied(fresh_database) as proxy, bench(fresh_database, store_dsn=proxy.dsn) as b:
        await b.store.ready()
        proxy.away = True
        proxy.cut()
        await b.store.handle([delivered(result_entry())])
        waiting = asyncio.create_task(b.store.ready())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.3)
        proxy.away = False
        await asyncio.wait_for(waiting, 10)
        assert await b.handle(result_entry()) == [Finish()]
    said = [record.getMessage() for record in caplog.records if "PostgreSQL" in record.getMessage()]
    assert len(said) == 2
    assert "wait in Redis" in said[0]
    assert "again" in said[1]


@pytest.mark.parametrize("beside", [[], [ledger_entry(dispatched("r1"))]], ids=["alone", "with a ledger entry"])
async def test_rows_whose_commit_has_no_answer_are_not_acknowledged_and_not_doubled(
    fresh_database: str, beside: list[Entry]
) -> None:
    async with proxied(fresh_database) as proxy, bench(fresh_database, store_dsn=proxy.dsn) as b:
        await b.handle(result_entry("r0"))
        await b.handle(result_entry("r1"))  # names and days are known: nothing but the rows is to be committed
        again = result("r1", slot=NOON + 60)
        proxy.losing = b"COMMIT;" if beside else again.payload
        entries = [encode_result(again), *beside]
        assert {type(answer) for answer in await b.handle(*entries)} == {Release}
        await eventually_async(lambda: _has_rows(b, 3))
        assert {type(answer) for answer in await b.handle(*entries, delivery=2)} == {Finish}
        assert (await b.count("polls"), await b.count("repeats")) == (3, 0)


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_repeats_whose_statement_is_lost_are_counted_once_when_they_come_again(
    fresh_database: str, in_one_batch: bool, carried_out: bool
) -> None:
    """They have a statement of their own, so the rows of their batch may have been committed without them."""
    first, second, other = result(value=1), result(value=2), result("r2")
    async with proxied(fresh_database) as proxy, bench(fresh_database, store_dsn=proxy.dsn) as b:
        await b.handle(result_entry("r0"))
        await b.handle(result_entry("r0", slot=NOON + 60), *([] if in_one_batch else [encode_result(first)]))
        batch = [encode_result(each) for each in ([first] if in_one_batch else []) + [second, other]]
        proxy.losing, proxy.carried_out = digest(second).to_bytes(8, "big", signed=True), carried_out
        assert {type(answer) for answer in await b.handle(*batch)} == {Release}
        assert not proxy.losing
        await eventually_async(lambda: _has_rows(b, 4))
        for _ in range(2):
            assert {type(answer) for answer in await b.handle(*batch, delivery=2)} == {Finish}
        assert (await b.count("polls"), await b.count("repeats")) == (4, 1)
        assert await _payload_of(b, "r1") == first.payload


async def _payload_of(b: Bench, device: str) -> bytes:
    return bytes(
        await b.connection.fetchval(
            "SELECT payload FROM polls JOIN devices d ON d.id = device WHERE d.name = $1", device
        )
    )


async def _has_rows(b: Bench, rows: int) -> bool:
    return await b.count("polls") == rows


async def test_a_read_only_database_is_waited_for(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        await b.store.ready()
        await _set_read_only(b, "on")
        assert isinstance((await b.store.handle([delivered(result_entry())]))[0], Release)
        waiting = asyncio.create_task(b.store.ready())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.3)
        await _set_read_only(b, "off")
        await asyncio.wait_for(waiting, 10)
        assert await b.handle(result_entry()) == [Finish()]


async def _set_read_only(b: Bench, value: str) -> None:
    name = await b.connection.fetchval("SELECT current_database()")
    await b.connection.execute("SET transaction_read_only = off")
    await b.connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
    await b.connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
    await b.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'streampoll'"
    )


async def test_a_database_made_anew_gets_its_names_and_days_again(fresh_database: str) -> None:
    async with proxied(fresh_database) as proxy, bench(fresh_database, store_dsn=proxy.dsn) as b:
        await b.handle(result_entry("r1"))
        await b.connection.execute("TRUNCATE devices, jobs, polls RESTART IDENTITY")
        proxy.cut()
        await b.store.handle([delivered(result_entry("r2"))])
        assert await b.handle(result_entry("r2"), result_entry("r1")) == [Finish(), Finish()]
        assert [row[1] for row in await b.rows()] == ["r1", "r2"]


async def test_a_schema_that_is_missing_is_waited_for_and_named(
    fresh_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = store_module.Store(settings_of(fresh_database), lambda: NOON)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(store.ready(), 0.5)
    await store.close()
    assert "streampoll migrate" in caplog.text


async def test_a_statement_that_takes_too_long_is_given_up(fresh_database: str) -> None:
    async with bench(fresh_database, command_timeout_s=0.3) as b:
        await b.store.ready()
        async with b.connection.transaction():
            await b.connection.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            assert isinstance((await b.store.handle([delivered(result_entry())]))[0], Release)


async def test_a_person_who_asks_waits_as_long_as_it_takes(fresh_database: str) -> None:
    async with connected(settings_of(fresh_database, command_timeout_s=0.05)) as connection:
        assert await connection.fetchval("SELECT 1 FROM pg_sleep(0.3)") == 1


async def test_a_migration_takes_as_long_as_it_takes(fresh_database: str) -> None:
    slow = Migration(1, "001_slow", "SELECT pg_sleep(0.5); CREATE TABLE t (a int)")
    settings = settings_of(fresh_database, command_timeout_s=0.2)
    postgres = Postgres(settings, prepare=lambda connection: migrate(connection, [slow]))
    async with postgres.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM t") == 0
    await postgres.close()


async def test_the_kernel_notices_a_peer_that_is_silent(fresh_database: str) -> None:
    postgres = Postgres(settings_of(fresh_database))
    async with postgres.transaction() as connection:
        end = connection._con._transport.get_extra_info("socket")  # type: ignore[attr-defined]
        assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
        assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
    await postgres.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(PostgresUnavailable, match="PostgreSQL"):
        async with connected(settings_of("postgresql://u:hush@127.0.0.1:1/x")):
            pass


@pytest.mark.parametrize(
    "dsn", ["mysql://u:hush@h/x", "postgresql://u:hush@h:port/x", "hush", "postgresql://u:hush@[h/x"]
)
async def test_a_dsn_that_can_not_be_read_is_named_without_its_secret(dsn: str) -> None:
    with pytest.raises(ConfigError) as caught:
        async with connected(settings_of(dsn)):
            pass
    assert "postgres.dsn" in str(caught.value)
    assert "hush" not in str(caught.value)


async def test_a_wrong_password_is_unavailable_and_not_told(fresh_database: str) -> None:
    user = fresh_database.split("://")[1].split(":")[0]
    dsn = fresh_database.replace(fresh_database.split("@")[0], f"postgresql://{user}:hush")
    with pytest.raises(PostgresUnavailable) as caught:
        async with connected(settings_of(dsn)):
            pass
    assert "hush" not in str(caught.value)


async def test_too_many_clients_is_unavailable(fresh_database: str) -> None:
    connection = await asyncpg.connect(fresh_database)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        await connection.execute("CREATE ROLE narrow LOGIN PASSWORD 'narrow'")
        dsn = fresh_database.replace(fresh_database.split("@")[0], "postgresql://narrow:narrow")
        with pytest.raises(PostgresUnavailable, match="too many"):
            async with Postgres(settings_of(dsn)).transaction():
                pass
    finally:
        await connection.execute("DROP ROLE narrow")
        await connection.close()


async def test_a_probe_that_passes_where_rows_do_not_is_no_return(
    fresh_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk may have room for the probe's one row: the store announced the return, failed, announced, failed …"""
    async with bench(fresh_database) as b:
        await b.handle(result_entry("r1"))
        await b.connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$"
        )
        await b.connection.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON polls FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
        )
        for _ in range(3):
            await b.store.ready()
            assert isinstance((await b.store.handle([delivered(result_entry("r2"))]))[0], Release)
        await b.connection.execute("DROP FUNCTION full_disk() CASCADE")
        await b.store.ready()
        assert await b.handle(result_entry("r2")) == [Finish()]
    said = [record.getMessage() for record in caplog.records if "PostgreSQL" in record.getMessage()]
    assert [("wait in Redis" in line, "takes writes again" in line) for line in said] == [(True, False), (False, True)]


@asynccontextmanager
async def linked(dsn: str) -> AsyncIterator[tuple[Link, str]]:
    """A network between us and PostgreSQL that can half-open its connections, and the DSN through it."""
    parts = urlsplit(dsn)
    assert parts.port is not None
    link = Link(parts.port)
    port = await link.open()
    yield link, parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()
    link.close()
    await eventually_async(lambda: not link.lines)


async def _ask(
    postgres: Postgres,
    statement: str = "SELECT 1",
    lend: Lend = Postgres.transaction,
    before: Callable[[], None] = lambda: None,
) -> object:
    async with lend(postgres) as connection:
        before()
        await asyncio.sleep(0)
        return await connection.fetchval(statement)


async def _run(dsn: str, statement: str) -> object:
    async with connected(settings_of(dsn)) as connection:
        return await connection.fetchval(statement)


async def _is_asked(dsn: str, words: str) -> bool:
    statement = f"SELECT count(*) > 1 FROM pg_stat_activity WHERE query LIKE '%{words}%'"  # ours is one
    return bool(await _run(dsn, statement))


async def test_connections_that_are_half_open_cost_one_time_out_and_not_one_each(fresh_database: str) -> None:
    async with linked(fresh_database) as (link, dsn):
        postgres = Postgres(replace(settings_of(dsn), command_timeout_s=0.5))
        assert await asyncio.gather(_ask(postgres), _ask(postgres)) == [1, 1]
        link.half_open()
        with pytest.raises(PostgresUnavailable):
            await _ask(postgres)
        assert await asyncio.gather(_ask(postgres), _ask(postgres)) == [1, 1]
        await postgres.close()


@pytest.mark.parametrize("lend", [Postgres.transaction, Postgres.statements])
async def test_connections_that_become_half_open_under_a_statement_cost_one_time_out(
    fresh_database: str, lend: Lend
) -> None:
    """The pool was kept then: its connection had been ended already, and to end it again is an error."""
    async with linked(fresh_database) as (link, dsn):
        postgres = Postgres(replace(settings_of(dsn), command_timeout_s=0.5))
        assert await asyncio.gather(_ask(postgres), _ask(postgres)) == [1, 1]
        with pytest.raises(PostgresUnavailable):
            await _ask(postgres, lend=lend, before=link.half_open)
        assert await asyncio.gather(_ask(postgres), _ask(postgres)) == [1, 1]
        await postgres.close()


@pytest.mark.parametrize("lend", [Postgres.transaction, Postgres.statements])
async def test_who_is_told_to_end_waits_for_no_answer_on_a_connection_that_is_half_open(
    fresh_database: str, lend: Lend
) -> None:
    """A worker that was told to drain hung until its supervisor killed it: its statement was being cancelled first."""
    async with linked(fresh_database) as (link, dsn):
        postgres = Postgres(settings_of(dsn))
        asking = asyncio.create_task(_ask(postgres, "SELECT pg_sleep(30)", lend))
        await eventually_async(lambda: _is_asked(fresh_database, "pg_sleep"))
        link.half_open()
        asking.cancel()
        await asyncio.wait({asking}, timeout=3)
        assert asking.cancelled()
        await postgres.close()


async def test_a_cancellation_that_asyncpg_answers_with_an_error_is_still_one() -> None:
    async def rolled_back() -> None:
        with mapped_errors():
            try:
                await asyncio.sleep(30)
            finally:
                raise asyncpg.InterfaceError("connection is closed")

    task = asyncio.create_task(rolled_back())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("after_ms", range(0, 30, 3))
async def test_a_store_that_meets_a_newer_schema_ends_at_once_when_told_to(
    fresh_database: str, caplog: pytest.LogCaptureFixture, after_ms: int
) -> None:
    await _run(fresh_database, "CREATE TABLE schema_versions AS SELECT 999 AS version, 'later' AS name")
    settings = settings_of(fresh_database)
    store = store_module.Store(settings, lambda: NOON, Postgres(settings, prepare=migrate))
    waiting = {asyncio.create_task(store.ready()) for _ in range(2)}  # a consumer's read, and its sweep
    await asyncio.wait(waiting, timeout=after_ms / 1000)
    for task in waiting:
        task.cancel()
    _, left = await asyncio.wait(waiting, timeout=5)
    await store.close()
    assert not left
    assert all(task.cancelled() or isinstance(task.exception(), UnfitServerError) for task in waiting)
    assert caplog.text == ""


async def test_who_waits_for_a_connection_is_not_told_of_the_one_that_broke(fresh_database: str) -> None:
    """Each batch that had waited in the pool failed with it, and said so."""
    async with proxied(fresh_database) as proxy:
        postgres = Postgres(settings_of(proxy.dsn), connections=1)
        busy = asyncio.Event()

        async def hold() -> None:
            async with postgres.transaction() as connection:
                busy.set()
                await connection.execute("SELECT pg_sleep(30)")

        async def ask() -> int:
            async with postgres.transaction() as connection:
                return await connection.fetchval("SELECT 1")

        holding = asyncio.create_task(hold())
        await busy.wait()
        waiting = [asyncio.create_task(ask()) for _ in range(3)]
        await asyncio.sleep(0)
        proxy.cut()
        with pytest.raises(PostgresUnavailable):
            await holding
        assert await asyncio.gather(*waiting) == [1, 1, 1]
        await postgres.close()


async def test_a_transaction_asks_the_server_for_nothing_but_its_own(fresh_database: str) -> None:
    postgres = Postgres(settings_of(fresh_database), 1)
    async with connected(settings_of(fresh_database)) as watching:
        async with postgres.transaction() as connection:
            own = await connection.fetchval("SELECT pg_backend_pid()")
        with pytest.raises(ZeroDivisionError):
            await _broken_off(postgres)
        async with postgres.transaction() as connection:
            assert await connection.fetchval("SELECT to_regclass('half')") is None

        last = await watching.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", own)
    await postgres.close()

    assert last == "COMMIT;"


async def test_a_statement_alone_is_a_transaction_of_its_own(fresh_database: str) -> None:
    postgres = Postgres(settings_of(fresh_database), 1)
    async with connected(settings_of(fresh_database)) as watching:
        async with postgres.statements() as connection:
            own = await connection.fetchval("SELECT pg_backend_pid()")
            await connection.execute("CREATE TABLE whole (n int)")
            assert await watching.fetchval("SELECT to_regclass('whole')::text") == "whole"
        last = await watching.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", own)
    await postgres.close()

    assert last == "CREATE TABLE whole (n int)"


ROWS = [encode_result(result("r2"))]
LEDGER = [ledger_entry(dispatched("r2"))]


@pytest.mark.parametrize(
    ("entries", "last"),
    [(ROWS, "INSERT INTO polls"), (LEDGER, "INSERT INTO ledger"), ([*ROWS, *LEDGER], "COMMIT;")],
    ids=["rows", "ledger", "both"],
)
async def test_a_batch_of_one_kind_is_one_statement(fresh_database: str, entries: list[Entry], last: str) -> None:
    async with bench(fresh_database) as b:
        await b.handle(result_entry("r2", slot=NOON + 60))  # names and days are known
        await b.handle(*entries)
        asked = await b.connection.fetchval(
            "SELECT query FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'streampoll' ORDER BY query_start DESC LIMIT 1"
        )
    assert last in asked


async def _broken_off(postgres: Postgres) -> None:
    async with postgres.transaction() as connection:
        await connection.execute("CREATE TABLE half (n int)")
        raise ZeroDivisionError
