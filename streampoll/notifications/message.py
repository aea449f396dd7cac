"""A message on its way to one channel, as it travels in entries: what happened, in numbers and names; no text yet.

Its key is the same however often it is sent, so a receiver that keeps keys takes it once. Text is made when it is sent,
by the templates of that time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import msgpack

from streampoll.errors import EntryError
from streampoll.model import Event, Severity
from streampoll.notifications.group import Group, Member, pack_events, unpack_events
from streampoll.notifications.policy import Reason, Telling
from streampoll.shards.entries import Entry, Kind
from streampoll.shards.ring import shard_of

MOST_LISTED = 50
"""Events that a message carries; of more it has the number."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An event as a message has it."""

    event: Event
    news: bool
    acknowledged: bool

    @property
    def state(self) -> str:
        """One of closed, acknowledged, open."""
        return "closed" if self.event.change == "closed" else "acknowledged" if self.acknowledged else "open"


@dataclass(frozen=True, slots=True)
class Message:
    """What one channel is to be told."""

    channel: str
    key: str  # for the receiver to know it again
    reason: Reason
    created: float  # seconds since the epoch
    route: str = ""  # "": none led to it
    group: str = ""  # what people call the group
    listed: tuple[Listed, ...] = ()
    opened: int = 0  # news: open
    closed: int = 0  # news: over
    standing: int = 0  # open in all
    title: str = ""  # of a notice; "": made of the events
    text: str = ""
    attempt: int = 0  # failed so far
    since: int = 0  # when it was put back to work out of the dead letters: it has all its time again; 0: never

    @property
    def severity(self) -> Severity:
        """The worst of what is open; of a message with nothing open, the worst of all."""
        open_ones = [each.event.severity for each in self.listed if each.state != "closed"]
        return max(open_ones or [each.event.severity for each in self.listed], default=Severity.INFO)

    @property
    def unlisted(self) -> int:
        """Events beyond those listed."""
        return max(0, self.standing + self.closed - len(self.listed))


def messages(group: Group, telling: Telling, now: float) -> list[Message]:
    """Return one message a channel."""
    return [_message(channel, group, telling, now) for channel in telling.channels]


def _message(channel: str, group: Group, telling: Telling, now: float) -> Message:
    members = telling.members
    return Message(
        channel,
        message_key(group.route, *group.key, str(group.serial), channel),
        telling.reason,
        now,
        group.route,
        group.name,
        tuple(_listed(member) for member in members[:MOST_LISTED]),
        sum(member.is_news and not member.closed for member in members),
        sum(member.closed for member in members),
        sum(not member.closed for member in members) + telling.more,
    )


def _listed(member: Member) -> Listed:
    return Listed(member.event, member.is_news, member.acknowledged)


def message_key(*parts: str) -> str:
    """Return the key of what the parts name."""
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def home_shard(channel: str, count: int) -> int:
    """Return the shard that a channel's messages go through, so that its pace is kept in one place."""
    return shard_of(f"channel:{channel}", count)


def encode_message(message: Message, kind: str = Kind.MESSAGE) -> Entry:
    """Make a message's entry."""
    events = pack_events([each.event for each in message.listed])
    marks = [(each.news, each.acknowledged) for each in message.listed]
    body = msgpack.packb((
        message.channel, message.key, message.reason.value, message.created, message.route, message.group, events,
        marks, (message.opened, message.closed, message.standing), message.title, message.text, message.attempt,
    ))  # fmt: skip
    return Entry(kind, message.route, message.since or int(message.created), 0, body)


def decode_message(entry: Entry) -> Message:
    """Read back what `encode_message` made.

    Raises:
        EntryError: it is none.
    """
    try:
        fields: Sequence[Any] = msgpack.unpackb(entry.body)
        channel, key, reason, created, route, group, events, marks, counts, title, text, attempt, *_ = fields
        listed = [Listed(event, *mark) for event, mark in zip(unpack_events(events), marks, strict=True)]
        opened, closed, standing = counts
        since = entry.slot if entry.slot > int(created) else 0
        return Message(
            channel, key, Reason(reason), created, route, group, tuple(listed), opened, closed, standing, title, text,
            attempt, since,
        )  # fmt: skip
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"not a message: {error}") from None


def once_more(message: Message) -> Message:
    """Return a message after one more failed attempt: its key stays."""
    return replace(message, attempt=message.attempt + 1)
