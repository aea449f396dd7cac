"""What a notify step tells people, as an event of its own on the way to the channels."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from streampoll.model import Change, Device, Event, QueueClass, Severity, labels_of
from streampoll.shards.entries import encode_event
from streampoll.shards.ring import hash64
from streampoll.worker.port import Emit
from streampoll.workflows.port import Turn
from streampoll.workflows.reference import Unfilled

_LONGEST: Final = 4_000
_KNOWN_AFTER_S: Final = 5.0  # it has joined its groups by then


def alert(turn: Turn, device: Device, words: Mapping[str, Any], now: int) -> list[Emit]:
    """Return the entries that tell people, once: nothing will ever close it, so nobody is to be reminded of it.

    Raises:
        Unfilled: there is no such severity.
    """
    try:
        severity = Severity[str(words.get("severity", "warning")).upper()]
    except KeyError:
        raise Unfilled(f"severity {words['severity']!r} is none of info, warning, error, critical") from None
    labels = {**labels_of(device), "workflow": turn.workflow.name, "run": turn.run}
    labels |= {str(name): str(value) for name, value in words.get("labels", {}).items()}
    rule = f"workflow.{turn.workflow.name}.{turn.step.name}"
    row = "" if turn.element < 0 else str(turn.element)
    event_id = hash64(rule, device.name, row, turn.run)
    text = str(words["text"])[:_LONGEST]
    event = Event(event_id, rule, device.name, row, severity, labels, now, now, Change.OPENED, None, text)
    known = replace(event, change=Change.ACKNOWLEDGED)
    return [
        Emit(QueueClass.NOTIFICATIONS, encode_event(event)),
        Emit(QueueClass.NOTIFICATIONS, encode_event(known), _KNOWN_AFTER_S),
    ]
