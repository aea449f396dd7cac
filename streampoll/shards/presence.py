"""Who is alive: heartbeats of workers, and the figures they publish for `stats`.

A worker's id ends in a random part: a process life's consumer name is never used again. The clock is that of the server
that has the leader's key; in a Cluster the heartbeats may be on another one.
"""

import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

from streampoll.model import QueueClass
from streampoll.shards.clock import Clock
from streampoll.shards.connection import raise_errors
from streampoll.shards.entries import Log
from streampoll.shards.keys import Keys
from streampoll.shards.port import Pause, Paused
from streampoll.shards.port import Worker as Worker
from streampoll.shards.ring import home_of
from streampoll.shards.scripts import Scripts
from streampoll.shards.topology import Command, Topology

_FIGURES_KEPT_MS = 60_000
_BRIEF = ("state", "active", "unread_s")  # a worker writes them first
_BRIEF_BYTES = 96
_BRIEFS_AT_ONCE = 100


def new_worker_id() -> str:
    """Return an id for this process life: host, pid and a random part."""
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"


class Presence:
    """Heartbeats and figures in Redis."""

    def __init__(self, topology: Topology, keys: Keys, clock: Clock) -> None:
        self._topology = topology
        self._scripts = Scripts(topology)
        self._keys = keys
        self._clock = clock

    async def beat(self, worker_id: str, queues: Sequence[QueueClass | Log]) -> list[Worker]:
        """Note that this worker lives (with no queues: that it leaves); return all that beat in the last minute."""
        return await self._beat(worker_id, ",".join(queues))

    async def workers(self) -> list[Worker]:
        """Return all workers that beat in the last minute."""
        return await self._beat("", "")

    async def _beat(self, worker_id: str, queues: str) -> list[Worker]:
        _, flat = await self._scripts.one("beat", [self._keys.workers], [worker_id, queues])
        await self._look_at_the_clock()
        return [_worker(name, said) for name, said in zip(flat[0::2], flat[1::2], strict=True)]

    async def _look_at_the_clock(self) -> None:
        sent = self._clock.ticks()
        seconds, microseconds = await self._one(self._keys.leader, "TIME")
        self._clock.observe(int(seconds) * 1000 + int(microseconds) // 1000, sent, self._clock.ticks())

    async def _one(self, key: str, *words: Any) -> Any:
        return raise_errors(await self._topology.run([Command(key, words)]))[0]

    async def publish(self, worker_id: str, figures: Mapping[str, Any]) -> None:
        """Store a worker's figures for a minute."""
        key = self._keys.worker(worker_id)
        await self._one(key, "SET", key, msgpack.packb(figures), "PX", _FIGURES_KEPT_MS)

    async def withdraw(self, worker_id: str) -> None:
        """Forget the figures of a worker that leaves."""
        key = self._keys.worker(worker_id)
        await self._one(key, "DEL", key)

    async def figures(self, worker_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """Read the figures of workers; None where there are none."""
        keys = map(self._keys.worker, worker_ids)
        replies = raise_errors(await self._topology.run([Command(key, ("GET", key)) for key in keys]))
        return [msgpack.unpackb(reply, strict_map_key=False) if reply else None for reply in replies]

    async def briefs(self, worker_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """Read of `figures` only how a worker is: `state`, `active`, `unread_s`, at a fraction of the cost."""
        keys = [(self._keys.worker(worker_id),) for worker_id in worker_ids]
        replies = await self._scripts.each("briefs", keys, [_BRIEF_BYTES], _BRIEFS_AT_ONCE)
        return [_brief(reply) if reply else None for reply in replies]

    async def leader(self) -> tuple[str, int] | None:
        """Return the leader's (id, epoch), or None while nobody leads."""
        said = await self._one(self._keys.leader, "GET", self._keys.leader)
        if not said:
            return None
        holder, _, epoch = said.decode().partition(" ")
        return holder, int(epoch)

    async def pauses(self) -> list[Pause]:
        """Return what is paused, as the leader last said."""
        flat = await self._one(self._keys.paused, "HGETALL", self._keys.paused)
        return sorted((_pause(*pair) for pair in zip(flat[0::2], flat[1::2], strict=True)), key=_order)

    async def show_pauses(self, pauses: Sequence[Pause]) -> None:
        """Say what is paused now, and that nothing else is."""
        arguments = [word for each in pauses for word in _said(each)]
        await self._scripts.one("pauses", [self._keys.paused], arguments)


def homes(workers: Sequence[Worker], queue: QueueClass, shards: int, own_id: str, live_since: float) -> list[int]:
    """Return the shards of a class whose home is `own_id`, among the workers that beat since `live_since`."""
    live = [worker.id for worker in workers if worker.beat >= live_since and queue in worker.queues]
    return [shard for shard in range(shards) if home_of(queue, shard, live) == own_id]


def _worker(name: bytes, said: bytes) -> Worker:
    beat_ms, _, queues = said.decode().partition(" ")
    return Worker(name.decode(), frozenset(queues.split(",")), int(beat_ms) / 1000)


def _brief(begun: bytes) -> Mapping[str, Any] | None:
    """Unpack the first members of a map that is cut; None if they are others."""
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(begun)
    try:
        unpacker.read_map_header()
        said = {unpacker.unpack(): unpacker.unpack() for _ in _BRIEF}
    except msgpack.exceptions.OutOfData:
        return None
    return said if said.keys() == set(_BRIEF) else None


def _said(pause: Pause) -> tuple[str, bytes]:
    return f"{pause.kind}:{pause.name}", msgpack.packb((pause.since, pause.by, pause.reason))


def _pause(field: bytes, said: bytes) -> Pause:
    kind, _, name = field.decode().partition(":")
    since, by, reason = msgpack.unpackb(said)[:3]
    return Pause(Paused(kind), name, since, by, reason)


def _order(pause: Pause) -> tuple[str, str]:
    return pause.kind, pause.name
