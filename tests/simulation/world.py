"""A deployment in one loop: it runs while things go wrong, comes to rest, and is judged.

Coordinators, consumers, handlers and store are the product's own; only what they stand on is made here.
"""

import asyncio
import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from streampoll.config.settings import CoordinatorSettings, PostgresSettings
from streampoll.coordinator.dispatch import Coordinator, Ports
from streampoll.coordinator.plan import Plan, PlanTerms, build_plan
from streampoll.coordinator.schedule import Every
from streampoll.model import Device, Outcome, QueueClass, Status, Target, Trace
from streampoll.pollers.handler import PollHandler, PollPorts
from streampoll.results.store import Store
from streampoll.shards.entries import decode_fields, decode_target
from streampoll.shards.memory import ALONE
from streampoll.shards.memory_stream import StreamId, id_of, text_of
from streampoll.shards.ring import home_of
from streampoll.worker.attempt import Surroundings
from streampoll.worker.consume import Consumer
from streampoll.worker.port import Limits
from streampoll.worker.quarantine import Care
from streampoll.worker.slots import Slots
from tests.simulation import laws
from tests.simulation.choices import Choices
from tests.simulation.database import SimPlans, SimPostgres, SimWriter, Tables
from tests.simulation.laws import Broken
from tests.simulation.loop import NOBODY, Process, SimLoop
from tests.simulation.nemesis import (
    CLOCK,
    CLOCK_STEPS_S,
    LONG_S,
    NO_DATA,
    OLDER_DATA,
    PROMOTED,
    REDIS_AWAY,
    TABLES_AWAY,
    UNKNOWN_COMMIT,
    Nemesis,
)
from tests.simulation.redis import Client, SimLease, SimRedis
from tests.simulation.scenarios import Scenario

POLLING, RESULTS = QueueClass.POLLING, QueueClass.RESULTS
START_S = 1_700_000_035  # five seconds before whole 40 and 60 seconds
DEAD_AFTER_S = 3.0  # a process silent for longer loses its shards
RESTART_S = 1.0  # until a dead process is replaced
_REST_S = 240  # everything is over by then
_IN_TIME_S = 5.0  # beyond claim_idle
_CALM_S = 8.0  # after the last fault: whoever is behind is no more


class World:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, choices: Choices) -> None:
        self.scenario = scenario
        self.choices = choices
        self.loop = SimLoop(choices)
        idle_ms = int(scenario.claim_idle_s * 1000)
        self.redis = SimRedis(self.loop, START_S * 1000, scenario.streams, idle_ms, scenario.grace_s)
        self.tables = Tables()
        self.nemesis = Nemesis(self.loop, choices, scenario.torments)
        self.story: list[tuple[float, str, str]] = []
        self._number = 0
        self._excused: set[tuple[str, int]] = set()
        self._coordinators: dict[Process, Coordinator] = {}
        self._workers: dict[Process, list[Consumer]] = {}
        self._no_room_at = 0.0
        self._changed = False
        self.redis.laws.holds = self._holds
        self._wire_nemesis()

    def _wire_nemesis(self) -> None:
        self.nemesis.tell = self.tell
        self.nemesis.on_crash = self._on_crash
        self.nemesis.on_freeze = self._excuse
        self.nemesis.worlds = {
            REDIS_AWAY: self._redis_away,
            TABLES_AWAY: self._tables_away,
            UNKNOWN_COMMIT: self._unknown_commit,
            OLDER_DATA: self._older_data,
            NO_DATA: self._no_data,
            CLOCK: self._clock_steps,
            PROMOTED: self._promoted,
        }

    def tell(self, who: str, what: str) -> None:
        """Add a line to the story."""
        self.story.append((self.loop.time(), who, what))

    # -- faults of servers

    def _redis_away(self, choice: int) -> str:
        seconds = LONG_S[choice % len(LONG_S)]
        self.redis.server.away = True
        self._later(seconds, lambda: setattr(self.redis.server, "away", False))
        self.nemesis.lasts(seconds)
        for process in self._workers:
            self._excuse(process)
        return f"Redis is away for {seconds:g} s"

    def _tables_away(self, choice: int) -> str:
        seconds = LONG_S[choice % len(LONG_S)]
        self.tables.away = True
        self._later(seconds, lambda: setattr(self.tables, "away", False))
        self.nemesis.lasts(seconds)
        return f"the tables are away for {seconds:g} s"

    def _unknown_commit(self, _: int) -> str:
        self.tables.unknown_commits += 1
        return "the next COMMIT has no answer"

    def _older_data(self, choice: int) -> str:
        self.redis.lose(1 + choice % 30)
        return f"Redis comes back without its last {1 + choice % 30} operations"

    def _no_data(self, _: int) -> str:
        self.redis.lose(0)
        return "Redis comes back empty"

    def _clock_steps(self, choice: int) -> str:
        by_s = CLOCK_STEPS_S[choice % len(CLOCK_STEPS_S)]
        self.redis.step_clock(by_s * 1000)
        return f"the clock of Redis steps by {by_s} s"

    def _promoted(self, choice: int) -> str:
        return f"a replica is promoted: {self._older_data(choice)}, and {self._clock_steps(choice)}"

    # -- processes

    def _later(self, seconds: float, call: Any) -> None:
        """Let the world do something later, whoever's code is running now."""

        async def wait() -> None:
            await asyncio.sleep(seconds)
            call()

        self.loop.spawn(NOBODY, wait())

    def _on_crash(self, process: Process, by_nemesis: bool) -> None:
        if by_nemesis:
            self._excuse(process)
        start = self._start_coordinator if process.kind == "coordinator" else self._start_worker
        self._later(RESTART_S, start)

    def _excuse(self, process: Process) -> None:
        """What was alone when it was harmed on purpose may be taken for the culprit."""
        for shard in self.redis.server.shards.values():
            for entry_id, note in shard.crashes[POLLING].items():
                fields = shard.streams[POLLING].entries.get(id_of(entry_id))
                if note == process.name + ALONE and fields:
                    entry = decode_fields(fields)
                    self._excused.add((decode_target(entry.body)[0].device, entry.slot))

    def _client(self) -> Client:
        return self.scenario.client(self.redis, self.choices, self.nemesis)

    def _new_process(self, kind: str) -> Process:
        self._number += 1
        return Process(f"{kind[0]}{self._number}", kind)

    def _start(self, process: Process, code: Any) -> None:
        task = self.loop.spawn(process, code)
        task.add_done_callback(self._ended, context=None)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.loop.found(error)

    # -- coordinators

    def plans(self) -> list[Plan]:
        """Return what is due, by the configuration as it is now."""
        end = START_S + self.scenario.active_s
        plans = []
        for job in self.scenario.jobs:
            names = job.devices + ((self.scenario.added,) if self._changed else ())
            for shard in range(self.scenario.shards):
                devices = [Device(name, name, profile="p") for name in names if self._shard(name) == shard]
                if devices:
                    terms = PlanTerms(job.name, shard, Every(job.interval_s, job.spread), end=end)
                    plans.append(build_plan(terms, devices, ""))
        return plans

    def _shard(self, device: str) -> int:
        return sum(device.encode()) % self.scenario.shards

    def _start_coordinator(self) -> None:
        process = self._new_process("coordinator")
        client, plans = self._client(), SimPlans(self.tables, self.nemesis)
        lease = SimLease(self.redis, client, process.name, self.scenario.lease_s)

        async def publish(_: Any) -> None:
            pass

        ports = Ports(client, lease, plans, self.redis.now, lambda: None, self.plans, plans, publish)  # type: ignore[arg-type]
        settings = CoordinatorSettings(lease_s=self.scenario.lease_s, grace_s=self.scenario.grace_s, batch_size=2)
        coordinator = Coordinator(settings, self.scenario.shards, 0.8, ports)
        self._coordinators[process] = coordinator
        self._start(process, coordinator.run(self.plans()))

    def _change(self) -> None:
        """A device is added; each coordinator finds out in its own time."""
        self._changed = True
        self.tell("!", f"{self.scenario.added} joins")
        for process, coordinator in self._coordinators.items():
            if process.alive:
                self._later(self.choices.below("change", 8), coordinator.reload)

    # -- workers

    def _start_worker(self) -> None:
        process = self._new_process("worker")
        around = Surroundings(
            process.name,
            self._client(),
            Slots(self.scenario.concurrency, {POLLING: 1, RESULTS: 1}),
            lambda queue: self._homes(process, queue),
            lambda: (),
            lambda: None,
            self.loop.time,
            self.scenario.solitude(),
        )
        idle_s = self.scenario.claim_idle_s
        polling = Limits(0, 2, 1, 30.0, 0.0, idle_s)
        results = Limits(2, 2, 4, 0.0, 0.0, idle_s)
        consumers = [
            self.scenario.consumer(POLLING, self._poll_handler(process), polling, around),
            self.scenario.consumer(RESULTS, self._store(), results, around),
        ]
        self._workers[process] = consumers
        self._start(process, _consume(consumers))

    def _homes(self, process: Process, queue: QueueClass) -> Sequence[int]:
        """Return a process's home shards; the dead are found out after a while."""
        now = self.loop.time()
        live = [
            one.name for one in self._workers if (one.alive and not one.frozen) or now - one.silent_since < DEAD_AFTER_S
        ]
        return [shard for shard in range(self.scenario.shards) if home_of(queue, shard, live) == process.name]

    def _poll_handler(self, process: Process) -> PollHandler:
        async def poll(target: Target, deadline: float) -> Outcome:
            lasts = self.scenario.polls_last_s
            seconds = lasts[self.choices.below("polls", len(lasts))]
            left = deadline - self.loop.time()
            if left <= 0:
                self.loop.found(Broken(laws.NOT_EXPIRED, f"{target.device} by {process.name}"))
            self._see_alone(process)
            await asyncio.sleep(max(min(seconds, left), 0.0))
            self._see_alone(process)
            if target.device in self.scenario.poison:
                await self.nemesis.crash(process, f"of polling {target.device}", on_purpose=False)
            return Outcome(Status.OK if seconds <= left else Status.TIMEOUT, f"by {process.name}")

        def encode(outcome: Outcome, trace: Trace) -> bytes:
            return f"{outcome.status.word} {outcome.error} delivery {trace.delivery} {trace.done:.3f}".encode()

        async def close() -> None:
            pass

        return self.scenario.handler(PollPorts(poll, encode, self.redis.now, process.name, close))

    def _see_alone(self, process: Process) -> None:
        """See that an attempt that is to have nothing beside it has not."""
        consumers = self._workers[process]
        alone = any(one.care is Care.ALONE for consumer in consumers for one in consumer._attempts)
        if alone and (running := sum(consumer.in_flight for consumer in consumers)) > 1:
            self.loop.found(Broken(laws.ALONE, f"{process.name} runs {running}"))

    def _holds(self, consumer: str, queue: QueueClass, shard: int, entry_id: StreamId) -> bool:
        """True if a process that nothing has kept from renewing of late has an entry in hand."""
        calm_s = self.loop.time() - self.nemesis.last
        return calm_s > self.scenario.claim_idle_s and any(
            (shard, text_of(entry_id)) in part._leases._held
            for process, consumers in self._workers.items()
            for part in consumers
            if process.name == consumer and process.alive and not process.frozen and part.queue is queue
        )

    def _store(self) -> Store:
        store = self.scenario.store(PostgresSettings(), self.redis.now, SimPostgres(self.tables))  # type: ignore[arg-type]
        store._writer = SimWriter(self.tables, self.nemesis)  # type: ignore[assignment]
        store._maintain_at = float("inf")
        return store

    # -- the run

    def run(self) -> None:
        """Run, come to rest, be judged.

        Raises:
            Broken: a law does not hold.
        """
        with _quiet():
            try:
                self.loop.run_until_complete(self.loop.spawn(NOBODY, self._run()))
            finally:
                self.loop.end()

    async def _run(self) -> None:
        for _ in range(self.scenario.coordinators):
            self._start_coordinator()
        for _ in range(self.scenario.workers):
            self._start_worker()
        if self.scenario.added:
            self._later(5 + self.choices.below("change", 10), self._change)
        self.loop.spawn(NOBODY, self._watch())
        await asyncio.sleep(self.scenario.active_s)
        self.nemesis.ended = True
        self.tell("!", "no more faults")
        async with asyncio.timeout(_REST_S):
            while not self._at_rest():
                await asyncio.sleep(0.5)
        self._judge()

    def _at_rest(self) -> bool:
        """True when all has been dispatched, and nothing is left in the streams."""
        end = START_S + self.scenario.active_s
        shards = self.redis.server.shards.values()
        calm_s = self.loop.time() - self.scenario.active_s  # a clock that stepped forward leaves work to do, too
        if self.redis.now() < end + 15 or calm_s < _CALM_S or not any(self.tables.plans.values()):
            return False
        return not any(shard.streams[queue].entries or shard.delayed[queue] for shard in shards for queue in QueueClass)

    def _judge(self) -> None:
        tally = self.tables.audit(START_S + self.scenario.active_s)
        if tally.missing:
            raise Broken(laws.NOTHING_MISSING, f"{tally.missing}: {tally.shortfalls}")
        if tally.duplicates:
            raise Broken(laws.NO_DUPLICATES, f"{tally.duplicates}: {tally.shortfalls}")
        laws.innocent(self.tables.crashed(), self.scenario.poison, self._excused)

    async def _watch(self) -> None:
        """See that what nobody serves is taken over in time, where there is room and nothing else is wrong."""
        while True:
            await asyncio.sleep(0.5)
            now = self.loop.time()
            rooms = [
                consumers[0]._room_now() > 0
                for process, consumers in self._workers.items()
                if process.alive and not process.frozen
            ]
            if not rooms or not all(rooms):
                self._no_room_at = now
            calm_s = now - max(self.nemesis.last, self._no_room_at)
            bar_s = self.scenario.claim_idle_s + _IN_TIME_S + RESTART_S
            if calm_s > bar_s:
                self._nothing_idle(bar_s)

    def _nothing_idle(self, bar_s: float) -> None:
        for number, shard in self.redis.server.shards.items():
            for entry_id, held in shard.streams[POLLING].pending.items():
                idle_s = (self.redis.now_ms() - held.since_ms) / 1000
                if idle_s > bar_s:
                    self.loop.found(
                        Broken(laws.IN_TIME, f"{entry_id} of shard {number} waits for {idle_s:.1f} s ({held.consumer})")
                    )


async def _consume(consumers: Sequence[Consumer]) -> None:
    async with asyncio.TaskGroup() as group:
        for consumer in consumers:
            for name, part in consumer.tasks():
                group.create_task(part(), name=name)
        group.create_task(_enforce(consumers))


async def _enforce(consumers: Sequence[Consumer]) -> None:
    while True:
        await asyncio.sleep(1.0)
        for consumer in consumers:
            consumer.enforce()


@contextmanager
def _quiet() -> Iterator[None]:
    """No log, and jitter that is the same each time."""
    state = random.getstate()
    disabled = logging.root.manager.disable
    random.seed(0)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
        random.setstate(state)
