"""streampoll as a simulation: entries from tick to row, over the engine's cores, by the constants of a load. Pure.

It answers what arithmetic can't: how late polls are when processes share cores, devices are silent, or a process dies.
The path is the product's: each second the coordinator dispatches what is due, shard by shard; Redis serves one call at
a time; a shard's home reads it, polls, gathers what is done for a moment; a store writes rows in batches.
One CPU figure a role is taken apart by fixed shares (below). The seed decides phases, latencies and homes.

It is part of the product, not of the tests: `streampoll capacity --simulate` shows the lateness to expect.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from streampoll.capacity.engine import Clock, Cores, Process
from streampoll.capacity.scenario import Observed, Scenario, Trouble
from streampoll.config.settings import Settings
from streampoll.model import QueueClass
from streampoll.shards.ring import home_of
from streampoll.worker.port import LONE_S
from streampoll.worker.settle import FULL, QUIET_S

_QUEUES = Settings().queues
GATHER_S = _QUEUES[QueueClass.POLLING].gather_s  # what is done is told together so, up to FULL, while more come
READ_GATHER_S = _QUEUES[QueueClass.RESULTS].gather_s  # and rows are read together so
BATCH = 1_000  # rows in one transaction (results/batch.py)
COMMIT_S = 0.004  # of a transaction: its round trips, and the log on the disk
START_SHARE = 0.3  # of a poll's CPU in the worker: what comes before the first reply (by traces of polls)
DISPATCH_SHARE, POLL_SHARE, STORE_SHARE = 0.3, 0.4, 0.3  # of a poll's CPU in Redis
SILENT_S = 2.0  # one probe
HEARTBEAT_S = 1.0


@dataclass(slots=True)
class _Poll:
    slot: int
    shard: int
    latency_s: float
    silent: bool
    requests: int = 0  # yet to be answered


@dataclass(slots=True)
class _Home:
    """A worker process and what it has in hand."""

    name: str
    process: Process
    waiting: "deque[_Poll]" = field(default_factory=deque)
    held: dict[int, _Poll] = field(default_factory=dict)  # in flight, or done and Redis does not know yet
    in_flight: int = 0
    done: list[_Poll] = field(default_factory=list)
    told_at: float = -1.0  # when Redis was last told of what was done
    rows: "deque[_Poll]" = field(default_factory=deque)
    read_at: float = -1.0  # when rows were last read
    reading: bool = False  # or waiting to, or writing
    writing: Sequence[_Poll] = ()  # rows in a transaction


class _World:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.clock = Clock()
        cores = Cores(self.clock, scenario.cores)
        self.roles = {name: cores.process() for name in ("coordinator", "redis", "postgres", "fleet")}
        self.homes = [_Home(f"process-{scenario.seed}-{n}", cores.process()) for n in range(scenario.processes)]
        self.stores = [_Home(f"store-{n}", cores.process()) for n in range(scenario.stores)] or self.homes
        self.us = {role: value / 1e6 for role, value in scenario.load.cpu_us.items()}
        self.requests = max(1, round(scenario.load.requests))
        self.due = _due(scenario)
        self.unread: dict[int, list[_Poll]] = {shard: [] for shard in range(scenario.shards)}
        self.home: dict[int, _Home] = {}
        self.store_of: dict[int, _Home] = {}
        self.lateness: list[float] = []
        self.counts = {"due": 0, "stored": 0, "expired": 0, "in_flight": 0}
        self.busy: dict[str, float] = {}
        self.settle_homes()

    # -- who is home

    def settle_homes(self) -> None:
        """Give each shard its home among the living, and have what waits there read."""
        living = {home.name: home for home in self.homes if home.process.alive}
        storing = {home.name: home for home in self.stores if home.process.alive}
        for shard in self.unread:
            self.home[shard] = living[home_of("polling", shard, living) or ""]
            self.store_of[shard] = storing[home_of("results", shard, storing) or ""]
            self.read(shard)
        for home in self.stores:
            if not home.process.alive:
                self.results(home.rows)
                home.rows.clear()

    def counted(self, slot: int) -> bool:
        """True of slots within the window."""
        return self.scenario.warm_s <= slot < self.scenario.warm_s + self.scenario.seconds

    # -- coordinator

    def tick(self, slot: int) -> None:
        """Dispatch what is due in a second, shard by shard."""
        for shard, polls in self.due(slot).items():
            self.counts["due"] += len(polls) if self.counted(slot) else 0
            cpu_s = len(polls) * self.us["coordinator"]
            self.roles["coordinator"].do(cpu_s, lambda shard=shard, polls=polls: self.dispatch(shard, polls))  # type: ignore[misc]

    def dispatch(self, shard: int, polls: "list[_Poll]") -> None:
        """Have Redis add entries; their home reads them."""

        def added() -> None:
            self.unread[shard] += polls
            self.read(shard)

        self.redis(len(polls) * DISPATCH_SHARE, added)

    def redis(self, polls: float, then: Callable[[], None]) -> None:
        """Have Redis do a share of what a poll costs it, for so many polls."""
        self.roles["redis"].do(polls * self.us["redis"], then)

    # -- worker

    def read(self, shard: int) -> None:
        """Hand a shard's entries to its home, if that lives; nobody has noticed yet if it does not."""
        home = self.home[shard]
        if home.process.alive and self.unread[shard]:
            polls, self.unread[shard] = self.unread[shard], []
            home.waiting.extend(polls)
            self.start(home)

    def start(self, home: _Home) -> None:
        """Begin as many polls as there is room for."""
        while home.waiting and home.in_flight < self.scenario.concurrency and home.process.alive:
            poll = home.waiting.popleft()
            if self.clock.now >= poll.slot + self.scenario.interval_s:
                self.counts["expired"] += self.counted(poll.slot)
                continue
            home.held[id(poll)] = poll
            home.in_flight += 1
            poll.requests = 1 if poll.silent else self.requests
            self.counts["in_flight"] = max(self.counts["in_flight"], sum(each.in_flight for each in self.homes))
            home.process.do(self.us["worker"] * START_SHARE, lambda poll=poll: self.ask(home, poll))  # type: ignore[misc]

    def ask(self, home: _Home, poll: _Poll) -> None:
        """Send a request; the reply comes after the device's latency, or its time-out passes."""
        cpu_s = self.us["worker"] * (1.0 - START_SHARE) / self.requests

        def replied() -> None:
            home.process.do(cpu_s, lambda: self.heard(home, poll))

        if poll.silent:
            self.clock.after(SILENT_S, replied)
        else:
            fleet = self.roles["fleet"]
            self.clock.after(poll.latency_s, lambda: fleet.do(self.scenario.fleet_us / 1e6, replied))

    def heard(self, home: _Home, poll: _Poll) -> None:
        """Go on with the next request, or end."""
        poll.requests -= 1
        if poll.requests > 0:
            self.ask(home, poll)
            return
        home.done.append(poll)
        home.in_flight -= 1
        self.start(home)
        if len(home.done) == 1:
            self.gather(home, poll, 0, GATHER_S if self.clock.now - home.told_at < GATHER_S else LONE_S)
        elif len(home.done) == FULL:
            self.finish(home)

    def gather(self, home: _Home, first: _Poll, before: int, left_s: float) -> None:
        """Wait for more than the first, as long as they come."""
        if not home.done or home.done[0] is not first:
            return  # they were so many that they were told before
        count, pause_s = len(home.done), min(QUIET_S, left_s)
        if count == before or pause_s <= 0:
            self.finish(home)
        else:
            self.clock.after(pause_s, lambda: self.gather(home, first, count, left_s - pause_s))

    def finish(self, home: _Home) -> None:
        """Tell Redis of what was gathered, in one call; then these are results."""
        done, home.done, home.told_at = home.done, [], self.clock.now

        def finished() -> None:
            self.results([poll for poll in done if home.held.pop(id(poll), None) is not None])

        self.redis(len(done) * POLL_SHARE, finished)

    # -- store

    def results(self, polls: "Iterable[_Poll]") -> None:
        """Hand results to the stores of their shards, which write what they have."""
        for poll in polls:
            self.store_of[poll.shard].rows.append(poll)
        for home in self.stores:
            self.store(home)

    def store(self, home: _Home) -> None:
        """Read what there is and write it, a batch at a time; soon after the last read more is waited for."""
        if home.reading or not home.rows or not home.process.alive:
            return
        home.reading = True
        self.clock.after(max(LONE_S, home.read_at + READ_GATHER_S - self.clock.now), lambda: self.write(home))

    def write(self, home: _Home) -> None:
        """Write a batch."""
        process, postgres = home.process, self.roles["postgres"]
        if not process.alive:
            return
        home.read_at = self.clock.now
        home.writing = rows = [home.rows.popleft() for _ in range(min(BATCH, len(home.rows)))]

        def stored() -> None:
            if not process.alive:
                return
            home.writing, home.reading = (), False
            self.note(rows)
            self.redis(len(rows) * STORE_SHARE, lambda: self.store(home))

        def insert() -> None:
            postgres.do(len(rows) * self.us["postgres"], lambda: self.clock.after(COMMIT_S, stored))

        process.do(len(rows) * self.us["store"], insert)

    def note(self, rows: "Sequence[_Poll]") -> None:
        """Count rows."""
        counted = [poll for poll in rows if self.counted(poll.slot)]
        self.counts["stored"] += len(counted)
        self.lateness += [self.clock.now - poll.slot for poll in counted if not poll.silent]

    # -- trouble

    def worker_dies(self) -> None:
        """End a worker: its shards move after `dead_after_s`, what it held is claimed after `claim_idle_s`."""
        dead = self.homes[0]
        dead.process.kill()
        lost = [*dead.held.values(), *dead.waiting]
        rows = dead.writing
        dead.held.clear()
        dead.waiting.clear()
        self.clock.after(self.scenario.dead_after_s + HEARTBEAT_S, self.settle_homes)
        self.clock.after(self.scenario.claim_idle_s + HEARTBEAT_S, lambda: self.claimed(lost, rows))

    def claimed(self, polls: "Sequence[_Poll]", rows: "Sequence[_Poll]") -> None:
        """Begin again what the dead one held."""
        for poll in polls:
            self.unread[poll.shard].append(poll)
        self.settle_homes()
        self.results(rows)

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU that each role has used."""
        used = {name: process.busy_s for name, process in self.roles.items()}
        storing = sum(home.process.busy_s for home in self.stores) if self.scenario.stores else 0.0
        return {**used, "worker": sum(home.process.busy_s for home in self.homes), "store": storing}


def simulate(scenario: Scenario) -> Observed:
    """Run a scenario, and a while longer so that what is on its way arrives."""
    world = _World(scenario)
    end_s = scenario.warm_s + scenario.seconds
    for slot, begin_s in _ticks(scenario):
        world.clock.at(begin_s, lambda slot=slot: world.tick(slot))  # type: ignore[misc]
    if scenario.trouble is Trouble.WORKER:
        world.clock.at(scenario.trouble_s, world.worker_dies)
    world.clock.run(scenario.warm_s)
    before = world.cpu_s()
    world.clock.run(end_s)
    cores = {name: (used - before[name]) / scenario.seconds for name, used in world.cpu_s().items()}
    world.clock.run(end_s + max(60.0, 2.0 * scenario.interval_s))
    counts = world.counts
    return Observed(
        counts["due"], counts["stored"], counts["expired"], sorted(world.lateness), cores, counts["in_flight"]
    )


def _ticks(scenario: Scenario) -> "list[tuple[int, float]]":
    """Return every (slot, when it is dispatched): late, two a second, after a leader's death."""
    found = []
    over_s = scenario.trouble_s + scenario.lease_s + HEARTBEAT_S
    caught_s = over_s
    for slot in range(scenario.warm_s + scenario.seconds):
        begin_s = float(slot)
        if scenario.trouble is Trouble.LEADER and scenario.trouble_s < slot and caught_s > slot:
            begin_s, caught_s = caught_s, caught_s + 0.5
        found.append((slot, begin_s))
    return found


def _due(scenario: Scenario) -> "Callable[[int], dict[int, list[_Poll]]]":
    """Draw the devices; return what gives those that are due in a second, by shard."""
    draw = random.Random(scenario.seed)
    low_s, high_s = scenario.latency_s
    phases: list[list[tuple[int, float, bool]]] = [[] for _ in range(scenario.interval_s)]
    for _ in range(scenario.devices):
        phase, shard = draw.randrange(scenario.interval_s), draw.randrange(scenario.shards)
        phases[phase].append((shard, draw.uniform(low_s, high_s), draw.random() < scenario.silent))

    def due(slot: int) -> dict[int, list[_Poll]]:
        found: dict[int, list[_Poll]] = {}
        for shard, latency_s, silent in phases[slot % scenario.interval_s]:
            found.setdefault(shard, []).append(_Poll(slot, shard, latency_s, silent))
        return dict(sorted(found.items()))

    return due
