"""What operators have decided, in PostgreSQL: what is paused, which tokens hold, who did what."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from streampoll.coordinator.pauses import Board
from streampoll.errors import UnavailableError
from streampoll.results.postgres import Postgres
from streampoll.results.queries import load_queries
from streampoll.shards.port import Pause, Paused

_QUERIES = load_queries("control.sql")


class Role(StrEnum):
    """What the holder of a token may do; an operator may read too."""

    READ = "read"  # see everything that is shown
    OPERATOR = "operator"  # act: run, pause, requeue, acknowledge

    def covers(self, other: "Role") -> bool:
        """Return True if this role may do what needs the other."""
        return self is Role.OPERATOR or other is Role.READ


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token; never the token."""

    id: int
    name: str
    role: Role
    digest: bytes  # SHA-256 of the token
    created: int  # seconds since the epoch
    expires: int = 0  # seconds since the epoch; 0: never


@dataclass(frozen=True, slots=True)
class Action:
    """Something that somebody did."""

    at: float  # seconds since the epoch
    by: str
    action: str
    target: str
    detail: str


class Control:
    """Reads and writes decisions.

    Raises:
        PostgresUnavailable: from every method.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def pauses(self) -> list[Pause]:
        """Return what is paused."""
        async with self._postgres.transaction() as connection:
            return [_pause(row) for row in await connection.fetch(_QUERIES["pauses"])]

    async def pause(self, kind: Paused, name: str, by: str, reason: str) -> None:
        """Pause a job or class; to pause it again changes the reason."""
        async with self._postgres.transaction() as connection:
            await connection.execute(_QUERIES["pause"], kind.value, name, by, reason)
            await connection.execute(_QUERIES["note_action"], by, "pause", f"{kind} {name}", reason)

    async def resume(self, kind: Paused, name: str, by: str) -> bool:
        """End a pause; False if there was none."""
        async with self._postgres.transaction() as connection:
            found = await connection.fetchval(_QUERIES["resume"], kind.value, name)
            if found is not None:
                await connection.execute(_QUERIES["note_action"], by, "resume", f"{kind} {name}", "")
        return found is not None

    async def tokens(self) -> list[Token]:
        """Return the tokens that are not revoked."""
        async with self._postgres.transaction() as connection:
            rows = await connection.fetch(_QUERIES["tokens"])
        return [
            Token(row["id"], row["name"], Role(row["role"]), row["digest"], row["created"], row["expires"])
            for row in rows
        ]

    async def create_token(self, name: str, role: Role, digest: bytes, expires: int) -> int:
        """Keep a new token; return its number."""
        async with self._postgres.transaction() as connection:
            return int(await connection.fetchval(_QUERIES["create_token"], name, role.value, digest, expires))

    async def revoke_token(self, number: int) -> str | None:
        """End a token; return its name, None if none of this number held."""
        async with self._postgres.transaction() as connection:
            found: str | None = await connection.fetchval(_QUERIES["revoke_token"], number)
        return found

    async def note(self, by: str, action: str, target: str, detail: str = "") -> None:
        """Take note of who did what."""
        async with self._postgres.transaction() as connection:
            await connection.execute(_QUERIES["note_action"], by, action, target, detail)

    async def actions(self, since: int, limit: int) -> Sequence[Action]:
        """Return what was done since then, the newest first."""
        async with self._postgres.transaction() as connection:
            return [Action(**row) for row in await connection.fetch(_QUERIES["actions"], since, limit)]


class Decisions:
    """Pauses and resumes, and has Redis say so at once; where it is away the leader will."""

    def __init__(self, control: Control, board: Board) -> None:
        self._control = control
        self._board = board

    async def pause(self, kind: Paused, name: str, by: str, reason: str) -> None:
        """Pause a job or class.

        Raises:
            PostgresUnavailable: nothing was decided.
        """
        await self._control.pause(kind, name, by, reason)
        await self._show()

    async def resume(self, kind: Paused, name: str, by: str) -> bool:
        """End a pause; False if there was none.

        Raises:
            PostgresUnavailable: nothing was decided.
        """
        found = await self._control.resume(kind, name, by)
        await self._show()
        return found

    async def _show(self) -> None:
        with suppress(UnavailableError):
            await self._board.show_pauses(await self._control.pauses())


def _pause(row: Mapping[str, Any]) -> Pause:
    return Pause(Paused(row["kind"]), row["name"], row["since"], row["by"], row["reason"])
