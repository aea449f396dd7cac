"""Which jobs are paused: a decision in PostgreSQL, that Redis repeats for workers and for times without PostgreSQL.

A paused job is a plan of nothing, committed as any other, so that audit stays exact and a restart changes nothing. A
new leader must know of a pause before it commits a plan of the job: so each commit comes after a reading.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from streampoll.shards.port import Pause, Paused

log = logging.getLogger(__name__)

HEED_S = 2.0  # between two readings


class Board(Protocol):
    """Where Redis says what is paused."""

    async def pauses(self) -> list[Pause]:
        """Return what is paused, as the leader last said."""

    async def show_pauses(self, pauses: Sequence[Pause]) -> None:
        """Say what is paused now, and that nothing else is."""


class Pauses(Protocol):
    """What a coordinator asks."""

    async def remembered(self) -> frozenset[str]:
        """Return the jobs that Redis says are paused: at once, without PostgreSQL."""

    async def decided(self) -> frozenset[str]:
        """Return the jobs that are paused, and have Redis say so.

        Raises:
            UnavailableError: PostgreSQL or Redis is away.
        """


class NoPauses:
    """Nothing can be paused."""

    async def remembered(self) -> frozenset[str]:
        """Return no job."""
        return frozenset()

    async def decided(self) -> frozenset[str]:
        """Return no job."""
        return frozenset()


NOTHING_PAUSED = NoPauses()


class ShownPauses:
    """Reads decisions, and shows them."""

    def __init__(self, decisions: Callable[[], Awaitable[list[Pause]]], board: Board) -> None:
        self._decisions = decisions
        self._board = board

    async def remembered(self) -> frozenset[str]:
        """Return the jobs that Redis says are paused: at once, without PostgreSQL."""
        return _jobs(await self._board.pauses())

    async def decided(self) -> frozenset[str]:
        """Return the jobs that are paused, and have Redis say so."""
        pauses = await self._decisions()
        if await self._board.pauses() != pauses:
            await self._board.show_pauses(pauses)
            log.info("paused: %s", ", ".join(f"{each.kind} {each.name}" for each in pauses) or "nothing")
        return _jobs(pauses)


def _jobs(pauses: Sequence[Pause]) -> frozenset[str]:
    return frozenset(each.name for each in pauses if each.kind is Paused.JOB)
