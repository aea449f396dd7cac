"""One worker process: its consumers, heartbeat and housekeeping, from the first read to the end of the drain."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streampoll.errors import UnavailableError
from streampoll.worker.beat import Beat
from streampoll.worker.consume import Consumer
from streampoll.worker.membership import Membership

log = logging.getLogger(__name__)

_LOOK_S = 0.25
_RATE_OVER_S = 10.0


@dataclass(frozen=True, slots=True)
class ProcessParts:
    """What app.py built for this process."""

    consumers: Sequence[Consumer]  # in the order in which they are drained: pollers before the store
    membership: Membership
    beat: Beat
    drain_s: float
    index: int
    pool: str
    figures: Callable[[], dict[str, Any]]  # what handlers publish besides (requests, lateness)
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()


class WorkerProcess:
    """Runs until told to stop, then drains."""

    def __init__(self, parts: ProcessParts) -> None:
        self._parts = parts
        self._stop = asyncio.Event()
        self._started = time.time()
        self._lag_s = 0.0
        self._rate = _Rate()

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
            lag = time.monotonic() - before - _LOOK_S
            self._lag_s = max(lag, self._lag_s * 0.9)
            consumers = self._parts.consumers
            for consumer in consumers:
                consumer.enforce()
            done = sum(consumer.counts.done for consumer in consumers)
            self._rate.note(time.monotonic(), done)
            self._parts.beat.publish(done, sum(consumer.in_flight for consumer in consumers))

    def _figures(self) -> dict[str, Any]:
        """What `stats` shows of this process; see observe/snapshot.py for the reader."""
        parts = self._parts
        return {
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "pool": parts.pool,
            "index": parts.index,
            "state": parts.beat.state.name.lower(),
            "started": self._started,
            "rss_bytes": resident_bytes(),
            "loop_lag_s": self._lag_s,
            "done_per_s": self._rate.per_s,
            "queues": {consumer.queue.value: _consumer_figures(consumer) for consumer in parts.consumers},
            **parts.figures(),
        }


class _Rate:
    """Entries a second over the last ten seconds."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def note(self, now: float, done: int) -> None:
        self._marks.append((now, done))
        while len(self._marks) > 2 and self._marks[1][0] < now - _RATE_OVER_S:
            self._marks.pop(0)

    @property
    def per_s(self) -> float | None:
        if len(self._marks) < 2:
            return None
        (before, then), (now, done) = self._marks[0], self._marks[-1]
        return (done - then) / (now - before) if now > before else None


def _consumer_figures(consumer: Consumer) -> dict[str, Any]:
    counts = consumer.counts
    return {
        "in_flight": consumer.in_flight,
        "held": consumer.held,
        "read": counts.read,
        "done": counts.done,
        "claimed": counts.claimed,
        "lost": counts.lost,
        "payloads_lost": counts.payloads_lost,
        "failed": counts.failed,
        "done_by_shard": dict(counts.by_shard),
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
