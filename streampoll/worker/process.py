"""One worker process: its consumers, heartbeat and housekeeping, from the first read to the end of the drain."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streampoll.errors import UnavailableError
from streampoll.model import QueueClass
from streampoll.worker.beat import Beat
from streampoll.worker.consume import Consumer
from streampoll.worker.membership import Membership

log = logging.getLogger(__name__)

_LOOK_S = 0.25
_RATE_OVER_S = 10.0

Place = tuple[QueueClass, int]
"""(queue class, shard)."""


Background = Callable[[], Coroutine[Any, Any, None]]
"""Something that runs beside the consumers until the process ends."""


@dataclass(slots=True)
class LoopLag:
    """How late the event loop has been lately: the worst of the last seconds, fading."""

    seconds: float = 0.0

    def note(self, late_s: float) -> None:
        """Take a measurement."""
        self.seconds = max(late_s, self.seconds * 0.9)


@dataclass(frozen=True, slots=True)
class ProcessParts:
    """What app/ built for this process."""

    consumers: Sequence[Consumer]  # in the order in which they are drained: pollers before the store
    membership: Membership
    beat: Beat
    drain_s: float
    index: int
    pool: str
    figures: Callable[[], dict[str, Any]]  # what handlers publish besides (requests, lateness)
    background: Sequence[Background] = ()
    lag: LoopLag = field(default_factory=LoopLag)


class WorkerProcess:
    """Runs until told to stop, then drains."""

    def __init__(self, parts: ProcessParts) -> None:
        self._parts = parts
        self._stop = asyncio.Event()
        self._started = time.time()
        self._rate = Rates()

    def stop(self) -> None:
        """Begin to drain; may be called from a signal handler, and again."""
        self._stop.set()

    async def run(self) -> None:
        """Consume until stopped, then finish or hand back what is in flight."""
        parts = self._parts
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(part(), name=name) for consumer in parts.consumers for name, part in consumer.tasks()
            ]
            running.append(group.create_task(parts.membership.run(self._figures), name="heartbeat"))
            running.append(group.create_task(self._keep_house(), name="housekeeping"))
            running += [group.create_task(part()) for part in parts.background]
            await self._stop.wait()
            await self._drain()
            for task in running:
                task.cancel()
        await self._close()

    async def _drain(self) -> None:
        """Stop reading; wait for what is in flight, cut what takes too long, until Redis knows of everything."""
        parts = self._parts
        parts.beat.drain()
        await _quietly(parts.membership.leave())
        deadline = time.monotonic() + parts.drain_s
        cut = False
        for consumer in parts.consumers:
            consumer.stop_reading()
        while not all(consumer.drained for consumer in parts.consumers):
            late = time.monotonic() - deadline
            if late > 0 and not cut:
                cut = True
                for consumer in parts.consumers:
                    consumer.cut()
            if late > parts.drain_s / 4 + 1:
                log.warning("drain: %d entries are left for others to claim", sum(c.held for c in parts.consumers))
                return
            parts.beat.touch()
            await asyncio.sleep(0.02)

    async def _close(self) -> None:
        for consumer in self._parts.consumers:
            await consumer.close()
        await _quietly(self._parts.membership.withdraw())

    async def _keep_house(self) -> None:
        """Measure the loop's lag, enforce soft limits, and tell the parent how far we are."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_LOOK_S)
            self._parts.lag.note(time.monotonic() - before - _LOOK_S)
            consumers = self._parts.consumers
            for consumer in consumers:
                consumer.enforce()
            done = sum(consumer.counts.done for consumer in consumers)
            self._parts.beat.publish(done, sum(consumer.in_flight for consumer in consumers))

    def _rates(self) -> dict[Place, float]:
        """Return the rates as of now; called at each heartbeat."""
        done = {
            (consumer.queue, shard): count
            for consumer in self._parts.consumers
            for shard, count in consumer.counts.by_shard.items()
        }
        self._rate.note(time.monotonic(), done)
        return self._rate.per_s()

    def _figures(self) -> dict[str, Any]:
        """What `stats` shows of this process; see observe/snapshot.py for the reader."""
        parts, rates = self._parts, self._rates()
        return {
            "state": parts.beat.state.name.lower(),  # these three first: some read no more of it
            "active": sum(consumer.in_flight for consumer in parts.consumers),
            "unread_s": max((consumer.unread_s for consumer in parts.consumers), default=0.0),
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "pool": parts.pool,
            "index": parts.index,
            "started": self._started,
            "rss_bytes": resident_bytes(),
            "cpu_s": time.process_time(),
            "loop_lag_s": parts.lag.seconds,
            "done_per_s": sum(rates.values()) if rates else None,
            "queues": {consumer.queue.value: _consumer_figures(consumer, rates) for consumer in parts.consumers},
            **parts.figures(),
        }


class Rates:
    """Entries done a second over the last ten seconds, by queue class and shard."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, dict[Place, int]]] = []

    def note(self, now: float, done: dict[Place, int]) -> None:
        """Take how many entries have been done in all; once a second is enough."""
        self._marks.append((now, done))
        while len(self._marks) > 2 and self._marks[1][0] < now - _RATE_OVER_S:
            self._marks.pop(0)

    def per_s(self) -> dict[Place, float]:
        """Return the rates; empty before there are two notes."""
        if len(self._marks) < 2:
            return {}
        (before, then), (now, done) = self._marks[0], self._marks[-1]
        return {place: (count - then.get(place, 0)) / (now - before) for place, count in done.items()}


def _consumer_figures(consumer: Consumer, rates: dict[Place, float]) -> dict[str, Any]:
    counts = consumer.counts
    return {
        "homes": consumer.homes,
        "read_age_s": time.monotonic() - counts.read_at if counts.read_at else None,
        "in_flight": consumer.in_flight,
        "held": consumer.held,
        "read": counts.read,
        "done": counts.done,
        "claimed": counts.claimed,
        "lost": counts.lost,
        "payloads_lost": counts.payloads_lost,
        "failed": counts.failed,
        "rate_by_shard": {shard: rate for (queue, shard), rate in rates.items() if queue is consumer.queue},
        "claimed_by_shard": dict(counts.claimed_by_shard),
    }


def resident_bytes() -> int:
    """Return this process's resident set size."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _quietly(call: Awaitable[None]) -> None:
    """Await a courtesy to others; the drain goes on if Redis is away."""
    try:
        await call
    except UnavailableError as error:
        log.debug("drain: %s", error)
