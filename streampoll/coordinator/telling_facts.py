"""The leader's part of `shards/facts.py`: what the inventory says is written to Redis, and again after a loss there.

A coordinator keeps the digests of what it read, not the lines: there may be a million. Where Redis has another digest
than the configuration, the inventory is read once more, and the shards that differ are written.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from streampoll.errors import ConfigError, UnavailableError
from streampoll.model import Device
from streampoll.shards.facts import Lines, digest_of, lay_out_facts

log = logging.getLogger(__name__)

LOOK_S = 60.0  # between two looks at the digests
_RETRY_S = 2.0


class FactsStore(Protocol):
    """Where facts are written."""

    async def digests(self) -> list[bytes]:
        """Return the digest of each shard's facts."""

    async def write(self, shard: int, lines: Lines) -> None:
        """Replace a shard's facts."""


class FactsTeller:
    """Tells the fleet what the inventory says, while this process leads."""

    def __init__(self, shards: int, load: Callable[[], Sequence[Device]]) -> None:
        """`load` reads the inventory anew, in a thread."""
        self._shards = shards
        self._load = load
        self._digests: list[bytes] = []
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def note(self, devices: Sequence[Device]) -> None:
        """Take the devices of a configuration that was loaded, from any thread."""
        lines = lay_out_facts(devices, self._shards)
        self._digests = [digest_of(lines[shard]) for shard in range(self._shards)]
        self._loop.call_soon_threadsafe(self._changed.set)

    async def run(self, store: FactsStore, leads: Callable[[], bool]) -> None:
        """Keep Redis' facts as the inventory's, for ever, while this process leads."""
        while True:
            wait_s = LOOK_S
            try:
                if not leads() or not await self.look(store, leads):
                    wait_s = _RETRY_S
            except (UnavailableError, ConfigError) as error:
                log.debug("facts of devices: %s", error)
                wait_s = _RETRY_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()

    async def look(self, store: FactsStore, leads: Callable[[], bool]) -> bool:
        """Write the shards whose facts are not the inventory's; False if not all could be."""
        there = await store.digests()
        differ = [shard for shard, ours in enumerate(self._digests) if ours != there[shard]]
        if not differ:
            return True
        lines = await asyncio.to_thread(lambda: lay_out_facts(self._load(), self._shards))
        for shard in differ:
            if not leads():
                return False
            await store.write(shard, lines[shard])
        log.info("told the fleet what the inventory says of the devices of %d shards", len(differ))
        return True
