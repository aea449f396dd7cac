"""Tasks that somebody has cancelled, by id: workers read them each second. They are forgotten after a day."""

from collections.abc import Sequence
from typing import Any

from streampoll.shards.clock import Clock
from streampoll.shards.connection import raise_errors
from streampoll.shards.keys import Keys
from streampoll.shards.topology import Command, Topology

LIFE_MS = 86_400_000


class Cancels:
    """The cancelled tasks in Redis."""

    def __init__(self, topology: Topology, keys: Keys, clock: Clock) -> None:
        self._topology = topology
        self._key = keys.cancelled
        self._clock = clock

    async def cancel(self, ids: Sequence[str]) -> None:
        """Note that tasks are not wanted any more."""
        now_ms = int(1000 * self._clock.now())
        members = [word for task_id in ids for word in (now_ms + LIFE_MS, task_id)]
        await self._run(("ZREMRANGEBYSCORE", self._key, "-inf", now_ms), ("ZADD", self._key, *members))

    async def read(self) -> frozenset[str]:
        """Return all that are cancelled."""
        (members,) = await self._run(("ZRANGEBYSCORE", self._key, "-inf", "+inf"))
        return frozenset(member.decode() for member in members)

    async def _run(self, *commands: Sequence[Any]) -> list[Any]:
        return raise_errors(await self._topology.run([Command(self._key, words) for words in commands]))
