"""The embedded PostgreSQL: durable, local, behind a password, never root, and back after a crash."""

import os
import shutil
import stat
from pathlib import Path

import asyncpg
import psutil
import pytest

from streampoll.embedded.owner import Owner, closed_directory
from streampoll.embedded.postgres import EmbeddedPostgres, PostgresOptions
from streampoll.embedded.postgres_program import PostgresProgram, choose_postgres, postgres_programs, reachable_program
from streampoll.embedded.process import locked_directory
from streampoll.errors import ConfigError, UnavailableError, UnfitServerError
from tests.servers_support import run_now

NOBODY = Owner("nobody", 65534, 65534)
ONLY_ROOT_CAN = pytest.mark.skipif(os.geteuid() != 0, reason="about giving root up: there is none to give up here")


def value(dsn: str, query: str) -> object:
    async def fetch() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return run_now(fetch())


def test_what_was_committed_survives_stop_and_crash(open_directory: Path) -> None:
    with EmbeddedPostgres(open_directory / "postgres") as server:
        value(server.dsn.reveal(), "CREATE TABLE kept (id int)")
        value(server.dsn.reveal(), "INSERT INTO kept VALUES (1)")

    crashing = EmbeddedPostgres(open_directory / "postgres")
    crashing.start()
    value(crashing.dsn.reveal(), "INSERT INTO kept VALUES (2)")
    crashing.kill()
    make_pid_file_name_somebody_else(open_directory / "postgres/data/postmaster.pid")

    with EmbeddedPostgres(open_directory / "postgres") as server:
        assert value(server.dsn.reveal(), "SELECT count(*) FROM kept") == 2


def make_pid_file_name_somebody_else(pid_file: Path) -> None:
    """Leave what a crash leaves when the dead server's pid has been given to another process since."""
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")


def test_it_is_durable_and_local(postgres_server: EmbeddedPostgres) -> None:
    dsn = postgres_server.dsn.reveal()

    assert value(dsn, "SHOW fsync") == "on"
    assert value(dsn, "SHOW synchronous_commit") == "on"
    assert value(dsn, "SHOW listen_addresses") == "127.0.0.1"
    assert value(dsn, "SHOW server_encoding") == "UTF8"


@pytest.mark.parametrize("way", ["tcp", "socket"])
def test_nobody_enters_without_the_password(way: str, postgres_server: EmbeddedPostgres) -> None:
    base = f"postgresql://streampoll:wrong@127.0.0.1:{postgres_server.port}/streampoll"
    dsn = base + (f"?host={socket_directory(postgres_server)}" if way == "socket" else "")

    with pytest.raises(asyncpg.InvalidPasswordError):
        value(dsn, "SELECT 1")


def socket_directory(server: EmbeddedPostgres) -> object:
    return value(server.dsn.reveal(), "SHOW unix_socket_directories")


def test_the_password_is_in_no_argv_and_no_log(open_directory: Path) -> None:
    with EmbeddedPostgres(open_directory / "postgres") as server:
        password_file = open_directory / "postgres/password"
        password = password_file.read_text()

        assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
        assert password not in repr(server.dsn)
        assert password in server.dsn.reveal()
        assert password not in " ".join(psutil.Process(server.pid).cmdline())
        assert password not in (open_directory / "postgres/server.log").read_text()


@ONLY_ROOT_CAN
def test_it_never_runs_as_root(postgres_server: EmbeddedPostgres) -> None:
    assert psutil.Process(postgres_server.pid).uids().real == NOBODY.uid
    assert psutil.Process(postgres_server.pid).gids().real == NOBODY.gid


@ONLY_ROOT_CAN
def test_a_directory_out_of_the_servers_reach_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)

    with pytest.raises(ConfigError, match="nobody can't enter") as caught:
        EmbeddedPostgres(tmp_path / "mine/postgres").start()

    assert str(tmp_path.parents[-2]) in str(caught.value)
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o700


@ONLY_ROOT_CAN
def test_an_installation_out_of_the_servers_reach_is_copied(open_directory: Path) -> None:
    installed = postgres_programs()[0]
    closed = open_directory / "root-only"
    closed.mkdir(mode=0o700)
    package = installed.bin.parent.parent
    shutil.copytree(package, closed / package.name, symlinks=True)
    shutil.copytree(f"{package}.libs", closed / f"{package.name}.libs")

    options = PostgresOptions(program=closed / package.name / installed.bin.parent.name / "bin")
    with EmbeddedPostgres(open_directory / "postgres", options) as server:
        assert Path(psutil.Process(server.pid).exe()).is_relative_to(open_directory / "postgres")
        assert value(server.dsn.reveal(), "SELECT 1") == 1


@ONLY_ROOT_CAN
def test_modes_decide_what_the_owner_may_enter(tmp_path: Path) -> None:
    (tmp_path / "open/closed/inside").mkdir(parents=True)
    (tmp_path / "open/closed").chmod(0o700)
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_mode & 0o001 == 0:
            assert closed_directory(tmp_path / "open/closed/inside", NOBODY) is not None
            return
    assert closed_directory(tmp_path / "open/closed/inside", NOBODY) == tmp_path / "open/closed"


def test_a_cluster_half_made_is_made_again(open_directory: Path) -> None:
    (open_directory / "postgres/data.half/base").mkdir(parents=True)

    with EmbeddedPostgres(open_directory / "postgres") as server:
        assert value(server.dsn.reveal(), "SELECT current_database()") == "streampoll"
    assert not (open_directory / "postgres/data.half").exists()


def test_one_directory_takes_one_server(open_directory: Path) -> None:
    with (
        EmbeddedPostgres(open_directory / "postgres"),
        pytest.raises(UnavailableError, match="another server runs on this directory"),
        locked_directory(open_directory / "postgres", timeout_s=0),
    ):
        pass


def test_another_major_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("12\n")

    with pytest.raises(UnfitServerError, match=r"made by PostgreSQL 12, found here: .*; install 12"):
        choose_postgres(tmp_path, None)


def test_the_data_decide_which_installation_runs(tmp_path: Path) -> None:
    majors = [program.major for program in postgres_programs()]
    assert len(set(majors)) > 1

    for major in set(majors):
        (tmp_path / "PG_VERSION").write_text(f"{major}\n")
        assert choose_postgres(tmp_path, None).major == major


def test_a_reachable_installation_is_used_where_it_is(open_directory: Path) -> None:
    program = PostgresProgram(open_directory, 18)

    assert reachable_program(program, NOBODY, open_directory) is program
