"""What commands do to runs, put together: cancel one, say what became of a step."""

import os
from pathlib import Path

from streampoll.app.redis_side import open_redis
from streampoll.embedded.endpoints import read_settings
from streampoll.results.postgres import Postgres
from streampoll.workflows.control import add_orders, cancel, resolve


async def cancel_run(where: Path, run: str, by: str) -> bool:
    """Cancel a run; False if it had ended, or there is none."""
    postgres = Postgres(read_settings(where, os.environ).postgres, 1)
    try:
        async with postgres.transaction() as connection:
            return await cancel(connection, run, by)
    finally:
        await postgres.close()


async def resolve_step(where: Path, which: tuple[str, str, int], done: bool, by: str) -> bool:
    """Say of step `which` (run, step, element) that it is done, or have it done again; False if it is not unknown."""
    settings = read_settings(where, os.environ)
    postgres = Postgres(settings.postgres, 1)
    try:
        async with postgres.transaction() as connection:
            settled = await resolve(connection, *which, done, by)
            shard = await connection.fetchval("SELECT shard FROM workflow_runs WHERE id = $1", which[0])
    finally:
        await postgres.close()
    if settled is None:
        return False
    async with open_redis(settings) as side:
        await add_orders(side.streams, shard, settled)
    return True
