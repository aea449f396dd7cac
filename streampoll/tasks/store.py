"""The handler of tasks' ends in class results: they become rows, and are acknowledged once those are committed."""

import logging
import random
from collections.abc import Callable, Sequence

from streampoll.errors import EntryError, PostgresUnavailable
from streampoll.model import Status
from streampoll.results.postgres import Postgres, RowRefused
from streampoll.shards.entries import Delivered
from streampoll.tasks.message import decode_end
from streampoll.tasks.results import QUERIES, End, insert
from streampoll.worker.port import Bury, Disposition, Finish, Release, Retry

log = logging.getLogger(__name__)

_AFTER_A_BUG_S = 30.0
_DAY_S = 86_400.0
_DROP_EVERY_S = 600.0


class TaskStore:
    """Stores ends of tasks. `now` is the wall clock of Redis TIME, in seconds."""

    def __init__(self, postgres: Postgres, now: Callable[[], float], kept_days: int) -> None:
        self._postgres = postgres
        self._now = now
        self._kept_days = kept_days
        self._drop_at = now() + random.uniform(0.0, _DROP_EVERY_S)  # not all processes at once

    async def ready(self) -> None:
        """The class's own store waits for PostgreSQL; here old rows are dropped."""
        if not self._kept_days or self._now() < self._drop_at:
            return
        self._drop_at = self._now() + _DROP_EVERY_S
        try:
            more = True
            while more:
                more = await self._drop_some()
        except PostgresUnavailable as error:
            log.debug("results of tasks: old ones stay for now: %s", error)

    async def _drop_some(self) -> bool:
        async with self._postgres.transaction() as connection:
            tag = await connection.execute(QUERIES["drop_tasks"], self._now() - self._kept_days * _DAY_S)
        return not tag.endswith(" 0")

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        """Store a batch; answers only after the commit."""
        ends = [_end_of(delivered) for delivered in batch]
        try:
            refused = await self._store([end for end in ends if isinstance(end, tuple)])
        except PostgresUnavailable as error:
            return [Release(str(error))] * len(batch)
        return [_disposition(delivered, end, refused) for delivered, end in zip(batch, ends, strict=True)]

    async def _store(self, ends: Sequence[End]) -> dict[str, str]:
        """Store ends; return the causes of those that PostgreSQL refuses, by id."""
        if not ends:
            return {}
        try:
            async with self._postgres.statements() as connection:
                await insert(connection, ends)
        except RowRefused as refusal:
            if len(ends) == 1:
                log.error("results of tasks: PostgreSQL refuses that of %s: %s", ends[0][0].id, refusal)
                return {ends[0][0].id: str(refusal)}
            half = len(ends) // 2
            return {**await self._store(ends[:half]), **await self._store(ends[half:])}
        return {}

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """Bury what killed a process; what a bug of ours stopped is tried again later."""
        if delivered.entry is None or status is Status.CRASHED:
            return Bury(cause)
        return Retry(delivered.entry, _AFTER_A_BUG_S)

    async def close(self) -> None:
        """Close the connections."""
        await self._postgres.close()


def _end_of(delivered: Delivered) -> End | str:
    assert delivered.entry is not None
    try:
        return decode_end(delivered.entry)
    except EntryError as error:
        return str(error)


def _disposition(delivered: Delivered, end: End | str, refused: dict[str, str]) -> Disposition:
    if isinstance(end, str):
        return Release(end, counted=True) if delivered.delivery <= 1 else Bury(end)
    if cause := refused.get(end[0].id):
        return Bury(f"PostgreSQL refused it: {cause}")
    return Finish()
