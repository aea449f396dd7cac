"""Faults of PostgreSQL: killed, stopped, read-only, full, and a row it does not take."""

import os
import signal

import asyncpg

from tests.chaos.fault import Torment, fault
from tests.servers_support import run_now


@fault("PostgreSQL killed (-9), back after 2 s")
def postgres_killed(torment: Torment) -> None:
    torment.system.postgres.kill()
    torment.wait(2)
    _start(torment)


@fault("PostgreSQL shut down at once (immediate), back after 2 s")
def postgres_immediate(torment: Torment) -> None:
    os.kill(torment.system.postgres.pid, signal.SIGQUIT)
    torment.wait(2)
    torment.system.postgres.kill()
    _start(torment)


@fault("PostgreSQL stopped for a minute")
def postgres_away(torment: Torment) -> None:
    torment.system.postgres.stop()
    torment.wait(torment.long_s)
    _start(torment)


@fault("every connection of PostgreSQL terminated")
def postgres_connections_terminated(torment: Torment) -> None:
    _execute(torment, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
             " AND backend_type = 'client backend'")  # fmt: skip


@fault("PostgreSQL read-only")
def postgres_read_only(torment: Torment) -> None:
    _execute(torment, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        torment.wait(torment.rng.uniform(4, 9))
    finally:
        _execute(torment, "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")


@fault("PostgreSQL's disk is full (every INSERT fails with 53100)")
def postgres_full(torment: Torment) -> None:
    _execute(torment, *_trigger("STATEMENT", "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'"))
    try:
        torment.wait(torment.rng.uniform(4, 9))
    finally:
        _execute(torment, "DROP FUNCTION chaos() CASCADE")


@fault("PostgreSQL refuses the rows of one device")
def postgres_refuses_a_row(torment: Torment) -> None:
    """The refused poll gets a row `error`, which is not counted against it here: it is what is promised."""
    device = torment.rng.randrange(1, torment.system.scale.devices)
    torment.tell(f"device {device}")
    refuse = f"IF NEW.device = {device} AND NEW.status <> 7 THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW"
    _execute(torment, *_trigger("ROW", refuse))
    try:
        torment.wait(torment.system.scale.fast_s + 1)
    finally:
        _execute(torment, "DROP FUNCTION chaos() CASCADE")


def _trigger(each: str, body: str) -> tuple[str, str]:
    return (
        f"CREATE FUNCTION chaos() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$",
        f"CREATE TRIGGER chaos BEFORE INSERT ON polls FOR EACH {each} EXECUTE FUNCTION chaos()",
    )


def _execute(torment: Torment, *statements: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(torment.system.dsn, timeout=5)
        try:
            await connection.execute("SET default_transaction_read_only = off")
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    run_now(execute())


def _start(torment: Torment) -> None:
    torment.system.postgres.start()
    torment.system.network.moved("postgres", torment.system.postgres.port)
