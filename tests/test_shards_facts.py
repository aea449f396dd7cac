"""Facts of devices: what the inventory says is on Redis, whole, and again after a loss."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from streampoll.coordinator.telling_facts import FactsTeller
from streampoll.errors import EntryError
from streampoll.model import Device
from streampoll.shards.facts import DeviceFacts, Facts, decode_facts, digest_of, encode_facts, lay_out_facts
from tests.shards_support import RedisBench
from tests.waiting import eventually_async

CORE = Device("core-1", "10.0.0.1", 161, "snmp-core", "public", ("core", "b"), "fra", "router", "cisco", ("x",))
EDGE = Device("edge-1", "10.0.0.2", parent="core-1", interval_s=60, overrides={"snmp.timeout_s": 1.5})
OFF = Device("off", "10.0.0.3", enabled=False)
SHARDS = 4


@pytest.fixture
async def bench(fresh_redis: str) -> AsyncIterator[RedisBench]:
    async with RedisBench(fresh_redis) as bench:
        yield bench


def facts_of(bench: RedisBench) -> Facts:
    return Facts(bench.topology, bench.keys, SHARDS)


async def told(facts: Facts, *devices: Device) -> None:
    for shard, lines in lay_out_facts(devices, SHARDS).items():
        await facts.write(shard, lines)


def test_facts_come_back_as_they_were() -> None:
    assert decode_facts(encode_facts(CORE)) == DeviceFacts(
        "core-1", "10.0.0.1", 161, "snmp-core", "public", ("core", "b"), "fra", "router", "cisco", ("x",)
    )
    assert decode_facts(encode_facts(EDGE, 3)).parent_shard == 3


@pytest.mark.parametrize("packed", [b"", b"\xc1", b"\x90", b"\x01", encode_facts(CORE)[:-1]])
def test_what_is_no_facts_is_refused(packed: bytes) -> None:
    with pytest.raises(EntryError, match="facts"):
        decode_facts(packed)


def test_a_digest_is_of_all_lines_in_any_order() -> None:
    lines = {"a": b"1", "b": b"2"}

    assert digest_of(lines) == digest_of({"b": b"2", "a": b"1"})
    assert len({digest_of(lines), digest_of({"a": b"1"}), digest_of({"a": b"1", "b": b"3"}), digest_of({})}) == 4


async def test_devices_are_read_by_shard_and_found_by_name(bench: RedisBench) -> None:
    facts = facts_of(bench)
    await told(facts, CORE, EDGE, OFF)

    found = await facts.find("edge-1")

    assert found is not None
    shard, edge = found
    assert (edge.parent, edge.overrides) == ("core-1", {"snmp.timeout_s": 1.5})
    assert (await facts.find("core-1")) == (edge.parent_shard, decode_facts(encode_facts(CORE)))
    assert await facts.read({shard: ["edge-1", "nobody"]}) == {(shard, "edge-1"): edge}
    assert [await facts.find(name) for name in ("off", "nobody", "")] == [None] * 3


async def test_what_left_the_inventory_is_gone(bench: RedisBench) -> None:
    facts = facts_of(bench)
    await told(facts, CORE, EDGE)
    await told(facts, EDGE)

    assert await facts.find("core-1") is None
    assert await facts.find("edge-1") is not None


async def test_the_leader_tells_what_changed_and_again_what_redis_lost(bench: RedisBench) -> None:
    inventory = [CORE]
    leads = False
    teller = FactsTeller(SHARDS, lambda: inventory)
    facts = facts_of(bench)
    teller.note(inventory)
    task = asyncio.create_task(teller.run(facts, lambda: leads))
    try:
        assert not await teller.look(facts, lambda: False)  # a standby says nothing
        assert await facts.find("core-1") is None

        leads = True
        inventory.append(EDGE)
        await asyncio.to_thread(teller.note, inventory)
        await eventually_async(lambda: facts.find("edge-1"))

        await bench.flush()
        assert await teller.look(facts, lambda: True)
        assert await facts.find("core-1") is not None
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_facts_that_are_there_cost_one_read_of_the_digests(bench: RedisBench) -> None:
    facts, loads = facts_of(bench), []

    def load() -> list[Device]:
        loads.append(1)
        return [CORE]

    teller = FactsTeller(SHARDS, load)
    teller.note([CORE])

    assert await teller.look(facts, lambda: True)
    assert await teller.look(facts, lambda: True)

    assert len(loads) == 1
