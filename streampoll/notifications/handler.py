"""The handler of class notifications: events to routes, alerts to groups, groups to messages, messages to channels.

    event    in the device's shard    which routes take it? an alert for each, to the group's shard
    alert    in the group's shard     joins the group; sets its flush
    flush    in the group's shard     the group's time has come: a message for each channel, and the next flush
    message  in any shard             to the channel's shard; there it waits for the channel's pace
    send     in the channel's shard   sent, and then acknowledged; or tried again later

What goes on in the same shard is one script call. What goes to another is added there first, under a key, and
acknowledged after: a process that dies in between adds it again, and the key keeps it from being there twice.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from streampoll.errors import EntryError, UnavailableError
from streampoll.model import Change, QueueClass, Status
from streampoll.notifications.alert import Alert, alert_key, decode_alert, decode_flush, encode_alert
from streampoll.notifications.delivery import Delivery
from streampoll.notifications.group import group_name
from streampoll.notifications.grouping import Grouping
from streampoll.notifications.message import decode_message
from streampoll.notifications.ports import NotifyPorts
from streampoll.notifications.routes import find
from streampoll.notifications.senders import Senders
from streampoll.shards.entries import Delivered, Entry, Kind, decode_event
from streampoll.shards.ring import shard_of
from streampoll.tally import Counted
from streampoll.worker.port import Bury, Disposition, Finish, Release
from streampoll.worker.unknown import not_known

log = logging.getLogger(__name__)

_Serve = Callable[[int, Entry], Awaitable[Disposition]]


class NotificationHandler:
    """Tells people of events."""

    def __init__(self, ports: NotifyPorts) -> None:
        self._ports = ports
        self._senders = Senders()
        self._grouping = Grouping(ports)
        self._delivery = Delivery(ports, self._senders)
        self._serves: Mapping[str, _Serve] = {
            Kind.EVENT: self._route,
            Kind.ALERT: lambda shard, entry: self._grouping.join(shard, decode_alert(entry)),
            Kind.FLUSH: lambda shard, entry: self._grouping.flush(shard, decode_flush(entry)),
            Kind.MESSAGE: lambda shard, entry: self._delivery.admit(shard, decode_message(entry)),
            Kind.SEND: lambda _, entry: self._delivery.send(decode_message(entry)),
        }

    def counted(self) -> Counted:
        """Return what was sent."""
        return self._delivery.counted()

    async def ready(self) -> None:
        """Nothing is needed but Redis and the network."""

    async def close(self) -> None:
        """Close the channels."""
        await self._senders.close()

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Disposition]:
        """Serve each entry of the batch."""
        return [await self._serve(delivered) for delivered in batch]

    async def _serve(self, delivered: Delivered) -> Disposition:
        entry = delivered.entry
        serve = self._serves.get(entry.kind) if entry else None
        if entry is None or serve is None:
            return not_known(delivered)
        try:
            return await serve(delivered.shard, entry)
        except EntryError as error:
            return not_known(delivered, str(error))
        except UnavailableError as error:
            log.debug("notifications: %s", error)
            return Release("Redis is away")

    async def _route(self, _: int, entry: Entry) -> Disposition:
        """Bring an event to the groups that it belongs to."""
        event = decode_event(entry)
        if event.suppressed and event.change in (Change.OPENED, Change.UPDATED):
            return Finish()
        for taken in find(event, self._ports.known().routes, self._ports.now()):
            alert = Alert(taken, event)
            shard = shard_of(group_name(taken.route, taken.group), self._ports.shards)
            await self._ports.streams.add(
                QueueClass.NOTIFICATIONS, shard, [encode_alert(alert)], unique=[alert_key(alert)]
            )
        return Finish()

    def fail(self, delivered: Delivered, status: Status, cause: str) -> Disposition:
        """End an attempt that did not run to its end: a message is tried again, all else is buried with the cause."""
        entry = delivered.entry
        if entry is None or entry.kind != Kind.SEND:
            return Bury(cause)
        try:
            return self._delivery.give_up(decode_message(entry), cause)
        except EntryError:
            return Bury(cause)
