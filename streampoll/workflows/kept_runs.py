"""Runs read and cancelled by the API: each question is a short transaction of its own."""

from typing import Any

from streampoll.results.postgres import Postgres
from streampoll.workflows.control import cancel
from streampoll.workflows.reader import read_run, read_runs


class KeptRuns:
    """Reads PostgreSQL.

    Raises:
        PostgresUnavailable: from every method.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def runs(self, since: float, workflow: str, state: str, device: str, limit: int) -> list[dict[str, Any]]:
        """Return runs, the newest first."""
        async with self._postgres.transaction() as connection:
            return await read_runs(connection, since, workflow, state, device, limit)

    async def run(self, run: str) -> dict[str, Any] | None:
        """Return a run with its steps."""
        async with self._postgres.transaction() as connection:
            return await read_run(connection, run)

    async def cancel(self, run: str, by: str) -> bool:
        """Cancel a run; False if it had ended, or there is none."""
        async with self._postgres.transaction() as connection:
            return await cancel(connection, run, by)
