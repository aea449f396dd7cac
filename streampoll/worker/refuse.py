"""The handler of a class that nothing serves yet: every entry goes to the dead letters, with that reason."""

from collections.abc import Sequence

from streampoll.model import QueueClass, Status
from streampoll.shards.entries import Delivered
from streampoll.worker.port import Bury, Disposition


class RefuseHandler:
    """Buries what it is given, so that nothing waits for ever unseen."""

    def __init__(self, queue: QueueClass) -> None:
        self._cause = f"this release of streampoll serves no entries of class {queue}"

    async def ready(self) -> None:
        """It needs nothing."""

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        """Bury each entry with the reason."""
        return [Bury(self._cause)] * len(batch)

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """Bury it."""
        return Bury(cause)

    async def close(self) -> None:
        """Nothing to close."""
