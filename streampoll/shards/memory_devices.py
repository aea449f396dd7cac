"""Records of devices in memory: what services are tested on in the place of `devices.DeviceRecords`."""

from collections.abc import AsyncIterator

from streampoll.errors import RedisUnavailable
from streampoll.shards.device_record import DeviceRecord
from streampoll.shards.devices import Changes


class MemoryDevices:
    """Records of devices, by shard."""

    def __init__(self) -> None:
        self.shards: dict[int, dict[str, DeviceRecord]] = {}
        self.writes = 0  # calls of `write`
        self.away = False

    async def read(self, shard: int) -> AsyncIterator[dict[str, DeviceRecord]]:
        """Yield a shard's records, one at a time."""
        self._check()
        for device, record in list(self.shards.get(shard, {}).items()):
            yield {device: record}

    async def find(self, shard: int, device: str) -> DeviceRecord | None:
        """Return a device's record; None if it is as it should be."""
        self._check()
        return self.shards.get(shard, {}).get(device)

    async def write(self, changes: Changes) -> int:
        """Keep and forget records."""
        self._check()
        self.writes += 1
        for shard, records in changes.items():
            kept = self.shards.setdefault(shard, {})
            for device, record in records.items():
                if record is None:
                    kept.pop(device, None)
                else:
                    kept[device] = record
        return 0

    def _check(self) -> None:
        if self.away:
            raise RedisUnavailable("Redis is not reachable: the test says so")
