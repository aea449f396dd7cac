"""Which polls are not final: still to be polled, or with a row still to be stored."""

from collections import Counter
from collections.abc import Mapping

from streampoll.model import QueueClass
from streampoll.shards.port import DispatchStreams

JUDGED = (QueueClass.POLLING, QueueClass.RESULTS)


async def unfinished(streams: DispatchStreams, shards: int) -> Mapping[tuple[str, int], int]:
    """Return (job, slot) -> entries of it that are unfinished, over all shards. A slot that isn't there is final."""
    left: Counter[tuple[str, int]] = Counter()
    for shard in await streams.figures(range(shards)):
        for (queue, job, slot), count in shard.open.items():
            if queue in JUDGED:
                left[job, slot] += count
    return left
