"""The demo's conductor: shows the run, ends it, waits for the last row, and audits.

It is a process among the others, drained between coordinator and workers: when it is told to stop, nothing is
dispatched any more, and the workers are still there to finish what is in flight.
"""

import asyncio
import json
import os
import signal
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from streampoll.app.files import Files
from streampoll.app.loop import run_loop
from streampoll.app.redis_side import open_redis
from streampoll.config.load import load_jobs
from streampoll.config.settings import Settings
from streampoll.errors import UnavailableError
from streampoll.model import QueueClass
from streampoll.observe.figures import Stats, total
from streampoll.observe.live import Frame, LiveView, WorkerLine
from streampoll.observe.processes import cpu_by_role
from streampoll.observe.snapshot import Known, RedisStats
from streampoll.observe.summary import summary
from streampoll.results.audit import audit
from streampoll.results.figures import StoreFigures, merge
from streampoll.results.postgres import connected
from streampoll.shards.finality import unfinished
from streampoll.shards.port import DispatchStreams, Presence
from streampoll.worker.child import ChildContext
from streampoll.worker.crew import Role
from streampoll.worker.policy import Rules

_LOOK_S = 0.5
_PLAIN_EVERY_S = 5.0
_SETTLE_S = 90.0  # how long the last rows may take
_RATE_OVER_S = 5.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asked for."""

    devices: int
    interval_s: int
    seconds: float | None
    at_once: bool
    silent: float
    profile: str
    profiles: Path | None
    interfaces: tuple[int, int]
    latency: tuple[int, int]  # ms
    processes: int
    as_json: bool


def conductor_role(files: Files, settings: Settings, options: DemoOptions, names: Mapping[int, str]) -> Role:
    """Return the role that runs the show; when it ends, everything does, with its exit code.

    `names` says what children of the parent do that don't show it (pid -> role).
    """

    def run_child(context: ChildContext) -> int:
        return run_loop(_conduct(context, files, settings, options, names))

    return Role("demo", run_child, Rules(hard_limit_s=0.0, drain_s=_SETTLE_S + 30), ends_all=True)


async def _conduct(
    context: ChildContext, files: Files, settings: Settings, options: DemoOptions, names: Mapping[int, str]
) -> int:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with open_redis(settings) as side:
        coordinator, jobs = settings.coordinator, load_jobs(files.where)
        known = Known(settings.shards.count, settings.worker.dead_after_s, jobs, coordinator.results_high_water)
        source = RedisStats(side.streams, side.presence, side.clock.now, known)
        run = DemoRun(options, context, source, side.presence, names)
        with _shown(options) as screen:
            await run.show(screen, stopped)
            await run.settle(screen, side.streams, settings.shards.count)
            figures = await run.audit(settings, side.streams)
    if options.as_json:
        click.echo(json.dumps(figures))
    else:
        Console(highlight=False).print(summary(figures))
    return 0 if figures["missing"] == 0 and figures["duplicates"] == 0 else 1


@dataclass(slots=True)
class Screen:
    """Where frames go: a live view on a terminal, now and then a line elsewhere, nowhere with --json."""

    live: LiveView | None = None
    plain: bool = False
    last: float = 0.0

    def draw(self, frame: Frame) -> None:
        """Show a frame."""
        if self.live is not None:
            self.live.update(frame)
        elif self.plain and frame.elapsed_s - self.last >= _PLAIN_EVERY_S:
            self.last = frame.elapsed_s
            rate = "–" if frame.devices_per_s is None else f"{frame.devices_per_s:,.0f}"
            outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(frame.outcomes.items()))
            click.echo(f"{frame.elapsed_s:5.0f} s  {frame.phase}  {rate} devices/s  {outcomes}", err=True)


@contextmanager
def _shown(options: DemoOptions) -> Iterator[Screen]:
    console = Console(stderr=True)
    if options.as_json or not console.is_terminal:
        yield Screen(plain=not options.as_json)
        return
    view = LiveView()
    with Live(view, console=console, refresh_per_second=4, transient=True):
        yield Screen(live=view)


@dataclass(slots=True)
class _Polls:
    """What all workers have polled so far."""

    at: float
    outcomes: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    varbinds: int = 0

    @property
    def devices(self) -> int:
        """Polls done."""
        return self.outcomes.total()


class DemoRun:
    """One run, from the first look to the audit."""

    def __init__(
        self,
        options: DemoOptions,
        context: ChildContext,
        source: RedisStats,
        presence: Presence,
        names: Mapping[int, str],
    ) -> None:
        self._options = options
        self._context = context
        self._source = source
        self._presence = presence
        self._names = dict(names)
        self._cpu_s: dict[str, float] = {}
        self._began = time.monotonic()
        self._since = time.time()
        self._polls: deque[_Polls] = deque([_Polls(self._began)])
        self._rss_bytes = 0
        self._stored = StoreFigures()

    async def show(self, screen: Screen, stopped: asyncio.Event) -> None:
        """Show the run until it is stopped or its time is over, which stops everything."""
        asked = False
        while not stopped.is_set():
            await self._look(screen, "polling")
            if not asked and self._options.seconds and self._elapsed_s >= self._options.seconds:
                asked = True
                os.kill(os.getppid(), signal.SIGTERM)
            await _at_most(stopped, _LOOK_S)

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began

    async def settle(self, screen: Screen, streams: DispatchStreams, shards: int) -> None:
        """Wait until every poll that was dispatched has its row."""
        deadline = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline:
            await self._look(screen, "draining")
            try:
                if not await unfinished(streams, shards):
                    return
            except UnavailableError:
                pass
            await asyncio.sleep(_LOOK_S / 5)

    async def _look(self, screen: Screen, phase: str) -> None:
        self._context.beat.touch()
        self._cpu_s |= cpu_by_role(self._context.parent_pid, self._names)  # what has ended keeps its last figure
        stats = await self._source.snapshot()
        try:
            await self._count(stats)
        except UnavailableError:
            return
        screen.draw(self._frame(stats, phase))

    async def _count(self, stats: Stats) -> None:
        """Add up what the workers say of themselves."""
        said = [each for each in await self._presence.figures([row.id for row in stats.workers]) if each]
        now = _Polls(time.monotonic())
        for each in said:
            polls = each.get("polls", {})
            now.outcomes.update(polls.get("by_status", {}))
            now.requests += polls.get("requests", 0)
            now.varbinds += polls.get("varbinds", 0)
        self._polls.append(now)
        while len(self._polls) > 2 and self._polls[1].at < now.at - _RATE_OVER_S:
            self._polls.popleft()
        self._rss_bytes = max([self._rss_bytes, *(row.rss_bytes or 0 for row in stats.workers)])
        self._stored = merge(StoreFigures.unpack(each["store"]) for each in said if "store" in each)

    def _frame(self, stats: Stats, phase: str) -> Frame:
        before, now = self._polls[0], self._polls[-1]
        seconds = now.at - before.at
        job = stats.jobs[0] if stats.jobs else None
        polling = [row for row in stats.queues if row.queue == QueueClass.POLLING]
        return Frame(
            phase if now.devices else "starting",
            self._elapsed_s,
            self._options.seconds,
            self._options.devices,
            self._options.interval_s,
            (now.devices - before.devices) / seconds if seconds else None,
            (now.requests - before.requests) / seconds if seconds else None,
            total(row.in_flight for row in polling),
            total(row.waiting for row in polling),
            job.lateness_p50_s if job else None,
            job.lateness_p99_s if job else None,
            self._round_done(stats.at),
            self._options.devices,
            now.outcomes,
            [
                WorkerLine(f"worker {row.pid}", row.state or "?", row.in_flight, row.rate_per_s, row.rss_bytes,
                           row.loop_lag_s)
                for row in stats.workers
            ],
        )  # fmt: skip

    def _round_done(self, now: float) -> int:
        """Return how many polls of the current round have their row."""
        interval_s = self._options.interval_s
        start = int(now) // interval_s * interval_s
        slots = (slot for job in self._stored.jobs.values() for slot in job.slots.items())
        return sum(done.rows for slot, done in slots if slot >= start)

    async def audit(self, settings: Settings, streams: DispatchStreams) -> dict[str, Any]:
        """Audit the whole run; return what --json prints."""
        async with connected(settings.postgres) as connection:
            report = await audit(
                connection, int(self._since) - 5, int(time.time()), lambda: unfinished(streams, settings.shards.count)
            )
        last = self._polls[-1]
        seconds = last.at - self._began
        figures = report.total.as_json()
        return figures | {
            "devices": self._options.devices,
            "devices_per_s": round(last.devices / seconds, 1),
            "requests_per_s": round(last.requests / seconds, 1),
            "varbinds_per_s": round(last.varbinds / seconds, 1),
            "cpu_s": {role: round(spent, 2) for role, spent in sorted(self._cpu_s.items()) if role != "demo"},
            "worker_rss_mb_max": round(self._rss_bytes / (1 << 20), 1),
        }


async def _at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not longer."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
