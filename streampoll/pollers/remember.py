"""Keeps a process's `DeviceMemory` in step with Redis, beside the polls and never in their way.

When this process becomes the home of a shard it reads what the one before had learned there, and then polls: that is a
round trip; where it takes longer than a second, devices are taken as ordinary ones. Changes are written once a second,
all of them in one round trip. So what a process that is killed loses is a second's learning.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from streampoll.errors import UnavailableError
from streampoll.pollers.learned import DeviceMemory
from streampoll.shards.device_record import DeviceRecord
from streampoll.shards.devices import Changes
from streampoll.shards.ring import shard_of

log = logging.getLogger(__name__)

_WRITE_EVERY_S: Final = 1.0
_PATIENCE_S: Final = 1.0  # that a shard waits for its records to be read


class RecordStore(Protocol):
    """Where records are kept: `DeviceRecords` on Redis, `MemoryDevices` in memory."""

    def read(self, shard: int) -> AsyncIterator[dict[str, DeviceRecord]]:
        """Yield a shard's records, a page at a time."""

    async def write(self, changes: Changes) -> int:
        """Keep and forget records; return how many there was no room for."""


class Remembering:
    """Reads and writes one process's memory of devices."""

    def __init__(
        self, memory: DeviceMemory, store: RecordStore, homes: Callable[[], Sequence[int]], shards: int
    ) -> None:
        self._memory = memory
        self._store = store
        self._homes = homes
        self._shards = shards
        self._known: set[int] = set()  # shards that are ours and read
        self._asked: dict[int, float] = {}  # shards that are ours and not yet read -> monotonic, since when
        self._wanted = asyncio.Event()

    def homes(self) -> Sequence[int]:
        """Return the shards that are ours to poll: those whose records are read, or have been waited for."""
        homes = self._homes()
        if self._known.issuperset(homes):
            return homes
        now = time.monotonic()
        for shard in homes:
            if shard not in self._known and shard not in self._asked:
                self._asked[shard] = now
                self._wanted.set()
        return [shard for shard in homes if shard in self._known or now - self._asked[shard] > _PATIENCE_S]

    async def run(self) -> None:
        """Go on for ever; while Redis is away what was learned waits."""
        while True:
            await self.read()
            await self._quietly(self.write)
            with suppress(TimeoutError):
                async with asyncio.timeout(_WRITE_EVERY_S):
                    await self._wanted.wait()

    async def read(self) -> None:
        """Read the shards that have become ours."""
        self._wanted.clear()
        homes = set(self._homes())
        self._known &= homes
        for shard in sorted(homes - self._known):
            await self._quietly(partial(self._read, shard))
        self._asked = {shard: since for shard, since in self._asked.items() if shard in homes - self._known}

    async def _read(self, shard: int) -> None:
        async for page in self._store.read(shard):
            self._memory.arrive(page)
        self._known.add(shard)

    async def write(self) -> None:
        """Write what has changed since the last time."""
        changes = self._memory.changes()
        if not changes:
            return
        by_shard: dict[int, dict[str, DeviceRecord | None]] = defaultdict(dict)
        for device, address, record in changes:
            by_shard[shard_of(address, self._shards)][device] = record
        try:
            if full := await self._store.write(by_shard):
                log.warning("what was learned of %d devices is not kept: there are too many already", full)
        except UnavailableError:
            self._memory.put_back(changes)
            raise

    async def write_last(self) -> None:
        """Write once more, at the end of the process."""
        await self._quietly(self.write)

    async def _quietly(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except UnavailableError as error:
            log.debug("memory of devices: %s", error)
