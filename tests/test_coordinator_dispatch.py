"""The coordinator on streams in memory: who leads, what a term dispatches, and what ends it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from streampoll.config.settings import CoordinatorSettings
from streampoll.coordinator.dispatch import Coordinator, Ports
from streampoll.coordinator.plan import Plan, PlanTerms, build_plan
from streampoll.coordinator.schedule import Every
from streampoll.errors import ConfigError, Fault
from streampoll.model import Device, QueueClass
from streampoll.shards.entries import Kind
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_presence import MemoryLease
from streampoll.shards.memory_server import MemoryServer
from streampoll.shards.port import DispatchStreams, mark_of, tick_of
from tests.coordinator_support import NoLosses, Plans
from tests.waiting import eventually_async

POLLING, RESULTS = QueueClass.POLLING, QueueClass.RESULTS
SETTINGS = CoordinatorSettings(lease_s=2.0)


def plan_of(*names: str) -> Plan:
    devices = [Device(name, f"10.0.0.{n}") for n, name in enumerate(names)]
    return build_plan(PlanTerms("j", 0, Every(1, spread=False)), devices, "system")


@dataclass
class World:
    """One Redis, one PostgreSQL, one configuration; the clock is the machine's."""

    server: MemoryServer = field(default_factory=lambda: MemoryServer(now_ms=lambda: int(time.time() * 1000)))
    plans: Plans = field(default_factory=Plans)
    load: Callable[[], Sequence[Plan]] = lambda: [plan_of("a")]

    @asynccontextmanager
    async def coordinating(
        self, name: str = "c1", lease: type[MemoryLease] = MemoryLease
    ) -> AsyncIterator[Coordinator]:
        """Run a coordinator until the block ends; it is told to stop, and must."""

        async def publish(_: Mapping[str, object]) -> None:
            pass

        ports = Ports(
            MemoryStreams(self.server), lease(self.server, name, SETTINGS.lease_s), self.plans, time.time,
            lambda: None, self.load, NoLosses(), publish,
        )  # fmt: skip
        coordinator = Coordinator(SETTINGS, 1, 0.8, ports)
        task = asyncio.create_task(coordinator.run(self.load()))
        try:
            yield coordinator
            assert not task.done(), task
        finally:
            coordinator.stop()
            await asyncio.wait({task}, timeout=10)
            assert task.done()
            task.result()

    async def length(self, queue: QueueClass = POLLING) -> int:
        return (await MemoryStreams(self.server).figures([0]))[0].queues[queue].length

    async def ledger(self) -> list[int]:
        """Return the slots of the ledger's entries, in order."""
        streams = MemoryStreams(self.server)
        await streams.make_groups(RESULTS, [0])
        read = await streams.read(RESULTS, [0], f"reader{time.monotonic_ns()}", 10_000, 0)
        return [each.entry.slot for each in read if each.entry and each.entry.kind == Kind.LEDGER]

    async def dispatches(self, more: int = 1) -> None:
        """Wait until so many more polls are in the stream."""
        before = await self.length()

        async def arrived() -> bool:
            return await self.length() >= before + more

        await eventually_async(arrived)

    async def drain(self) -> None:
        """Take what is to be polled away, so that no round is behind."""
        shard = self.server.shard(0)
        shard.open.clear()
        shard.backlog.clear()


class Renewed(MemoryLease):
    """Held by the process's own clock, as the real one is: that it ran out is only learned by a renewal."""

    @property
    def held(self) -> bool:
        return self.epoch > 0


async def test_each_second_it_dispatches_what_is_due_with_a_ledger_entry() -> None:
    world = World(load=lambda: [plan_of("a", "b", "c")])
    async with world.coordinating():
        await world.dispatches(3)
        await world.drain()
        await world.dispatches(3)
    ticks = await world.ledger()
    assert len(ticks) >= 2
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("looked_at", "then", "waits_s"),
    [
        (100.9995, 101.003, 0.0),  # the look was a moment early, and the second began meanwhile
        (100.004, 100.010, 0.991),
        (100.004, 103.5, 0.0),  # the loop was late
        (110.004, 100.5, 0.501),  # the clock went back
    ],
)
async def test_the_second_after_the_one_looked_at_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, looked_at: float, then: float, waits_s: float
) -> None:
    clock, waited = [looked_at], []

    async def pause(_: Coordinator, seconds: float) -> None:
        waited.append(seconds)

    async def publish(_: Mapping[str, object]) -> None:
        pass

    monkeypatch.setattr(Coordinator, "_pause", pause)
    world = World()
    lease = MemoryLease(world.server, "c1", SETTINGS.lease_s)
    ports = Ports(
        MemoryStreams(world.server), lease, world.plans, lambda: clock[0], lambda: None, world.load, NoLosses(), publish
    )
    coordinator = Coordinator(SETTINGS, 1, 0.8, ports)
    await coordinator._look()
    clock[0] = then
    await coordinator._until_next_second()
    assert waited == [pytest.approx(waits_s, abs=1e-6)]


async def test_plans_are_dispatched_once_they_are_committed_and_not_a_second_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Coordinator, "_until_next_second", lambda self: self._pause(3600.0))
    world = World()
    async with world.coordinating():
        await world.dispatches()


async def test_of_two_one_leads_and_the_other_takes_over_when_it_resigns() -> None:
    world = World()
    async with world.coordinating("c1"):
        await eventually_async(lambda: world.server.leader)
        async with world.coordinating("c2"):
            await world.dispatches()
            assert world.server.leader[0] == "c1"
            first = world.server.leader[1]
            world.server.leader = None  # resigned, or its lease is over
            await eventually_async(lambda: world.server.leader and world.server.leader[1] > first)
    ticks = await world.ledger()
    assert ticks == sorted(set(ticks))  # none of either twice


async def test_a_leader_that_a_shard_calls_old_takes_a_newer_epoch_and_goes_on() -> None:
    world = World()
    async with world.coordinating():
        await world.dispatches()
        ahead = world.server.shard(0).epoch = int(time.time() * 1000) + 3_600_000
        await world.drain()
        await world.dispatches()
        assert world.server.leader[1] > ahead


async def test_a_leader_that_finds_an_older_mark_goes_on_from_it(caplog: pytest.LogCaptureFixture) -> None:
    """It went on from its own, and what lay between was on record by its memory only."""
    caplog.set_level(logging.WARNING)
    world = World()
    async with world.coordinating():
        for _ in range(3):
            await world.dispatches()
            await world.drain()
        shard = world.server.shard(0)
        older = shard.progress["j"].mark - mark_of(2, 0)
        shard.progress["j"] = replace(shard.progress["j"], mark=older)
        await eventually_async(lambda: shard.progress["j"].mark > older + mark_of(2, 0))
    assert "Redis lost data: it had confirmed tick" in caplog.text
    ticks = await world.ledger()
    assert {tick_of(older) + 1, tick_of(older) + 2} <= {tick for tick in ticks if ticks.count(tick) > 1}


async def test_an_outage_of_redis_is_waited_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    async with world.coordinating():
        await world.dispatches()
        world.server.away = True
        await eventually_async(lambda: any("trying again each second" in line for line in caplog.messages))
        world.server.away = False
        await world.drain()
        await world.dispatches()
    assert sum("trying again each second" in line for line in caplog.messages) == 1


async def test_a_term_ends_although_its_renewal_is_stuck() -> None:
    """Else a leader that lost its lease would never stand by, nor end."""

    class Stuck(MemoryLease):
        async def take(self, streams: DispatchStreams, shards: Sequence[int], newer: bool = False) -> bool:
            if self.epoch:
                await asyncio.Event().wait()
            return await super().take(streams, shards, newer)

    world = World()
    async with world.coordinating(lease=Stuck):
        await world.dispatches()


async def test_a_lease_that_ran_out_and_was_got_again_begins_another_term(caplog: pytest.LogCaptureFixture) -> None:
    """A leader that was asleep renewed at once, and went on with lines from before its successor's changes."""
    caplog.set_level(logging.INFO)
    world = World()
    async with world.coordinating(lease=Renewed):
        await world.dispatches()
        world.server.leader = None
        await eventually_async(lambda: caplog.text.count("leading with epoch") == 2)


async def test_a_changed_configuration_is_taken_up_and_a_bad_one_refused(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[Sequence[Plan] | ConfigError] = []

    def load() -> Sequence[Plan]:
        if asked and isinstance(asked[-1], ConfigError):
            raise asked[-1]
        return asked[-1] if asked else [plan_of("a")]

    world = World(load=load)
    async with world.coordinating() as coordinator:
        await world.dispatches()
        asked.append(ConfigError([Fault("inventory.csv:2", "no address")]))
        coordinator.reload()
        await eventually_async(lambda: any("inventory.csv:2: no address" in line for line in caplog.messages))
        changed = plan_of("a", "b", "c", "d")
        asked.append([changed])
        coordinator.reload()
        await eventually_async(lambda: world.plans.rows.get(("j", 0), (0, 0))[0] == changed.id)

        async def in_force() -> bool:
            await world.drain()
            return world.server.shard(0).progress["j"].plan == changed.id

        await eventually_async(in_force)


async def test_while_postgres_is_away_a_plan_that_redis_saw_is_dispatched() -> None:
    world = World()
    async with world.coordinating("c1"):
        await world.dispatches()
    await world.drain()
    world.plans.away = True
    async with world.coordinating("c2"):
        await world.dispatches()


def memory_full(share: float) -> "Callable[[MemoryStreams], Awaitable[float]]":
    async def fill(_: MemoryStreams) -> float:
        return share

    return fill


async def test_when_redis_is_nearly_full_polls_are_skipped_with_a_ledger_entry(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    with monkeypatch.context() as full:
        full.setattr(MemoryStreams, "fill", memory_full(0.9))
        async with world.coordinating():

            async def booked() -> bool:
                return await world.length(RESULTS) >= 2

            await eventually_async(booked)
            assert await world.length() == 0
    assert sum("Redis is 90 % full" in line for line in caplog.messages) == 1
