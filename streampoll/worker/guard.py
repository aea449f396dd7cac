"""What stands between the loop and a handler's bugs: each costs the entry that meets it, and no other.

A handler answers a batch at once. Where it raises instead, the batch is served again by halves until the entry is
found; serving an entry again is what at-least-once delivery has prepared it for.
"""

import logging
from collections.abc import Sequence

from streampoll.logs import about
from streampoll.model import QueueClass, Status
from streampoll.shards.entries import Delivered
from streampoll.worker.attempt import Counts
from streampoll.worker.port import Conclusion, Disposition, Draft, Handler

log = logging.getLogger(__name__)


class Guard:
    """Guards the loop of one queue class against its handler."""

    def __init__(self, queue: QueueClass, handler: Handler, counts: Counts) -> None:
        self._queue = queue
        self._handler = handler
        self._counts = counts

    def answered(self, batch: Sequence[Delivered], answers: Sequence[Conclusion]) -> Sequence[Conclusion]:
        """Return what a handler answered, if it is an answer for each entry."""
        if len(answers) == len(batch):
            return answers
        return self.fail(batch, f"the handler answered {len(answers)} of {len(batch)} entries")

    def made(self, delivered: Delivered, draft: Draft) -> Disposition:
        """Make a disposition of its draft."""
        try:
            return draft()
        except Exception as error:  # noqa: BLE001 - as anywhere in a handler
            return self._bug(delivered, error)

    def fail(self, batch: Sequence[Delivered], cause: str) -> Sequence[Disposition]:
        """Say what becomes of entries whose attempt did not run to its end."""
        self._counts.failed += len(batch)
        return [self._handler.fail(delivered, Status.ERROR, cause) for delivered in batch]

    async def find_bug(self, batch: Sequence[Delivered], error: Exception) -> Sequence[Conclusion]:
        """Find the entry that meets a bug in the handler, by halves; it keeps none of the others waiting."""
        if len(batch) == 1:
            return [self._bug(batch[0], error)]
        half = len(batch) // 2
        return [*await self._handle_part(batch[:half]), *await self._handle_part(batch[half:])]

    async def _handle_part(self, batch: Sequence[Delivered]) -> Sequence[Conclusion]:
        try:
            return self.answered(batch, await self._handler.handle(batch))
        except Exception as error:  # noqa: BLE001 - it is found again, in a smaller part
            return await self.find_bug(batch, error)

    def _bug(self, delivered: Delivered, error: Exception) -> Disposition:
        log.error("%s: a bug in the handler", self._queue, exc_info=error, extra=about_entry(delivered))
        return self.fail([delivered], f"{type(error).__name__}: {error}")[0]


def about_entry(delivered: Delivered) -> dict[str, str | int]:
    """Return what a log line says of an entry besides its text; the device is the handler's to know."""
    entry = delivered.entry
    return about(entry.job, slot=entry.slot, shard=delivered.shard) if entry else about(shard=delivered.shard)
