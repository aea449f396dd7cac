"""Groups as their entries change them: an alert joins, a flush sends. Each ends in one script call, or not at all."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from streampoll.errors import EntryError
from streampoll.model import QueueClass
from streampoll.notifications.alert import Alert, Flush, encode_alert, encode_flush
from streampoll.notifications.gather import Gather, Key
from streampoll.notifications.group import Group, decode_group, encode_group, group_name, version_of
from streampoll.notifications.message import encode_message, messages
from streampoll.notifications.policy import flush, join
from streampoll.notifications.ports import SPACE, NotifyPorts
from streampoll.shards.entries import Entry
from streampoll.worker.port import Disposition, Emit, Finish, Retry, Write

log = logging.getLogger(__name__)

_ROUTE_WAIT_S: Final = 300.0  # what is for a route that nobody here knows is kept for so long
_ROUTE_AGAIN_S: Final = 30.0
_AT_ONCE: Final = 20


class Grouping:
    """Keeps groups."""

    def __init__(self, ports: NotifyPorts) -> None:
        self._ports = ports
        self._joins = Gather(self._joined, order=lambda alert: alert.event.at)

    async def join(self, shard: int, alert: Alert) -> Disposition:
        """Have an event join its group, with all others that come at the same time."""
        return await self._joins.ask((shard, group_name(alert.taken.route, alert.taken.group)), alert)

    async def _joined(self, key: Key, alerts: Sequence[Alert]) -> list[Disposition]:
        shard, name = key
        taken = alerts[0].taken
        route = self._ports.known().route(taken.route)
        if route is None:
            return [self._without_route(encode_alert(alert), alert.event.at) or Finish() for alert in alerts]
        record = await self._record(shard, name)
        group = _read(record, taken.route, taken.group)
        now = self._ports.now()
        answers: list[Disposition] = []
        for number, alert in enumerate(alerts, 1):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # a record is written whole each time: others get a turn
            after = join(group, alert.event, route, now, alert.taken.joins)
            finish, record = _finish(name, group, record, after, now)
            answers.append(finish)
            group = after or Group(taken.route, taken.group)
        return answers

    async def flush(self, shard: int, asked: Flush) -> Disposition:
        """Send what a group has to tell, and set its next flush."""
        name = group_name(asked.route, asked.group)
        record = await self._record(shard, name)
        group = _read(record, asked.route, asked.group)
        route = self._ports.known().route(asked.route)
        if not record or group.serial != asked.serial:
            return Finish()  # another one has taken its place
        if route is None:
            return self._without_route(encode_flush(asked, int(group.due)), group.due) or _forgotten(name, record)
        now = self._ports.now()
        flushed = flush(group, route, now)
        finish, _ = _finish(name, group, record, flushed.group, now)
        telling = messages(group, flushed.telling, now) if flushed.telling else []
        sent = [Emit(QueueClass.NOTIFICATIONS, encode_message(message)) for message in telling]
        return Finish((*sent, *finish.emits), finish.writes)

    def _without_route(self, entry: Entry, since: float) -> Retry | None:
        """Wait a while for a route to come: another host may have the new notifications.toml before this one."""
        return Retry(entry, _ROUTE_AGAIN_S) if self._ports.now() < since + _ROUTE_WAIT_S else None

    async def _record(self, shard: int, name: str) -> bytes:
        found = await self._ports.streams.recall(SPACE, {shard: [name]})
        return found.get(shard, {}).get(name, b"")


def _read(record: bytes, route: str, key: tuple[str, ...]) -> Group:
    """Return a record's group; a new one where there is none, or none that can be read."""
    if not record:
        return Group(route, key)
    try:
        return decode_group(record)
    except EntryError as error:
        log.error("route %s: group %s begins anew: %s", route, ", ".join(key), error)
        return Group(route, key)


def _finish(name: str, before: Group, record: bytes, after: Group | None, now: float) -> tuple[Finish, bytes]:
    """Return what writes a group as it is now and sets its next flush, and the record that is there then."""
    if after is before:
        return Finish(), record
    written = encode_group(after) if after else b""
    if written == record:
        return Finish(), record
    writes = [Write(SPACE, name, version_of(record), written)]
    if after is None or not after.due or after.serial == before.serial:
        return Finish((), writes), written
    entry = encode_flush(Flush(after.route, after.key, after.serial), int(now))
    emit = Emit(QueueClass.NOTIFICATIONS, entry, max(0.0, after.due - now))
    return Finish((emit,), writes), written


def _forgotten(name: str, record: bytes) -> Finish:
    """Forget a group whose route is gone from notifications.toml."""
    _, route, *key = name.split("\0")
    log.warning("route %s is gone; its group %s is forgotten", route, ", ".join(key))
    return Finish((), [Write(SPACE, name, version_of(record), b"")])
