"""What comes of entries that are finished, in memory: the second half of the model of finish.lua."""

from collections import Counter
from collections.abc import Iterable

from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, Log
from streampoll.shards.memory_server import Field, MemoryShard
from streampoll.shards.port import Settled
from streampoll.shards.rows import JOINED, Joiner, rows_in


def emit(
    shard: MemoryShard, done: Iterable[Settled], changes: Counter[Field], now_ms: int, joiner: Joiner
) -> Counter[QueueClass]:
    """Add what entries emit, in order, and note it in `changes`; return the rows of classes beyond one an entry."""
    serial = 0
    more_rows: Counter[QueueClass] = Counter()

    def add(to: QueueClass, entry: Entry) -> None:
        shard.add(to, entry)
        changes[to, entry.job, entry.slot] += 1
        more_rows[to] += rows_in(entry) - 1

    def add_joined(to: QueueClass) -> None:
        for entry in joiner.give(to):
            add(to, entry)

    for item in done:
        for to, entry in item.emits:
            if isinstance(to, Log):
                shard.keep(entry)
            elif not joiner.takes(to, entry):
                if to in JOINED:
                    add_joined(to)
                add(to, entry)
        for later in item.later:
            serial += 1
            if later.queue in JOINED:
                add_joined(later.queue)
            if shard.add_later(later, b"%s:%06d" % (item.id, serial), now_ms):
                changes[later.queue, later.entry.job, later.entry.slot] += 1
    for to in JOINED:
        add_joined(to)
    return more_rows
