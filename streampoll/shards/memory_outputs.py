"""Results for outputs in memory, on the same server as the streams."""

from collections.abc import Sequence

from streampoll.shards.memory_server import MemoryServer, MemoryShard
from streampoll.shards.memory_stream import id_of, text_of
from streampoll.shards.outputs import LOOK, Followed, Kept, Reader, kept_of


class MemoryOutputStreams:
    """`OutputStreams` in memory."""

    def __init__(self, server: MemoryServer) -> None:
        self._server = server

    async def follow(self, output: str, shards: Sequence[int], count: int, reader: Reader = LOOK) -> list[Followed]:
        """Read up to `count` results of each shard that the output has not had, and that no other reader is at."""
        found = [self._follow(output, number, self._server.shard(number), count) for number in shards]
        return [each for each in found if self._lease(output, each, reader)]

    def _follow(self, output: str, number: int, shard: MemoryShard, count: int) -> Followed:
        entries = shard.outputs.entries
        position = shard.positions.get(output, b"")
        after = id_of(position.partition(b" ")[0]) if position else (-1, 0)
        if position and entries and max(entries) < after:
            after = (-1, 0)
        kept: list[Kept] = [kept_of(text_of(each), entries[each]) for each in entries if each > after]
        return Followed(number, position, kept[:count], shard.kept)

    def _lease(self, output: str, followed: Followed, reader: Reader) -> bool:
        """Take what was followed for its reader; False if it is another's."""
        if not reader.id:
            return True
        readers, now_ms = self._server.shard(followed.shard).readers, self._server.now_ms()
        other, until_ms = readers.get(output, ("", 0))
        if other not in ("", reader.id) and until_ms > now_ms:
            return False
        if followed.kept:
            readers[output] = reader.id, now_ms + int(reader.lease_s * 1000)
        return True

    async def deliver(self, output: str, followed: Sequence[Followed], outputs: Sequence[str]) -> None:
        """Note that an output has all that was followed; `outputs` are all that there are."""
        for each in followed:
            shard = self._server.shard(each.shard)
            if not each.kept or shard.positions.get(output, b"") != each.position:
                continue
            last = each.kept[-1]
            shard.positions[output] = b"%s %d" % (last.id, last.number)
            shard.readers.pop(output, None)
            if all(name in shard.positions for name in outputs):
                least = min(id_of(shard.positions[name].partition(b" ")[0]) for name in outputs)
                for entry_id in [entry_id for entry_id in shard.outputs.entries if entry_id <= least]:
                    del shard.outputs.entries[entry_id]
