"""What the whole fleet has counted: one hash, to which each process adds what it counted since it last did.

So counters go on when processes end, are replaced or killed, and no process has a series of its own. What a killed
process had not told yet (a second's worth) is not in them.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from streampoll.shards.connection import raise_errors
from streampoll.shards.keys import Keys
from streampoll.shards.scripts import Scripts
from streampoll.shards.topology import Command, Topology

_NUMBER = b"#"


class TotalsPort(Protocol):
    """The fleet's totals."""

    async def add(self, own_id: str, batch: int, seen: int, added: Mapping[str, int]) -> int:
        """Add a batch; safe to send again under its number. Returns the number of the totals, to be `seen` next."""

    async def read(self) -> dict[str, int]:
        """Return all totals."""


class Totals:
    """`TotalsPort` on Redis."""

    def __init__(self, topology: Topology, keys: Keys) -> None:
        self._topology = topology
        self._scripts = Scripts(topology)
        self._keys = keys

    async def add(self, own_id: str, batch: int, seen: int, added: Mapping[str, int]) -> int:
        """Add a batch; safe to send again under its number. Returns the number of the totals, to be `seen` next."""
        flat: list[Any] = [word for pair in added.items() for word in pair]
        keys = [self._keys.totals, self._keys.told(own_id)]
        return int(await self._scripts.one("tally", keys, [batch, seen, *flat]))

    async def read(self) -> dict[str, int]:
        """Return all totals."""
        key = self._keys.totals
        flat = raise_errors(await self._topology.run([Command(key, ("HGETALL", key))]))[0]
        pairs = zip(flat[0::2], flat[1::2], strict=True)
        return {name.decode(): int(count) for name, count in pairs if name != _NUMBER}


class MemoryTotals:
    """`TotalsPort` in memory."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.number = 0
        self._told: dict[str, int] = {}

    async def add(self, own_id: str, batch: int, seen: int, added: Mapping[str, int]) -> int:
        """Add a batch; safe to send again under its number. Returns the number of the totals, to be `seen` next."""
        if self._told.get(own_id) == batch:
            return self.number
        if self.number < seen:
            self.totals.clear()
            self.number = seen + 1_000_000
        self._told[own_id] = batch
        self.number += 1
        for name, count in added.items():
            self.totals[name] = self.totals.get(name, 0) + count
        return self.number

    async def read(self) -> dict[str, int]:
        """Return all totals."""
        return dict(self.totals)
