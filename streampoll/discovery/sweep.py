"""Many addresses: begun at a bounded rate, so many at a time, each answer handed over as it comes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from streampoll.discovery.probe import Answer

_SLACK_S: Final = 0.005  # how far from its time an address may be begun

Probe = Callable[[str], Awaitable[Answer]]


async def sweep(
    addresses: Iterable[str], probe: Probe, seen: Callable[[str, Answer], None], *, rate_per_s: int, at_once: int
) -> None:
    """Probe every address; `seen(address, answer)` is called once for each, in no order.

    A cancellation ends what is in flight; what was seen by then has been handed over.
    """
    loop = asyncio.get_running_loop()
    free, due = asyncio.Semaphore(at_once), loop.time()

    async def one(address: str) -> None:
        try:
            seen(address, await probe(address))
        finally:
            free.release()

    async with asyncio.TaskGroup() as group:
        for address in addresses:
            await free.acquire()
            due = max(due, loop.time() - _SLACK_S) + 1 / rate_per_s  # what was missed is not made up for in a burst
            if (early_s := due - loop.time()) > _SLACK_S:
                await asyncio.sleep(early_s)
            group.create_task(one(address), name=f"probe {address}")
