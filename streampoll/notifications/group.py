"""A group: the events of one route that are told together, as its shard remembers it.

The record is msgpack behind eight bytes that are its version, a hash of the rest: it is written only if the version
that was read is still there, so of two that read the same one writes, and the other reads again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import msgpack

from streampoll.errors import EntryError
from streampoll.model import Change, Event, Severity

VERSION_BYTES: Final = 8
_LAYOUT: Final = 1


@dataclass(frozen=True, slots=True)
class Member:
    """An event in a group."""

    event: Event  # as it was last told to us
    told: int = -1  # severity that people were told of; -1: not yet
    acknowledged: bool = False

    @property
    def closed(self) -> bool:
        """True once it is over."""
        return self.event.change is Change.CLOSED

    @property
    def is_news(self) -> bool:
        """True while people do not know of it, or not how bad it is, or not that it is over."""
        return self.closed or self.event.severity > self.told

    @property
    def presses(self) -> bool:
        """True while somebody is to be reminded of it."""
        return not self.closed and not self.acknowledged and not self.once

    @property
    def once(self) -> bool:
        """True if it is what a run of a workflow tells: nothing will close it, and nobody is to acknowledge it."""
        return "workflow" in self.event.labels and "run" in self.event.labels


@dataclass(frozen=True, slots=True)
class Group:
    """All of one group."""

    route: str
    key: tuple[str, ...]  # the values of what the route groups by
    members: Mapping[int, Member] = field(default_factory=dict)  # by the event's id
    more: int = 0  # events open beyond those kept
    news_at: float = 0.0  # when what is news now began to be; 0.0: nothing is
    told_at: float = 0.0  # when the last message was sent off; 0.0: none was
    began_at: float = 0.0  # when the first message was sent off: escalation counts from here
    step: int = 0  # steps of the escalation that were taken
    due: float = 0.0  # when the pending flush is; 0.0: none is pending
    serial: int = 0  # of the pending flush: an older one does nothing; grows for ever

    @property
    def name(self) -> str:
        """What people call it."""
        return ", ".join(filter(None, self.key)) or self.route


def group_name(route: str, key: Sequence[str]) -> str:
    """Return the name of a group's record."""
    return "\0".join(("g", route, *key))


def is_group(name: str) -> bool:
    """Tell whether a record's name is that of a group."""
    return name.startswith("g\0")


def encode_group(group: Group) -> bytes:
    """Pack a record, its version in front."""
    members = [[_packed(each.event), each.told, each.acknowledged] for each in group.members.values()]
    body: bytes = msgpack.packb((
        _LAYOUT, group.route, group.key, members, group.more, group.news_at, group.told_at, group.began_at, group.step,
        group.due, group.serial,
    ))  # fmt: skip
    return blake2b(body, digest_size=VERSION_BYTES).digest() + body


def decode_group(record: bytes) -> Group:
    """Unpack a record.

    Raises:
        EntryError: it is not one, or one of another release.
    """
    try:
        layout, route, key, members, *rest = msgpack.unpackb(record[VERSION_BYTES:])
        if layout != _LAYOUT:
            raise EntryError(f"a group's record has layout {layout!r}, not {_LAYOUT}")
        kept = [Member(_event(fields), told, acknowledged) for fields, told, acknowledged in members]
        return Group(route, tuple(key), {member.event.id: member for member in kept}, *rest[:7])
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"not a group's record: {error}") from None


def version_of(record: bytes) -> bytes:
    """Return a record's version; b"" of none."""
    return record[:VERSION_BYTES]


def pack_events(events: Sequence[Event]) -> list[list[Any]]:
    """Return events as msgpack takes them."""
    return [_packed(event) for event in events]


def unpack_events(packed: Sequence[Sequence[Any]]) -> list[Event]:
    """Return the events that `pack_events` packed."""
    return [_event(fields) for fields in packed]


def _packed(event: Event) -> list[Any]:
    return [
        event.id, event.rule, event.device, event.row, int(event.severity), dict(event.labels), event.opened, event.at,
        event.change.value, event.value, event.text, event.run, event.suppressed,
    ]  # fmt: skip


def _event(fields: Sequence[Any]) -> Event:
    number, rule, device, row, severity, labels, opened, at, change, value, text, run, suppressed, *_ = fields
    return Event(
        number, rule, device, row, Severity(severity), labels, opened, at, Change(change), value, text, run, suppressed
    )
