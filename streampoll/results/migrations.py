"""The schema: numbered SQL files, applied in order, once each, by whoever comes first."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from streampoll.errors import UnfitServerError
from streampoll.results.postgres import Connection

_LOCK = 0x5370_0001  # advisory lock: "Sp", 1
_LONGEST_S = 86_400.0  # a migration of a large table takes as long as it takes
_MIN_VERSION = 130_000  # the oldest PostgreSQL whose partitioned tables do what the schema asks


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of schema/, `NNN_name.sql`."""

    version: int
    name: str
    sql: str


def load_migrations() -> tuple[Migration, ...]:
    """Return the migrations this release knows, in order."""
    found = [
        Migration(int(file.name.partition("_")[0]), file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in (files("streampoll.results") / "schema").iterdir()
        if file.name.endswith(".sql")
    ]
    return tuple(sorted(found, key=lambda migration: migration.version))


async def migrate(connection: Connection, known: Sequence[Migration] | None = None) -> list[str]:
    """Bring the schema up to date and return the names of what was applied; to call it again does nothing.

    All or nothing: one transaction, under an advisory lock, so that any number of processes may start at once.

    Raises:
        UnfitServerError: the schema is newer than this release, or PostgreSQL is too old.
        PostgresUnavailable: as everywhere.
    """
    known = load_migrations() if known is None else known
    await connection.execute("BEGIN")
    try:
        applied = await _apply(connection, known)
    except Exception:  # who is cancelled gives the connection up
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")
    return applied


async def _apply(connection: Connection, known: Sequence[Migration]) -> list[str]:
    await _check_server(connection)
    newest = max((migration.version for migration in known), default=0)
    there = await connection.fetchval("SELECT to_regclass('schema_versions')") is not None
    if there and await _version(connection) == newest:
        return []  # before anything that only the tables' owner may
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_versions"
        " (version integer PRIMARY KEY, name text NOT NULL, applied timestamptz NOT NULL DEFAULT now())"
    )
    present = await _version(connection)
    if present > newest:
        raise UnfitServerError(
            f"PostgreSQL: the schema has version {present}, this release knows {newest}; upgrade streampoll"
        )
    todo = [migration for migration in known if migration.version > present]
    for migration in todo:
        await connection.execute(migration.sql, timeout=_LONGEST_S)
        await connection.execute(
            "INSERT INTO schema_versions (version, name) VALUES ($1, $2)", migration.version, migration.name
        )
    return [migration.name for migration in todo]


async def _version(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_versions"))


async def _check_server(connection: Connection) -> None:
    version = int(await connection.fetchval("SHOW server_version_num"))
    if version < _MIN_VERSION:
        raise UnfitServerError(f"PostgreSQL {version // 10_000} is too old; use {_MIN_VERSION // 10_000} or newer")
