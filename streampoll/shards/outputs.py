"""Results for outputs besides PostgreSQL: one bounded stream a shard, and in it one position for each output.

Unlike work, what stands here is nobody's to finish: every output reads all of it at its own pace, and moves its
position on once it has delivered. What all have is deleted. Where an output falls so far behind that the stream is
full, the oldest go: an output must not hold polling back. Results are numbered, so what one missed is counted exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streampoll.errors import EntryError
from streampoll.shards.connection import raise_errors
from streampoll.shards.entries import Entry, decode_fields
from streampoll.shards.keys import Keys
from streampoll.shards.scripts import Scripts
from streampoll.shards.topology import Topology


@dataclass(slots=True)
class Kept:
    """A result in the stream."""

    id: bytes
    number: int  # of the results added in this shard; 0: an entry that can't be read
    entry: Entry | None

    @property
    def added(self) -> float:
        """When it was added, wall-clock seconds of Redis."""
        return int(self.id.partition(b"-")[0]) / 1000


@dataclass(frozen=True, slots=True)
class Followed:
    """What follows an output's position in one shard."""

    shard: int
    position: bytes  # b"": it has none yet
    kept: Sequence[Kept] = ()
    added: int = 0  # number of the last result added in the shard

    @property
    def waiting(self) -> int:
        """How many results are there that the output has not had."""
        return max(0, self.added - self.kept[0].number + 1) if self.kept else 0

    @property
    def missed(self) -> int:
        """How many results went by before this output read them."""
        if not self.position or not self.kept or not self.kept[0].number:
            return 0
        return max(0, self.kept[0].number - int(self.position.rpartition(b" ")[2]) - 1)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and for how long what it reads is left alone by others: until it is delivered, at the longest so."""

    id: str = ""  # "": only looks, takes nothing
    lease_s: float = 0.0


LOOK = Reader()


class OutputStreams(Protocol):
    """What an output does with its streams."""

    async def follow(self, output: str, shards: Sequence[int], count: int, reader: Reader = LOOK) -> list[Followed]:
        """Read up to `count` results of each shard that the output has not had, and that no other reader is at."""

    async def deliver(self, output: str, followed: Sequence[Followed], outputs: Sequence[str]) -> None:
        """Note that an output has all that was followed; `outputs` are all that there are."""


class RedisOutputStreams:
    """`OutputStreams` on Redis."""

    def __init__(self, topology: Topology, keys: Keys) -> None:
        self._scripts = Scripts(topology)
        self._keys = keys

    async def follow(self, output: str, shards: Sequence[int], count: int, reader: Reader = LOOK) -> list[Followed]:
        """Read up to `count` results of each shard that the output has not had, and that no other reader is at."""
        arguments = [output, count, reader.id, int(reader.lease_s * 1000)]
        replies = raise_errors(await self._scripts.run([("follow", self._of(shard), arguments) for shard in shards]))
        return [
            Followed(shard, position, [kept_of(entry_id, fields) for entry_id, fields in entries], int(added or 0))
            for shard, (position, entries, added) in zip(shards, replies, strict=True)
        ]

    async def deliver(self, output: str, followed: Sequence[Followed], outputs: Sequence[str]) -> None:
        """Note that an output has all that was followed; `outputs` are all that there are."""
        calls = [
            ("deliver", self._of(each.shard), [output, each.position, last.id, last.number, *outputs])
            for each in followed
            for last in each.kept[-1:]
        ]
        raise_errors(await self._scripts.run(calls) if calls else [])

    def _of(self, shard: int) -> list[str]:
        keys = self._keys.shard(shard)
        return [keys.outputs, keys.positions]


def kept_of(entry_id: bytes, fields: Sequence[bytes]) -> Kept:
    """Read a result from its fields."""
    named: Mapping[bytes, bytes] = dict(zip(fields[0::2], fields[1::2], strict=False))
    number = named.get(b"n", b"0")
    try:
        return Kept(entry_id, int(number) if number.isdigit() else 0, decode_fields(fields))
    except EntryError:
        return Kept(entry_id, int(number) if number.isdigit() else 0, None)
