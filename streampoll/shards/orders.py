"""Entries of class workflows as bytes, both ways: start a run, do a step of one, look at one.

Bodies are msgpack arrays that begin with what is asked. Names only; the state of a run is in PostgreSQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgpack

from streampoll.errors import EntryError
from streampoll.model import Event
from streampoll.shards.entries import Entry, Kind, decode_event

WHOLE = -1
"""The number of a step itself, beside the elements of its fan-out from 0."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start a run, unless one of this id has been started."""

    run: str
    workflow: str
    cause: str  # schedule, event, api, cli
    devices: Sequence[str] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)  # that started it


@dataclass(frozen=True, slots=True)
class Work:
    """Do a step, or an element of one, if it is its turn."""

    run: str
    workflow: str
    step: str
    element: int = WHOLE
    attempt: int = 1
    held: str = ""  # the entry that began it, where this one goes on in its place
    begun: bool = True  # False: that one did not get as far as doing anything
    crashed: str = ""  # why it is not to be done, but booked as failed


@dataclass(frozen=True, slots=True)
class Look:
    """Look whether a run's time is over, or anything of it was lost on the way."""

    run: str
    workflow: str


Order = Start | Work | Look


def run_id(*parts: str) -> str:
    """Return the id of the run that these parts start, the same each time: 16 hexadecimal digits."""
    return blake2b("\0".join(parts).encode(errors="replace"), digest_size=8).hexdigest()


def start_of(event: Event) -> Start:
    """Return the start of the run that an event asks for: one for each time it opens."""
    said = {
        "id": f"{event.id:016x}", "rule": event.rule, "row": event.row, "severity": event.severity.name.lower(),
        "device": event.device, "labels": dict(event.labels), "opened": event.opened, "at": event.at,
        "change": event.change.value, "value": event.value, "text": event.text,
    }  # fmt: skip
    run = run_id(event.run, "event", f"{event.id:016x}")
    return Start(run, event.run, "event", (event.device,) if event.device else (), {}, said)


def encode_order(order: Order, slot: int) -> Entry:
    """Make the entry of an order; `slot` is the time it was given, seconds since the epoch."""
    match order:
        case Start(run, workflow, cause, devices, inputs, event):
            body: Any = ("start", run, workflow, cause, list(devices), dict(inputs), dict(event))
        case Work(run, workflow, step, element, attempt, held, begun, crashed):
            body = ("work", run, workflow, step, element, attempt, held, begun, crashed)
        case Look(run, workflow):
            body = ("look", run, workflow)
    return Entry(Kind.RUN, order.workflow, slot, 0, msgpack.packb(body))


def decode_order(entry: Entry) -> Order:
    """Read back what `encode_order` made; an event that asks for a run starts one.

    Raises:
        EntryError: it is none of these.
    """
    if entry.kind == Kind.EVENT:
        asking = decode_event(entry)
        if not asking.run:
            raise EntryError("an event that names no workflow")
        return start_of(asking)
    try:
        fields = msgpack.unpackb(entry.body)
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"a run's body is not msgpack: {error}") from None
    match fields:
        case ["start", str(run), str(workflow), str(cause), list(devices), dict(inputs), dict(event), *_]:
            return Start(run, workflow, cause, tuple(map(str, devices)), inputs, event)
        case [
            "work",
            str(run),
            str(workflow),
            str(step),
            int(element),
            int(attempt),
            str(held),
            begun,
            str(crashed),
            *_,
        ]:
            return Work(run, workflow, step, element, attempt, held, bool(begun), crashed)
        case ["look", str(run), str(workflow), *_]:
            return Look(run, workflow)
    raise EntryError("a run's body is not [start …], [work …] or [look …]")
