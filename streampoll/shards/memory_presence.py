"""The leader's lease and the workers' presence in memory, on the same server as the streams."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

from streampoll.model import QueueClass
from streampoll.shards.entries import Log
from streampoll.shards.memory_server import MemoryServer
from streampoll.shards.port import DispatchStreams, Pause, Worker

_KEPT_MS = 60_000


class MemoryLease:
    """`Lease` in memory; its time is the server's."""

    def __init__(self, server: MemoryServer, own_id: str, lease_s: float) -> None:
        self._server = server
        self._id = own_id
        self._lease_ms = int(lease_s * 1000)
        self._until_ms = 0
        self.epoch = 0
        self.holder = ""

    @property
    def held(self) -> bool:
        """True while this process may act as the leader."""
        return self.epoch > 0 and self._server.now_ms() < self._until_ms

    async def take(self, streams: DispatchStreams, shards: Sequence[int], newer: bool = False) -> bool:
        """Take or renew the lease; with `newer` (after `fenced`) a held one gets a new epoch. True if it is ours."""
        least = 0
        if newer or not self.held:
            least = max(await streams.epochs(shards), default=0) + 1
        self._server.check()
        now_ms = self._server.now_ms()
        self.holder, epoch, until_ms = self._server.leader or ("", 0, 0)
        if self.holder != self._id and now_ms < until_ms:
            self.epoch = 0
            return False
        if newer or now_ms >= until_ms:
            epoch = max(now_ms, least)
        self.epoch, self.holder, self._until_ms = epoch, self._id, now_ms + self._lease_ms
        self._server.leader = self._id, epoch, self._until_ms
        return True

    async def resign(self) -> None:
        """Give the lease up, so that a standby need not wait for its end."""
        self._until_ms = 0
        self._server.check()
        if self._server.leader and self._server.leader[0] == self._id:
            self._server.leader = None


class MemoryPresence:
    """`Presence` in memory."""

    def __init__(self, server: MemoryServer) -> None:
        self._server = server

    async def beat(self, worker_id: str, queues: Sequence[QueueClass | Log]) -> list[Worker]:
        """Note that this worker lives (with no queues: that it leaves); return all that beat in the last minute."""
        self._server.check()
        if queues:
            self._server.beats[worker_id] = self._server.now_ms(), frozenset(map(str, queues))
        else:
            self._server.beats.pop(worker_id, None)
        return await self.workers()

    async def workers(self) -> list[Worker]:
        """Return all workers that beat in the last minute."""
        self._server.check()
        oldest = self._server.now_ms() - _KEPT_MS
        for worker_id in [name for name, (beat_ms, _) in self._server.beats.items() if beat_ms < oldest]:
            del self._server.beats[worker_id]
        return [Worker(name, queues, beat_ms / 1000) for name, (beat_ms, queues) in self._server.beats.items()]

    async def publish(self, worker_id: str, figures: Mapping[str, Any]) -> None:
        """Store a worker's figures for a minute."""
        self._server.check(adds=True)
        self._server.figures[worker_id] = self._server.now_ms() + _KEPT_MS, msgpack.packb(figures)

    async def withdraw(self, worker_id: str) -> None:
        """Forget the figures of a worker that leaves."""
        self._server.check()
        self._server.figures.pop(worker_id, None)

    async def figures(self, worker_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """Read the figures of workers; None where there are none."""
        self._server.check()
        now_ms = self._server.now_ms()
        found = [self._server.figures.get(worker_id, (0, b"")) for worker_id in worker_ids]
        return [msgpack.unpackb(said, strict_map_key=False) if until > now_ms else None for until, said in found]

    async def briefs(self, worker_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """Read of `figures` only what says how a worker is."""
        found = await self.figures(worker_ids)
        wanted = ("state", "active", "unread_s")
        return [said and {name: said[name] for name in wanted if name in said} for said in found]

    async def leader(self) -> tuple[str, int] | None:
        """Return the leader's (id, epoch), or None while nobody leads."""
        self._server.check()
        if self._server.leader is None or self._server.leader[2] <= self._server.now_ms():
            return None
        return self._server.leader[:2]

    async def pauses(self) -> list[Pause]:
        """Return what is paused, as the leader last said."""
        self._server.check()
        return sorted(self._server.pauses, key=lambda pause: (pause.kind, pause.name))

    async def show_pauses(self, pauses: Sequence[Pause]) -> None:
        """Say what is paused now, and that nothing else is."""
        self._server.check(adds=bool(pauses))
        self._server.pauses = list(pauses)
