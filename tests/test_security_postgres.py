"""PostgreSQL behind TLS, behind pgbouncer, and with no more rights than docs/security.md grants."""

import asyncio
import gc
import re
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import PostgresSettings
from streampoll.coordinator.losses import Loss
from streampoll.coordinator.planning import PlanRow
from streampoll.embedded.postgres import EmbeddedPostgres, PostgresOptions
from streampoll.errors import PostgresUnavailable
from streampoll.results.archive import Archive
from streampoll.results.audit import audit
from streampoll.results.books import read_books
from streampoll.results.control import Control
from streampoll.results.control import Role as TokenRole
from streampoll.results.event_log import EventLog, EventSearch, Window
from streampoll.results.latest import Slots
from streampoll.results.migrations import load_migrations, migrate
from streampoll.results.plans import PostgresPlans
from streampoll.results.postgres import Connection, Postgres, connected
from streampoll.results.rate_history import read_rates
from streampoll.results.reader import Wanted, results
from streampoll.results.store import Store
from streampoll.shards.port import Paused
from streampoll.tasks import results as task_results
from streampoll.workflows.kept_runs import KeptRuns
from streampoll.workflows.reader import read_configs, read_runs
from tests.results_support import NOON, delivered, dispatched, ledger_entry, result_entry
from tests.security_support import Authority, authority, give, pgbouncer
from tests.servers_support import run_now

TEXT = (Path(__file__).parent.parent / "docs/security.md").read_text()
SQL = "\n".join(re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL))
GRANT = re.compile(r"^GRANT ([A-Z, ]+) ON (?!SCHEMA)([\w, ]+) TO ([\w, ]+);", re.MULTILINE)
GRANTS = [
    (role.strip(), privilege.strip(), table.strip())
    for privileges, tables, roles in GRANT.findall(SQL)
    for role in roles.split(",")
    for privilege in privileges.split(",")
    for table in tables.split(",")
]
PLACE = ("interfaces", 7)


def settings(dsn: str, **changes: object) -> PostgresSettings:
    return PostgresSettings(dsn=Secret(dsn), partitions_ahead_days=1, **changes)  # type: ignore[arg-type]


async def _nothing_open() -> Mapping[tuple[str, int], int]:
    return {}


# -- what the roles do


async def store(postgres: PostgresSettings) -> None:
    handler = Store(postgres, lambda: NOON + 2.5, Postgres(postgres, prepare=migrate))
    try:
        await handler.ready()
        entries = [ledger_entry(dispatched("r1", "r2", plan=5)), result_entry("r1"), result_entry("r2")]
        answers = await handler.handle([delivered(entry) for entry in entries])
        assert {type(answer).__name__ for answer in answers} == {"Finish"}
    finally:
        await handler.close()


async def coordinator(postgres: PostgresSettings) -> None:
    pool = Postgres(postgres, 1, prepare=migrate)
    plans = PostgresPlans(pool)
    try:
        for valid_from, plan in ((NOON, 5), (NOON + 60, 6), (NOON + 120, 6)):
            await plans.commit(
                [PlanRow(plan, *PLACE, valid_from, {"intervals": {"60": {"0": [2, "1"]}}, "devices": 2})]
            )
        assert await plans.current() == {PLACE: (6, NOON + 120)}
        await plans.commit([PlanRow(7, "new", 7, NOON, {"intervals": {}, "devices": 0})])
        await plans.record([Loss(7, NOON, NOON, "test")])
        await plans.note_final({7: NOON})
        await plans.note_final({7: NOON + 1})
        assert await plans.final() == {7: NOON + 1}
        await plans.dispatched([PLACE])
        await Control(pool).pauses()
    finally:
        await plans.close()


async def reader(postgres: PostgresSettings) -> None:
    async with connected(postgres) as connection:
        assert await migrate(connection) == []
        polls = [poll async for poll in results(connection, Wanted("r1", "interfaces", NOON - 60, until=NOON + 60))]
        assert [poll.device for poll in polls] == ["r1"]
        await read_rates(connection, Wanted("r1", "interfaces", NOON - 60, until=NOON + 60))
        report = await audit(connection, NOON - 60, NOON + 300, _nothing_open)
        assert report.total.as_json()["ok"] == 2
        assert (await read_books(connection, *PLACE, NOON)).entries
        assert await task_results.listed(connection, NOON, 10) == []
        assert await read_runs(connection, NOON) == await read_configs(connection, "", "", 10) == []


async def api(postgres: PostgresSettings) -> None:
    pool = Postgres(postgres, 1, prepare=migrate)
    archive, control = Archive(pool), Control(pool)
    try:
        await archive.latest([Slots("r1", "interfaces", [NOON])])
        wanted = Wanted("r1", "interfaces", NOON - 60, until=NOON + 60)
        await archive.history(wanted)
        await archive.rates(wanted)
        await archive.rate_histories(wanted)
        await archive.fleet(NOON - 60)
        await archive.slots("interfaces", NOON - 60, NOON + 60, ())
        await control.pause(Paused.JOB, "j", "me", "")
        await control.pause(Paused.JOB, "j", "me", "why")
        assert await control.pauses()
        assert await control.resume(Paused.JOB, "j", "me")
        number = await control.create_token("t", TokenRole.READ, b"%d" % time.time_ns(), 0)
        assert await control.tokens()
        assert await control.revoke_token(number) == "t"
        assert await control.actions(0, 10)
        runs = KeptRuns(pool)
        await runs.runs(0.0, "", "", "", 1)
        await runs.run("0")
        async with pool.transaction() as connection:
            await connection.execute("UPDATE workflow_runs SET error = '' WHERE false")
            await connection.execute("UPDATE workflow_steps SET error = '' WHERE false")
            await connection.fetch("SELECT FROM workflow_steps")
        log = EventLog(pool)
        await log.events(EventSearch())
        await log.acknowledge(1, "me", "")
        assert await log.end_window(await log.add_window(Window(0, NOON, 1 << 32, {"site": ["zrh"]}, "me", "")))
    finally:
        await pool.close()


# -- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls_postgres(certificates: Authority) -> Iterator[EmbeddedPostgres]:
    """Debian's PostgreSQL, which has TLS; the embedded one has not."""
    with tempfile.TemporaryDirectory(prefix="streampoll-test-") as made:
        directory = Path(made)
        directory.chmod(0o755)
        yield from _tls_postgres(certificates, directory)


def _tls_postgres(certificates: Authority, directory: Path) -> Iterator[EmbeddedPostgres]:
    options = PostgresOptions(program=Path("/usr/lib/postgresql/15/bin"), shared_buffers_mb=16)
    with EmbeddedPostgres(directory / "server", options) as server:
        made, key = (give(file, directory / "server") for file in certificates.issue("db", hosts="IP:127.0.0.1"))
        changes = [f"ssl_cert_file = '{made}'", f"ssl_key_file = '{key}'", "ssl = 'on'"]
        run_now(_alter(server.dsn.reveal(), changes))
        yield server


async def _alter(dsn: str, changes: list[str]) -> None:
    connection = await asyncpg.connect(dsn)
    for change in changes:
        await connection.execute(f"ALTER SYSTEM SET {change}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


async def test_rows_are_stored_over_tls_and_the_server_is_verified(
    tls_postgres: EmbeddedPostgres, certificates: Authority
) -> None:
    dsn = f"{tls_postgres.dsn.reveal()}?sslmode=verify-full&sslrootcert={certificates.certificate}"

    await store(settings(dsn))

    async with connected(settings(dsn)) as connection:
        assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True


async def test_a_server_of_another_authority_or_name_is_refused(
    tls_postgres: EmbeddedPostgres, certificates: Authority, tmp_path: Path
) -> None:
    dsn, other = tls_postgres.dsn.reveal(), authority(tmp_path)
    for options in (
        f"sslmode=verify-full&sslrootcert={other.certificate}",
        f"sslmode=verify-ca&sslrootcert={other.certificate}",
    ):
        with pytest.raises(PostgresUnavailable, match="certificate"):
            async with connected(settings(f"{dsn}?{options}")):
                pass
    by_other_name = (
        f"{dsn.replace('127.0.0.1', 'localhost')}?sslmode=verify-full&sslrootcert={certificates.certificate}"
    )
    with pytest.raises(PostgresUnavailable, match="certificate"):
        async with connected(settings(by_other_name)):
            pass
    async with connected(settings(by_other_name.replace("verify-full", "verify-ca"))):
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # asyncpg leaves its socket
async def test_a_server_without_tls_is_refused_where_tls_is_asked_for(fresh_database: str) -> None:
    with pytest.raises(PostgresUnavailable, match="SSL"):
        async with connected(settings(f"{fresh_database}?sslmode=require")):
            pass
    gc.collect()


# -- pgbouncer


@pytest.fixture
def bouncer(fresh_database: str, open_directory: Path) -> Iterator[str]:
    with pgbouncer(open_directory / "bouncer", fresh_database) as dsn:
        yield dsn


async def test_everything_works_through_pgbouncer_in_transaction_mode(bouncer: str) -> None:
    through = settings(bouncer, prepared_statements=False)

    async with connected(through) as connection:
        assert await migrate(connection) == [migration.name for migration in load_migrations()]
    await store(through)
    await coordinator(through)
    await reader(through)


async def test_many_sessions_share_two_servers(bouncer: str) -> None:
    await alternate(settings(bouncer, prepared_statements=False))


async def on_both_servers(one: Connection, two: Connection) -> None:
    """Have pgbouncer open both servers, so that it may take either from now on."""
    await asyncio.gather(*(each.execute("SELECT pg_sleep(0.05)") for each in (one, two)))


async def alternate(through: PostgresSettings) -> None:
    async with connected(through) as one, connected(through) as two, connected(through) as three:
        await on_both_servers(one, two)
        for n in range(50):
            for connection in (one, two, three):
                await connection.fetchval(f"SELECT {n % 5} + $1::int", n)


async def test_prepared_statements_through_pgbouncer_are_refused_with_the_setting(bouncer: str) -> None:
    mixed = settings(bouncer)
    with pytest.raises(PostgresUnavailable, match=r"postgres\.prepared_statements = false"):
        await alternate(mixed)


# -- grants


@asynccontextmanager
async def granted(dsn: str, administrator: "asyncpg.Connection") -> AsyncIterator[Callable[[str], PostgresSettings]]:
    """Grant as the page says; yields what makes a role's settings."""
    once, after = SQL.split("-- after")
    await administrator.execute(once)
    for role in ("store", "coordinator", "reader", "api"):
        await administrator.execute(f"ALTER ROLE streampoll_{role} PASSWORD 'p'")

    def settings_of(role: str) -> PostgresSettings:
        return settings(re.sub("//.*@", f"//streampoll_{role}:p@", dsn))

    try:
        async with connected(settings_of("store")) as connection:
            await migrate(connection)
            await connection.execute("-- after" + after)
        yield settings_of
    finally:
        roles = "streampoll_store, streampoll_coordinator, streampoll_reader, streampoll_api"
        await administrator.execute(f"DROP OWNED BY {roles} CASCADE; DROP ROLE {roles}")


@pytest.fixture
async def administrator(fresh_database: str) -> AsyncIterator["asyncpg.Connection"]:
    connection = await asyncpg.connect(fresh_database)
    yield connection
    await connection.close()


Act = Callable[[PostgresSettings], Awaitable[None]]
ACTS: dict[str, Act] = {
    "streampoll_coordinator": coordinator, "streampoll_reader": reader, "streampoll_api": api,
}  # fmt: skip


async def test_every_role_works_under_its_grants(fresh_database: str, administrator: "asyncpg.Connection") -> None:
    async with granted(fresh_database, administrator) as settings_of:
        await store(settings_of("store"))
        await coordinator(settings_of("coordinator"))
        await reader(settings_of("reader"))
        await api(settings_of("api"))


async def test_no_grant_can_be_taken_away(fresh_database: str, administrator: "asyncpg.Connection") -> None:
    async with granted(fresh_database, administrator) as settings_of:
        await store(settings_of("store"))
        spare = []
        for role, privilege, table in GRANTS:
            await administrator.execute("TRUNCATE plans, losses, final; DELETE FROM jobs WHERE name = 'new'")
            await administrator.execute(f"REVOKE {privilege} ON {table} FROM {role}")
            try:
                await ACTS[role](settings_of(role.removeprefix("streampoll_")))
                spare.append((role, privilege, table))
            except PostgresUnavailable as error:
                assert "permission denied" in str(error)  # noqa: PT017
                assert "docs/security.md" in str(error)  # noqa: PT017
            await administrator.execute(f"GRANT {privilege} ON {table} TO {role}")
        assert spare == []


async def test_a_reader_can_not_write(fresh_database: str, administrator: "asyncpg.Connection") -> None:
    async with granted(fresh_database, administrator) as settings_of, connected(settings_of("reader")) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM polls")


def test_the_page_grants_something() -> None:
    assert len(GRANTS) > 10
