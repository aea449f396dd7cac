"""The channels of a process: made when they are first used, made anew when their address or templates change."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Protocol

from streampoll.errors import ConfigError
from streampoll.http.trust import Contexts
from streampoll.notifications.channel import AppriseTarget, Channel, Style
from streampoll.notifications.compose import Text, clean, compose, facts
from streampoll.notifications.message import Message
from streampoll.notifications.policy import Reason
from streampoll.notifications.port import NotSent, Sender

log = logging.getLogger(__name__)


class Channels(Protocol):
    """The channels of notifications.toml."""

    async def fetch(self, name: str) -> Channel:
        """Return a channel, its secrets read. Raises KeyError or ConfigError."""

    def __contains__(self, name: object) -> bool:
        """Tell whether there is one of that name."""


@dataclass(slots=True)
class _Made:
    channel: Channel
    sender: Sender
    broken: set[str] = field(default_factory=set)  # templates of which it was said that they fail


class Senders:
    """Sends messages through channels by name."""

    def __init__(self) -> None:
        self._made: dict[str, _Made] = {}
        self._contexts = Contexts()

    async def send(self, channels: Channels, message: Message, style: Style) -> str:
        """Send a message. Raises NotSent: its channel did not take it, or is not there, or nobody knows."""
        made = await self._of(channels, message.channel)
        if made.channel.subject or made.channel.body:
            text = await asyncio.to_thread(_text, made, message, style)  # a template may take a second
        else:
            text = compose(message, style)
        return await made.sender.send(message, text, style)

    async def close(self) -> None:
        """Close all of them."""
        for made in self._made.values():
            await made.sender.close()
        self._made.clear()

    async def _of(self, channels: Channels, name: str) -> _Made:
        if name not in channels:
            raise NotSent("notifications.toml has no such channel")
        try:
            channel = await channels.fetch(name)
        except ConfigError as error:
            raise NotSent("; ".join(fault.what for fault in error.faults)) from None
        made = self._made.get(name)
        if made is None or made.channel is not channel:
            if made is not None:
                await made.sender.close()
            made = self._made[name] = _Made(channel, self._sender(channel))
        return made

    def _sender(self, channel: Channel) -> Sender:
        """Make what sends to a channel; its library is imported now."""
        if isinstance(channel.target, AppriseTarget):
            from streampoll.notifications.apprise_sender import AppriseSender

            return AppriseSender(channel.target, channel.timeout_s)
        from streampoll.notifications.webhook import Webhook

        return Webhook(channel.target, channel.timeout_s, self._contexts)


def _text(made: _Made, message: Message, style: Style) -> Text:
    """Return what a channel is to show: its templates' text, or where there is none or it fails, the built-in one."""
    channel, plain = made.channel, compose(message, style)
    if message.reason is Reason.NOTICE:
        return plain
    subject = _rendered(made, "subject", channel.subject, message, style)
    body = _rendered(made, "body", channel.body, message, style)
    return Text(clean(subject) if subject else plain.title, body or plain.body)


def _rendered(made: _Made, what: str, source: str, message: Message, style: Style) -> str:
    """Return what a template makes; "" if there is none or it fails, which is said once."""
    if not source:
        return ""
    from streampoll.notifications.template import Template, TemplateFails

    try:
        return Template(source).render(facts(message, style))
    except TemplateFails as error:
        if what not in made.broken:
            made.broken.add(what)
            log.error("channel %s: its %s fails, the built-in text is sent: %s", made.channel.name, what, error)
        return ""
