"""The contract of device records: each function is a sentence that every server makes true."""

import time

import pytest

from streampoll.shards import devices
from streampoll.shards.device_record import DeviceRecord
from streampoll.shards.devices import KEPT_S, DeviceRecords
from tests.shards_support import SHARD, Bench, RedisBench

NOW = int(time.time())
ONE = DeviceRecord(NOW, {"ssh": "b"}, {"snmp": {"varbinds": 20, "silent": 4}}, {"snmp": NOW - 60})


def records(bench: Bench) -> DeviceRecords:
    assert isinstance(bench, RedisBench)
    return DeviceRecords(bench.topology, bench.keys, lambda: NOW)


async def everything(kept: DeviceRecords, shard: int = SHARD) -> dict[str, DeviceRecord]:
    return {device: record async for page in kept.read(shard) for device, record in page.items()}


async def a_record_is_read_as_it_was_written(bench: Bench) -> None:
    kept = records(bench)

    assert await kept.write({SHARD: {"sw ü": ONE, "sw2": DeviceRecord(NOW, {"snmp": "c"})}, 3: {"sw3": ONE}}) == 0

    assert await everything(kept) == {"sw ü": ONE, "sw2": DeviceRecord(NOW, {"snmp": "c"})}
    assert (await kept.find(3, "sw3"), await kept.find(3, "sw2")) == (ONE, None)


async def a_device_that_is_ordinary_again_leaves_nothing(bench: Bench) -> None:
    kept = records(bench)
    await kept.write({SHARD: {"sw1": ONE}})

    await kept.write({SHARD: {"sw1": None, "sw2": None}})

    assert await everything(kept) == {}
    assert isinstance(bench, RedisBench)
    assert await bench.run("EXISTS", bench.keys.shard(SHARD).device) == 0


async def many_are_written_and_read(bench: Bench) -> None:
    kept = records(bench)
    await kept.write({SHARD: {f"sw{n}": ONE for n in range(1_700)}})

    assert len(await everything(kept)) == 1_700


async def there_is_room_for_so_many_and_no_more(bench: Bench) -> None:
    kept = records(bench)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "MOST", 3)
        assert await kept.write({SHARD: {f"sw{n}": ONE for n in range(5)}}) == 2
        assert await kept.write({SHARD: {"sw0": None, "sw1": ONE, "sw9": ONE}}) == 0

    assert set(await everything(kept)) == {"sw1", "sw2", "sw9"}


async def what_is_too_old_or_can_not_be_read_is_left_out(bench: Bench) -> None:
    kept = records(bench)
    assert isinstance(bench, RedisBench)
    await kept.write({SHARD: {"old": DeviceRecord(NOW - KEPT_S, {"ssh": "b"}), "new": ONE}})
    for name, value in (("a", b"\xc1"), ("b", b"\x05"), ("c", b"")):
        await bench.run("HSET", bench.keys.shard(SHARD).device, name, value)

    assert set(await everything(kept)) == {"new"}
    assert await kept.find(SHARD, "old") is None
