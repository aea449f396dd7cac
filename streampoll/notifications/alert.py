"""Alerts (an event on its way to a group) and flushes (a group's time has come), as bytes in entries."""

from dataclasses import dataclass

import msgpack

from streampoll.errors import EntryError
from streampoll.model import Event
from streampoll.notifications.group import pack_events, unpack_events
from streampoll.notifications.message import message_key
from streampoll.notifications.routes import Taken
from streampoll.shards.entries import Entry, Kind


@dataclass(frozen=True, slots=True)
class Alert:
    """An event for one group."""

    taken: Taken
    event: Event


@dataclass(frozen=True, slots=True)
class Flush:
    """A group that is to be looked at."""

    route: str
    group: tuple[str, ...]
    serial: int


def encode_alert(alert: Alert) -> Entry:
    """Make an alert's entry."""
    taken, event = alert.taken, alert.event
    body = msgpack.packb((taken.route, taken.group, taken.joins, pack_events([event])[0]))
    return Entry(Kind.ALERT, taken.route, event.at, 0, body)


def decode_alert(entry: Entry) -> Alert:
    """Read back what `encode_alert` made. Raises EntryError: it is none."""
    try:
        route, group, joins, packed, *_ = msgpack.unpackb(entry.body)
        return Alert(Taken(route, tuple(group), joins), unpack_events([packed])[0])
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"not an alert: {error}") from None


def alert_key(alert: Alert) -> str:
    """Return what an alert is known by, so that one that is added again is not added twice."""
    event, taken = alert.event, alert.taken
    return message_key(str(event.id), event.change, str(event.at), taken.route)


def encode_flush(flush: Flush, slot: int) -> Entry:
    """Make a flush's entry."""
    return Entry(Kind.FLUSH, flush.route, slot, 0, msgpack.packb((flush.route, flush.group, flush.serial)))


def decode_flush(entry: Entry) -> Flush:
    """Read back what `encode_flush` made. Raises EntryError: it is none."""
    try:
        route, group, serial, *_ = msgpack.unpackb(entry.body)
        return Flush(route, tuple(group), serial)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"not a flush: {error}") from None
