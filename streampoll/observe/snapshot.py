"""Reads what `stats` shows: queues from the shards, workers from their heartbeats, jobs from what stores publish.

Nobody is asked: everything read here is there anyway. What can't be read stays None.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streampoll.config.jobs import Job
from streampoll.errors import UnavailableError
from streampoll.model import QueueClass
from streampoll.observe.alarms import alarms
from streampoll.observe.figures import JobRow, Leader, OutputRow, PauseRow, QueueRow, Stats, WorkerRow
from streampoll.observe.outputs import output_alarms, output_rows
from streampoll.results.figures import JobFigures, StoreFigures, merge, percentile
from streampoll.shards.outputs import OutputStreams
from streampoll.shards.port import DispatchStreams, Presence, QueueFigures, ShardFigures, Worker
from streampoll.shards.ring import home_of

DEAF_AFTER_S = 10.0  # without a read coming back, while there is nothing else to do


@dataclass(frozen=True, slots=True)
class Known:
    """What the configuration says, for the rows it explains."""

    shards: int
    dead_after_s: float
    jobs: Sequence[Job] = ()
    results_high_water: int = 0  # results in a shard above which dispatch skips; 0: unknown
    outputs: Sequence[str] = ()  # besides PostgreSQL


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers and their figures at one moment."""

    now: float  # seconds of Redis
    dead_after_s: float
    workers: Sequence[Worker] = ()
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def live(self, queue: QueueClass) -> list[str]:
        """Return the ids of the workers that serve a class now."""
        return [each.id for each in self.workers if queue in each.queues and not self.silent(each)]

    def silent(self, worker: Worker) -> bool:
        """Return True if a worker has missed its heartbeats."""
        return self.now - worker.beat > self.dead_after_s

    def queue_figures(self, queue: QueueClass) -> list[Mapping[str, Any]]:
        """Return what each worker says of a class."""
        return [figures["queues"][queue] for figures in self.figures.values() if queue in figures.get("queues", {})]


class RedisStats:
    """`StatsSource` over the shards."""

    def __init__(
        self,
        streams: DispatchStreams,
        presence: Presence,
        now: Callable[[], float],
        known: Known,
        outputs: OutputStreams | None = None,
    ) -> None:
        self._streams = streams
        self._presence = presence
        self._now = now
        self._known = known
        self._outputs = outputs

    async def snapshot(self) -> Stats:
        """Read everything once; Redis being away is a line of trouble and nothing known."""
        try:
            crew = await self._crew()
            shards = await self._streams.figures(range(self._known.shards))
            leader = await self._presence.leader()
            pauses = await self._presence.pauses()
            leads = (await self._presence.figures([leader[0]]))[0] if leader else None
            outputs = await self._output_rows(crew)
        except UnavailableError as error:
            return Stats(at=time.time(), troubles=(str(error),))
        stored = merge(StoreFigures.unpack(each["store"]) for each in crew.figures.values() if "store" in each)
        queues = [row for shard in shards for row in _queue_rows(shard, crew)]
        return Stats(
            at=crew.now,
            queues=queues,
            workers=[_worker_row(worker, crew) for worker in sorted(crew.workers, key=lambda each: each.id)],
            leader=_leader(leader, leads or {}, crew.now),
            jobs=list(_job_rows(_Jobs(self._known.jobs, leads or {}, shards, stored), crew.now)),
            pauses=[PauseRow(p.kind.value, p.name, max(0.0, crew.now - p.since), p.by, p.reason) for p in pauses],
            alarms=[
                *alarms(queues, crew.figures.values(), self._known.results_high_water),
                *output_alarms(outputs),
            ],
            outputs=outputs,
            stores_waiting=sum(bool(said.get("store_away")) for said in crew.figures.values()),
        )

    async def _output_rows(self, crew: Crew) -> list[OutputRow]:
        if self._outputs is None or not self._known.outputs:
            return []
        known = self._known
        return await output_rows(self._outputs, known.outputs, known.shards, crew.figures.values(), crew.now)

    async def _crew(self) -> Crew:
        workers = await self._presence.workers()
        read = await self._presence.figures([worker.id for worker in workers])
        said = {worker.id: figures for worker, figures in zip(workers, read, strict=True) if figures}
        return Crew(self._now(), self._known.dead_after_s, workers, said)


def _leader(leader: tuple[str, int] | None, said: Mapping[str, Any], now: float) -> Leader | None:
    if leader is None:
        return None
    own_id, epoch = leader
    since_s = max(0.0, now - epoch / 1000)
    return Leader(own_id, epoch, since_s, said.get("host"), said.get("rss_bytes"), said.get("loop_lag_s"))


def _queue_rows(shard: ShardFigures, crew: Crew) -> Iterable[QueueRow]:
    for queue, found in shard.queues.items():
        yield _queue_row(queue, shard.shard, found, crew)


def _queue_row(queue: QueueClass, shard: int, found: QueueFigures, crew: Crew) -> QueueRow:
    said = crew.queue_figures(queue)
    return QueueRow(
        queue=queue.value,
        shard=shard,
        waiting=found.waiting,
        in_flight=found.in_flight,
        oldest_s=None if found.oldest is None else max(0.0, crew.now - found.oldest),
        delayed=found.delayed,
        claimed=sum(each["claimed_by_shard"].get(shard, 0) for each in said) if said else None,
        dead=found.dead,
        rate_per_s=sum(each["rate_by_shard"].get(shard, 0.0) for each in said) if said else None,
        home=home_of(queue, shard, crew.live(queue)),
    )


def _worker_row(worker: Worker, crew: Crew) -> WorkerRow:
    seen_s = max(0.0, crew.now - worker.beat)
    said = crew.figures.get(worker.id)
    queues = sorted(worker.queues)
    if said is None:
        return WorkerRow(worker.id, queues=queues, seen_s=seen_s, state="silent" if crew.silent(worker) else None)
    return WorkerRow(
        id=worker.id,
        host=said.get("host"),
        pid=said.get("pid"),
        pool=said.get("pool"),
        state="silent" if crew.silent(worker) else _state(said),
        queues=queues,
        in_flight=sum(each["in_flight"] for each in said["queues"].values()),
        done=sum(each["done"] for each in said["queues"].values()),
        rate_per_s=said.get("done_per_s"),
        rss_bytes=said.get("rss_bytes"),
        loop_lag_s=said.get("loop_lag_s"),
        uptime_s=crew.now - said["started"],
        seen_s=seen_s,
        index=said.get("index"),
    )


def _state(said: Mapping[str, Any]) -> str:
    """Return a live worker's state; one that beats and reads nothing is `deaf`, whatever it says of itself."""
    state = str(said["state"])
    idle = [each for each in said["queues"].values() if each["homes"] and not each["in_flight"]]
    deaf = any((each["read_age_s"] or 0.0) > DEAF_AFTER_S for each in idle)
    return "deaf" if deaf and state == "running" else state


@dataclass(frozen=True, slots=True)
class _Jobs:
    """What is known of jobs, from everybody who knows something."""

    configured: Sequence[Job]
    led: Mapping[str, Any]  # the leader's figures; empty if it has none
    shards: Sequence[ShardFigures]
    stored: StoreFigures

    def names(self) -> Iterable[str]:
        """Return every job, those of the configuration first."""
        dispatched = (job for shard in self.shards for job in shard.dispatched)
        return dict.fromkeys([*(job.name for job in self.configured), *dispatched])


def _job_rows(jobs: _Jobs, now: float) -> Iterable[JobRow]:
    by_name = {job.name: job for job in jobs.configured}
    for name in jobs.names():
        job, figures = by_name.get(name), jobs.stored.jobs.get(name, JobFigures())
        lateness = figures.lateness_since(now)
        cycles = _finished_cycles(figures, name, jobs.shards)
        yield JobRow(
            job=name,
            devices=jobs.led.get("devices", {}).get(name),
            skipped=jobs.led["skipped"].get(name, 0) if "skipped" in jobs.led else None,
            interval_s=float(job.every_s) if job and job.every_s else None,
            unfinished=sum(shard.backlog.get((QueueClass.POLLING, name), 0) for shard in jobs.shards),
            lateness_p50_s=percentile(lateness, 0.5),
            lateness_p99_s=percentile(lateness, 0.99),
            cycle_p50_s=_share(cycles, 0.5),
            cycle_p99_s=_share(cycles, 0.99),
        )


def _finished_cycles(figures: JobFigures, job: str, shards: Sequence[ShardFigures]) -> list[float]:
    """Return, for recent slots of which nothing is open, the seconds from the slot to its last row."""
    unfinished = {slot for shard in shards for _, name, slot in shard.open if name == job}
    return sorted(done.last_stored_ms / 1000 for slot, done in figures.slots.items() if slot not in unfinished)


def _share(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None
