"""Finality: a slot is judged once nothing of it is left to be polled or stored, in any shard."""

from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, Kind
from streampoll.shards.finality import unfinished
from streampoll.shards.memory import MemoryStreams
from streampoll.shards.memory_server import MemoryServer


async def test_polls_and_rows_of_all_shards_count_and_other_classes_do_not() -> None:
    streams = MemoryStreams(MemoryServer(now_ms=lambda: 1_000_000))
    for queue, shard, slot in (
        (QueueClass.POLLING, 0, 60), (QueueClass.POLLING, 1, 60), (QueueClass.RESULTS, 1, 60),
        (QueueClass.RESULTS, 1, 120), (QueueClass.ANALYSIS, 0, 180),
    ):  # fmt: skip
        await streams.add(queue, shard, [Entry(Kind.POLL, "j:with:colons", slot, 0, b"")])

    assert await unfinished(streams, 2) == {("j:with:colons", 60): 3, ("j:with:colons", 120): 1}
