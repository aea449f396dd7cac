"""Entries with right forms and strange values, through the store into a real PostgreSQL.

Nothing in them may look like an outage: what is handed back for one is handed back for ever.
"""

import asyncio
import atexit
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from random import Random

from streampoll.embedded.postgres import EmbeddedPostgres
from streampoll.model import QueueClass
from streampoll.shards.entries import deliver
from streampoll.worker.port import Bury, Disposition, Finish, Release
from tests.fuzz.decode_targets import entry_fields
from tests.results_support import bench


def stored(random: Random, dsn: str) -> None:
    """Store garbage: each entry becomes a row, or a dead letter with its cause, or is handed back once, as unknown."""
    for delivered, disposition in zip(*asyncio.run(_store(random, dsn)), strict=True):
        match disposition:
            case Finish():
                pass
            case Bury(cause, _):
                assert cause
            case Release(_, counted):
                assert counted, disposition
                assert delivered == 1, disposition
            case _:
                raise AssertionError(disposition)


async def _store(random: Random, dsn: str) -> tuple[Sequence[int], Sequence[Disposition]]:
    deliveries = [random.randint(1, 2) for _ in range(30)]
    batch = [
        deliver(QueueClass.RESULTS, 7, b"1767960000000-0", entry_fields(random), delivery, 0.0)
        for delivery in deliveries
    ]
    async with bench(dsn) as b:
        await b.store.ready()
        return deliveries, await b.store.handle(batch)


def rows(random: Random) -> None:
    """The same on a server of its own."""
    stored(random, _dsn())


@cache
def _dsn() -> str:
    """Start a PostgreSQL that ends with this process; return its DSN."""
    stack = ExitStack()
    atexit.register(stack.close)
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streampoll-fuzz-")))
    directory.chmod(0o755)
    return stack.enter_context(EmbeddedPostgres(directory / "postgres")).dsn.reveal()


TARGETS = {"rows": rows}
