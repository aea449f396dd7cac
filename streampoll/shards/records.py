"""Looks at all records of one space of the shards' state: for people, not for the way of the data."""

from collections.abc import Sequence

from streampoll.shards.connection import raise_errors
from streampoll.shards.keys import Keys
from streampoll.shards.topology import Command, Topology


class Records:
    """Reads whole spaces."""

    def __init__(self, topology: Topology, keys: Keys) -> None:
        self._topology = topology
        self._keys = keys

    async def every(self, space: str, shards: Sequence[int]) -> dict[int, dict[str, bytes]]:
        """Return all records of a space by shard and name."""
        keys = [self._keys.shard(shard).state(space) for shard in shards]
        replies = raise_errors(await self._topology.run([Command(key, ("HGETALL", key)) for key in keys]))
        return {shard: _by_name(flat) for shard, flat in zip(shards, replies, strict=True)}


def _by_name(flat: Sequence[bytes]) -> dict[str, bytes]:
    return {name.decode(): record for name, record in zip(flat[0::2], flat[1::2], strict=True)}
