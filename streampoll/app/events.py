"""What operators do about events from a command line: look, acknowledge, announce maintenance."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from streampoll.app.redis_side import RedisSide, open_redis
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import UnavailableError
from streampoll.model import Change
from streampoll.notifications.announce import announce_acknowledged
from streampoll.results.event_log import EventLog, StoredEvent
from streampoll.results.migrations import migrate
from streampoll.results.postgres import Postgres


@dataclass(frozen=True, slots=True)
class EventDesk:
    """Events as they are stored, and the groups that remind people of them."""

    log: EventLog
    side: RedisSide

    async def acknowledge(self, event: StoredEvent, by: str, note: str) -> bool:
        """Note who has an event in hand, and have no more reminders of it; False if that is so already, or it is over.

        Raises:
            UnavailableError: PostgreSQL is away; or only Redis is: then it is stored, and reminders go on.
        """
        if not await self.log.acknowledge(event.id, by, note):
            return False
        found = await self.side.facts.find(event.device)
        if found is None:
            raise UnavailableError(f"event {event.id} is acknowledged; its device is not in the inventory any more")
        now = time.time()
        await announce_acknowledged(
            self.side.streams, found[0], event.as_change(Change.ACKNOWLEDGED, int(now)), now
        )  # fmt: skip
        return True


@asynccontextmanager
async def open_events(where: Path) -> AsyncIterator[EventDesk]:
    """Make what a command works with; nothing is connected before its first use."""
    settings = read_settings(where, os.environ)
    postgres = Postgres(settings.postgres, 1, prepare=migrate)
    async with open_redis(settings) as side:
        try:
            yield EventDesk(EventLog(postgres), side)
        finally:
            await postgres.close()
