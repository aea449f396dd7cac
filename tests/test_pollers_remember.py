"""What a process learned of devices: only of those that differ, written now and then, read by who polls them next."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from streampoll.config.credentials import Credentials
from streampoll.config.settings import PingSettings
from streampoll.errors import EntryError, RedisUnavailable
from streampoll.model import Outcome, Status, Target
from streampoll.pollers.fallback import accepted
from streampoll.pollers.learned import DeviceMemory
from streampoll.pollers.reach import Reach
from streampoll.pollers.remember import Remembering
from streampoll.pollers.router import Around, Protocol, Router
from streampoll.shards.device_record import DeviceRecord, decode_record, encode_record
from streampoll.shards.memory_devices import MemoryDevices
from streampoll.shards.ring import shard_of
from streampoll.snmp.memory import PROBE_AFTER, Memory

SHARDS = 4
NOW = 1_700_000_000
SW1 = Target("sw1", "10.0.0.1", 0, "plan", "a b", {})
SHARD = shard_of(SW1.address, SHARDS)


class Process:
    """What one worker process has of it."""

    def __init__(self, store: MemoryDevices, homes: list[int] | None = None) -> None:
        self.now = float(NOW)
        self.memory = DeviceMemory(lambda: self.now)
        self.homes = list(range(SHARDS)) if homes is None else homes
        self.remembering = Remembering(self.memory, store, lambda: self.homes, SHARDS)


@pytest.fixture
def store() -> MemoryDevices:
    return MemoryDevices()


async def test_a_device_as_it_should_be_leaves_nothing(store: MemoryDevices) -> None:
    process = Process(store)
    process.memory.note("snmp", SW1, {})
    process.memory.stand("snmp", SW1, accepted("a"), "a")

    await process.remembering.write()

    assert (store.writes, store.shards) == (0, {})


async def test_what_one_process_learned_another_has_when_it_becomes_the_home(store: MemoryDevices) -> None:
    first, second = Process(store), Process(store, [])
    first.memory.note("snmp", SW1, {"varbinds": 20})
    first.memory.stand("ssh", SW1, accepted("b"), "a")
    await first.remembering.write()

    await second.remembering.read()
    assert second.memory.recall("snmp", "sw1") is None
    second.homes.append(SHARD)
    await second.remembering.read()

    assert second.memory.standing("ssh", "sw1").worked == "b"
    assert second.memory.recall("snmp", "sw1") == {"varbinds": 20}
    assert second.memory.recall("snmp", "sw1") is None


async def test_a_shard_is_read_once_for_each_time_it_comes(store: MemoryDevices) -> None:
    process = Process(store, [SHARD])
    await process.remembering.read()
    store.shards[SHARD] = {"sw1": DeviceRecord(NOW, {}, {"snmp": {"varbinds": 5}})}
    await process.remembering.read()
    assert process.memory.recall("snmp", "sw1") is None

    process.homes.clear()
    await process.remembering.read()
    process.homes.append(SHARD)
    await process.remembering.read()

    assert process.memory.recall("snmp", "sw1") == {"varbinds": 5}


async def test_many_changes_are_one_write_and_only_what_is_worth_one(store: MemoryDevices) -> None:
    process = Process(store)
    for silent in range(3, 100):
        process.memory.note("snmp", SW1, {"silent": silent})
        process.memory.note("snmp", Target(f"sw{silent}", f"10.0.1.{silent}", 0, "", "", {}), {"varbinds": silent})
    await process.remembering.write()
    assert store.writes == 1

    for silent in range(100, 200):
        process.memory.note("snmp", SW1, {"silent": silent})
        await process.remembering.write()
    assert store.writes == 2  # at 128, when it had doubled


async def test_a_device_that_is_ordinary_again_is_forgotten(store: MemoryDevices) -> None:
    process = Process(store)
    process.memory.note("snmp", SW1, {"silent": 3})
    await process.remembering.write()
    assert store.shards[SHARD] == {"sw1": DeviceRecord(NOW, {}, {"snmp": {"silent": 3}}, {"snmp": NOW})}

    process.memory.note("snmp", SW1, {})
    await process.remembering.write()

    assert store.shards[SHARD] == {}


async def test_what_is_still_true_is_written_again_after_a_day(store: MemoryDevices) -> None:
    process = Process(store)
    process.memory.note("snmp", SW1, {"varbinds": 20})
    process.memory.stand("ssh", SW1, accepted("b"), "a")
    await process.remembering.write()
    process.now += 86_401

    process.memory.note("snmp", SW1, {"varbinds": 20})
    await process.remembering.write()

    assert (store.writes, store.shards[SHARD]["sw1"].at) == (2, NOW + 86_401)


async def test_while_redis_is_away_what_was_learned_waits(store: MemoryDevices) -> None:
    process = Process(store)
    process.memory.note("snmp", SW1, {"varbinds": 20})
    store.away = True
    with pytest.raises(RedisUnavailable):
        await process.remembering.write()
    await process.remembering.write_last()

    store.away = False
    await process.remembering.write()

    assert store.shards[SHARD]["sw1"].learned == {"snmp": {"varbinds": 20}}


async def test_it_goes_on_by_itself_whatever_redis_does(store: MemoryDevices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streampoll.pollers.remember._WRITE_EVERY_S", 0.001)
    store.away = True
    process = Process(store)
    process.memory.note("snmp", SW1, {"varbinds": 20})
    running = asyncio.create_task(process.remembering.run())
    for _ in range(20):
        await asyncio.sleep(0.001)
    store.away = False
    async with asyncio.timeout(5):
        while not store.writes:
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_a_shard_is_polled_once_its_records_are_read(store: MemoryDevices) -> None:
    process = Process(store, [1, 2])
    assert process.remembering.homes() == []

    await process.remembering.read()
    assert process.remembering.homes() == [1, 2]
    process.homes.append(3)
    assert process.remembering.homes() == [1, 2]
    await process.remembering.read()
    assert process.remembering.homes() == [1, 2, 3]


async def test_a_shard_whose_records_can_not_be_read_is_polled_after_a_second(
    store: MemoryDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.away = True
    process, now = Process(store, [1]), 100.0
    monkeypatch.setattr("streampoll.pollers.remember.time.monotonic", lambda: now)
    assert process.remembering.homes() == []
    await process.remembering.read()
    assert process.remembering.homes() == []

    now += 1.1

    assert process.remembering.homes() == [1]


# -- the router


@dataclass(frozen=True)
class Plan:
    profile: str = "plan"


@dataclass
class Learning:
    """A poller that learns what it is told to."""

    wall_limit_s: float = 5.0
    known: Mapping[str, int] = field(default_factory=dict)
    recalled: list[Mapping[str, int]] = field(default_factory=list)

    async def poll(self, target: Target, plan: Any, credential: Any, deadline: float) -> Outcome:
        return Outcome(Status.OK)

    def learned(self, target: Target) -> Mapping[str, int]:
        return self.known

    async def recall(self, target: Target, learned: Mapping[str, int]) -> None:
        self.recalled.append(learned)

    async def close(self) -> None:
        pass


async def test_a_poller_is_told_before_its_next_poll_and_asked_after_each(store: MemoryDevices) -> None:
    store.shards[SHARD] = {"sw1": DeviceRecord(NOW, {}, {"fake": {"size": 5}})}
    process, poller = Process(store), Learning(known={"size": 7})
    around = Around(Credentials.of("fake", {"a": 1}), Reach(PingSettings()), process.memory)
    router = Router({Plan: Protocol("fake", lambda: poller)}, {"plan": Plan()}, around)
    await process.remembering.read()

    for _ in range(2):
        await router.poll(SW1, asyncio.get_running_loop().time() + 5)
    await process.remembering.write()

    assert poller.recalled == [{"size": 5}]
    assert store.shards[SHARD]["sw1"].learned == {"fake": {"size": 7}}


def test_snmp_learns_sizes_and_silence_once_it_matters() -> None:
    agent, memory, other = ("10.0.0.1", 161), Memory(), Memory()
    for _ in range(PROBE_AFTER - 1):
        memory.back_off.silent(agent)
    assert memory.learned(agent) == {}
    memory.back_off.silent(agent)
    memory.sizes.shrink(agent, 40)

    other.recall(agent, memory.learned(agent))

    assert memory.learned(agent) == {"varbinds": 20, "silent": PROBE_AFTER}
    assert (other.sizes.limit(agent), other.back_off.failures(agent)) == (20, PROBE_AFTER)


# -- as bytes


def test_a_record_is_the_same_after_its_bytes() -> None:
    record = DeviceRecord(NOW, {"snmp": "b"}, {"snmp": {"silent": 8}}, {"snmp": NOW - 5})

    assert decode_record(encode_record(record)) == record
    assert len(encode_record(DeviceRecord(NOW, {"snmp": "b"}))) < 40


@pytest.mark.parametrize("packed", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x81", b"\x80\x80"])
def test_what_is_no_record_is_refused(packed: bytes) -> None:
    with pytest.raises(EntryError):
        decode_record(packed)


def test_what_another_release_has_added_is_ignored() -> None:
    packed = b"\x84\xa2at\x05\xa3new\x01\xa5since\x07\xaacredential\x82\xa4snmp\xa1b\xa3ssh\x09"

    assert decode_record(packed) == DeviceRecord(5, {"snmp": "b"})
