"""The only door to asyncpg: a lazy pool, and every exception as one of ours.

Which errors are the *data's* fault matters more than any: a row that PostgreSQL refuses is set aside, anything else
waits until PostgreSQL is well. So only the SQLSTATE classes that speak of the values count as a refusal; a class not
thought of holds the work back, it does not throw rows away.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol

import asyncpg

from streampoll.config.settings import PostgresSettings
from streampoll.errors import ConfigError, Fault, PostgresUnavailable, StreampollError

_REFUSALS = ("22", "23", "54", "P0")  # data exception, integrity, program limit (a name too long to index), a trigger's
_NO_PARTITION = "23514"
_BROKEN = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError)
_UNHEARD_MS = 10_000  # what was sent and no host acknowledges for so long ends the connection (tcp(7))
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),  # seconds of silence
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS),
)
_MIXED_UP = ("26000", "42P05")  # a prepared statement that is not there, or there already: another server than before
_LOCKED = "55P03"  # lock_timeout: others held a lock for longer than it is waited for


class RowRefused(StreampollError):  # noqa: N818 - reads as the state it is
    """PostgreSQL refuses a value of this statement; the same statement will always fail."""


class PartitionMissing(StreampollError):  # noqa: N818
    """A row's day has no partition (one was dropped since we looked)."""


class Connection(Protocol):
    """What the rest of the package uses of an asyncpg connection."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str: ...
    async def fetch(self, query: str, *args: object) -> list[Any]: ...
    async def fetchval(self, query: str, *args: object) -> Any: ...
    async def fetchrow(self, query: str, *args: object) -> Any: ...


Prepare = Callable[[Connection], Awaitable[object]]


class Postgres:
    """A pool of a few connections, made at first use (so never before a fork).

    `prepare` runs once on the first connection that is made, before anything else: the schema's migrations.
    """

    def __init__(self, settings: PostgresSettings, connections: int = 2, prepare: Prepare | None = None) -> None:
        self._settings = settings
        self._connections = connections
        self._prepare = prepare
        self._pool: asyncpg.Pool | None = None
        self._users: Counter[asyncpg.Pool] = Counter()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Run a transaction. An exception out of it says nothing about whether a COMMIT that was sent took effect.

        Raises:
            PostgresUnavailable: try again later.
            RowRefused, PartitionMissing: see there.
        """
        async with self.statements() as connection, _begun(connection):
            yield connection

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[Connection]:
        """Lend a connection on which each statement is a transaction of its own, without the round trips of two more.

        Whether a statement that raised took effect is unknown, as it is of a COMMIT: one that no answer came to may yet
        be carried out, even after the connection is gone.

        Raises:
            As `transaction` does.
        """
        with mapped_errors():
            async with self._using_pool() as pool:
                with _dsn_named():
                    connection = await pool.acquire()
                try:
                    await self._prepared(connection)
                    yield connection
                except _BROKEN:
                    self._give_up(pool, connection)
                    raise
                except asyncio.CancelledError:
                    _end(connection)
                    raise
                finally:
                    await pool.release(connection)

    async def _prepared(self, connection: Connection) -> None:
        if self._prepare is not None:
            await self._prepare(connection)
            self._prepare = None

    @asynccontextmanager
    async def _using_pool(self) -> AsyncIterator[asyncpg.Pool]:
        """Lend the pool; one that was given up meanwhile is ended by the last who has it."""
        pool = await self._ready_pool()
        self._users[pool] += 1
        try:
            yield pool
        finally:
            self._users[pool] -= 1
            if not self._users[pool]:
                del self._users[pool]
                if pool is not self._pool:
                    pool.terminate()

    def _give_up(self, pool: asyncpg.Pool, connection: Any) -> None:
        """Use none of the pool's connections any more: where one broke unseen they all did, each for a time-out."""
        _end(connection)
        if self._pool is pool:
            self._pool = None

    async def close(self) -> None:
        """Close the connections; waits for no statement longer than a second."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def _ready_pool(self) -> asyncpg.Pool:
        if self._pool is None:
            # min_size 0: nothing connects here, so two callers can't both be in this branch
            self._pool = asyncpg.create_pool(
                min_size=0,
                max_size=self._connections,
                command_timeout=self._settings.command_timeout_s,
                reset=_nothing_to_reset,
                **_options(self._settings),
            )
            await self._pool
        return self._pool


@asynccontextmanager
async def _begun(connection: Any) -> AsyncIterator[None]:
    """Begin and end a transaction; where it broke, or we are to end, there is no waiting for a ROLLBACK.

    To have a statement cancelled first, asyncpg asks the server, over another connection: on a network that says
    nothing a process that was told to drain would hang for a minute.
    """
    async with connection.transaction():
        try:
            yield
        except (*_BROKEN, asyncio.CancelledError):
            _end(connection)
            raise


def _end(connection: Any) -> None:
    """End a connection; one that has ended has left its pool, and can't be told to."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _nothing_to_reset(connection: object) -> None:
    """Leave a connection as it is: nothing of ours outlives its transaction, and asyncpg would ask once for each."""


@asynccontextmanager
async def connected(settings: PostgresSettings) -> AsyncIterator[Connection]:
    """Open one connection, for a command, whose statements take as long as they take: a person is waiting.

    Raises:
        PostgresUnavailable: it can't be reached, or went away.
        ConfigError: the DSN can't be read.
    """
    with mapped_errors():
        with _dsn_named():
            connection = await asyncpg.connect(**_options(settings))
        try:
            yield connection
        finally:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=2)


class _Watched(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection whose end the kernel notices: of a host that lost power, or was cut off, no packet tells."""

    def __init__(self, protocol: Any, transport: Any, *rest: Any) -> None:
        super().__init__(protocol, transport, *rest)
        end: socket.socket | None = transport.get_extra_info("socket")
        if end is not None and end.family != socket.AF_UNIX:
            for level, option, value in _KEEP_ALIVE:
                end.setsockopt(level, option, value)


def _options(settings: PostgresSettings) -> dict[str, Any]:
    # Without a cache asyncpg prepares unnamed statements and sends nothing between parsing and running one that would
    # let pgbouncer change the server.
    cache = {} if settings.prepared_statements else {"statement_cache_size": 0}
    return {
        **cache,
        "dsn": settings.dsn.reveal(),
        "timeout": settings.connect_timeout_s,
        "connection_class": _Watched,
        "server_settings": {"application_name": "streampoll"},
    }


@contextmanager
def _dsn_named() -> Iterator[None]:
    """Name the setting where connecting fails on the DSN itself; its text is not repeated, it may hold a password."""
    try:
        yield
    except ssl.SSLError:  # a certificate that is refused is a ValueError too
        raise
    except ValueError:
        fault = Fault("postgres.dsn", "is not a DSN", "write postgresql://USER@HOST:PORT/DATABASE")
        raise ConfigError([fault]) from None


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn what asyncpg raises into our errors; one line each, no DSN in it.

    A cancellation stays one: on a connection that was closed asyncpg's ROLLBACK puts an error in its place, and a loop
    that waits for PostgreSQL would go on for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError from error
        raise _ours(error) from error


def _ours(error: Exception) -> StreampollError:
    if not isinstance(error, asyncpg.PostgresError):
        return PostgresUnavailable(f"PostgreSQL: {_line(error)}")
    state = getattr(error, "sqlstate", None) or ""
    if state == _NO_PARTITION and "no partition" in str(error):
        return PartitionMissing(_line(error))
    if isinstance(error, asyncpg.DataError) or state[:2] in _REFUSALS:
        return RowRefused(_line(error).partition(" DETAIL: ")[0])  # which has the row in it, and so is never the same
    if state in _MIXED_UP:
        return PostgresUnavailable(
            f"PostgreSQL: {_line(error)}; behind pgbouncer set postgres.prepared_statements = false"
        )
    if state == _LOCKED:
        return PostgresUnavailable(
            f"PostgreSQL: {_line(error)}; others use the table (pg_stat_activity has them); try again after them"
        )
    if state == "42501":
        return PostgresUnavailable(f"PostgreSQL: {_line(error)}; docs/security.md has the grants of each role")
    if state == "42P01":
        return PostgresUnavailable(f"PostgreSQL: {_line(error)}; run `streampoll migrate`")
    return PostgresUnavailable(f"PostgreSQL: {_line(error)}")


def _line(error: BaseException) -> str:
    """Return an error's text as one line; its type where it has none."""
    text = " ".join(str(error).split())
    return text or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
