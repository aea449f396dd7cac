"""What other parts have told: that somebody acknowledged an event, or a text of their own."""

from dataclasses import replace

from streampoll.model import Change, Event, QueueClass
from streampoll.notifications.message import Message, encode_message
from streampoll.notifications.policy import Reason
from streampoll.notifications.ports import GroupStreams
from streampoll.shards.entries import Entry, encode_event


async def announce_acknowledged(streams: GroupStreams, shard: int, event: Event, at: float) -> None:
    """Have no more reminders and escalations of an event, in its device's shard; PostgreSQL knows of it already."""
    entry = encode_event(replace(event, change=Change.ACKNOWLEDGED, at=int(at)))
    await streams.add(QueueClass.NOTIFICATIONS, shard, [entry])


def notice(channel: str, title: str, text: str, key: str, now: float) -> Entry:
    """Return the entry (class notifications, any shard) that sends a text through a channel.

    Of two with the same `key` receivers that look at it take one.
    """
    return encode_message(Message(channel, key, Reason.NOTICE, now, title=title, text=text))
