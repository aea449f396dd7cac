"""Records of devices that are out of the ordinary, kept from process to process in the hash `sp:{07}:device`.

The last write counts: records are hints, and a wrong one costs a request too small or a probe too many. A record older
than a month is left out when they are read, so a device that left the inventory is forgotten.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from streampoll.errors import EntryError
from streampoll.shards.connection import raise_errors
from streampoll.shards.device_record import DeviceRecord, decode_record, encode_record
from streampoll.shards.keys import Keys
from streampoll.shards.scripts import Call, Scripts
from streampoll.shards.topology import Command, Topology

MOST: Final = 100_000  # records in one shard
KEPT_S: Final = 30 * 86_400
_AT_ONCE: Final = 500  # records written by one call, and about what one page of a read has

Changes = Mapping[int, Mapping[str, DeviceRecord | None]]
"""By shard and device: the record to keep, or None to forget it."""


class DeviceRecords:
    """The records of a deployment on Redis."""

    def __init__(self, topology: Topology, keys: Keys, now: Callable[[], float]) -> None:
        self._topology = topology
        self._scripts = Scripts(topology)
        self._keys = keys
        self._now = now

    async def read(self, shard: int) -> AsyncIterator[dict[str, DeviceRecord]]:
        """Yield a shard's records, a page at a time. One that changes meanwhile may come as it was or as it is."""
        key, cursor = self._keys.shard(shard).device, b"0"
        while True:
            cursor, flat = await self._run(key, "HSCAN", key, cursor, "COUNT", _AT_ONCE)
            yield self._page(flat)
            if cursor in (b"0", 0):
                return

    async def find(self, shard: int, device: str) -> DeviceRecord | None:
        """Return a device's record; None if it is as it should be."""
        key = self._keys.shard(shard).device
        packed = await self._run(key, "HGET", key, device)
        return self._page([device.encode(), packed]).get(device) if packed else None

    async def write(self, changes: Changes) -> int:
        """Keep and forget records, all shards in one round trip; return how many there was no room for."""
        calls: list[Call] = []
        for shard, records in changes.items():
            flat = [(device, encode_record(record) if record else b"") for device, record in records.items()]
            key = self._keys.shard(shard).device
            for first in range(0, len(flat), _AT_ONCE):
                words = [word for pair in flat[first : first + _AT_ONCE] for word in pair]
                calls.append(("remember", [key], [MOST, *words]))
        return sum(raise_errors(await self._scripts.run(calls)))

    async def _run(self, key: str, *words: Any) -> Any:
        return raise_errors(await self._topology.run([Command(key, words)]))[0]

    def _page(self, flat: list[bytes]) -> dict[str, DeviceRecord]:
        """Read names and records; one that can't be read, or is too old, is left out."""
        page: dict[str, DeviceRecord] = {}
        for name, packed in zip(flat[0::2], flat[1::2], strict=True):
            try:
                record = decode_record(packed)
            except EntryError:
                continue
            if self._now() - record.at < KEPT_S:
                page[name.decode(errors="replace")] = record
        return page
