"""The tasks of benchmark `queue`, as users write them."""

import asyncio

from benchmarks.contenders.apps import tally
from streampoll import task


@task(name="noop", results=False)
async def noop(sent: float) -> None:
    """Do nothing."""
    tally.done(sent)


@task(name="nap", results=False)
async def nap(sent: float) -> None:
    """Wait for a tenth of a second, as for somebody's answer."""
    await asyncio.sleep(0.1)
    tally.done(sent)
