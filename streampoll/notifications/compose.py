"""The built-in text of a message, and what templates may use. Pure.

Everything a device wrote is in here as text that somebody else will show: control characters are taken out and lines
kept short, so that nobody's terminal or chat is led astray.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from streampoll.model import Event
from streampoll.notifications.channel import Style
from streampoll.notifications.message import Listed, Message
from streampoll.notifications.policy import Reason

MOST_LINES: Final = 20
_LINE: Final = 300  # characters
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
_MARKS: Final = {"open": "", "closed": "OK ", "acknowledged": "(acknowledged) "}


@dataclass(frozen=True, slots=True)
class Text:
    """What a channel is to show."""

    title: str
    body: str


def compose(message: Message, style: Style) -> Text:
    """Return the built-in text."""
    if message.reason is Reason.NOTICE:
        return Text(clean(message.title) or "streampoll", message.text)
    lines = [_line(each, style) for each in message.listed[:MOST_LINES]]
    left = message.standing + message.closed - len(lines)
    if left > 0:
        lines.append(f"… and {left} more")
    return Text(_title(message), "\n".join(lines))


def _title(message: Message) -> str:
    return clean(f"[{_head(message)}] {message.group}: {_what(message)}")


def _head(message: Message) -> str:
    if not message.standing:
        return "OK"
    marks = {Reason.REPEAT: "still ", Reason.ESCALATED: "escalated "}
    return marks.get(message.reason, "") + message.severity.name


def _what(message: Message) -> str:
    if len(message.listed) == 1 and not message.unlisted:
        event = message.listed[0].event
        return f"{event.rule}{f' {event.row}' if event.row else ''}"
    counts = [(message.opened, "new"), (message.closed, "over"), (message.standing, "open")]
    return ", ".join(f"{number} {word}" for number, word in counts if number)


def _line(listed: Listed, style: Style) -> str:
    event = listed.event
    place = f"{event.device} {event.row}".strip()
    text = f": {event.text}" if event.text else ""
    line = f"{_MARKS[listed.state]}{event.severity.name.lower()} {place}, {event.rule}{text}"
    since = f" (since {_clock(event.opened, style)})"
    address = link(event, style)
    return clean(line)[:_LINE] + since + (f" {address}" if address else "")


def link(event: Event, style: Style) -> str:
    """Return the address of an event's page; "" without one."""
    if not style.link:
        return ""
    parts = {"id": str(event.id), "device": event.device, "rule": event.rule}
    return re.sub(r"\{(id|device|rule)\}", lambda found: quote(parts[found[1]], safe=""), style.link)


def clean(text: str) -> str:
    """Return a text without control characters, on one line."""
    return _CONTROL.sub(" ", text).strip()


def facts(message: Message, style: Style) -> dict[str, Any]:
    """Return what templates may use, and what webhooks send."""
    text = compose(message, style)
    return {
        "reason": message.reason.value,
        "severity": message.severity.name.lower(),
        "route": message.route,
        "group": message.group,
        "title": text.title,
        "text": text.body,
        "sent": _clock(message.created, style),
        "opened": message.opened,
        "closed": message.closed,
        "standing": message.standing,
        "unlisted": message.unlisted,
        "events": [_facts(each, style) for each in message.listed],
    }


def _facts(listed: Listed, style: Style) -> Mapping[str, Any]:
    event = listed.event
    return {
        "id": str(event.id),  # 64 bits, which JSON's readers seldom keep
        "state": listed.state,
        "news": listed.news,
        "rule": event.rule,
        "device": event.device,
        "row": event.row,
        "severity": event.severity.name.lower(),
        "labels": dict(event.labels),
        "opened": _clock(event.opened, style),
        "at": _clock(event.at, style),
        "value": event.value,
        "text": clean(event.text),
        "link": link(event, style),
    }


def _clock(at: float, style: Style) -> str:
    return datetime.fromtimestamp(at, style.zone).isoformat(timespec="seconds")
