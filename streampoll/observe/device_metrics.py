"""A stored poll as Prometheus would have got it from snmp_exporter: the same names, types and labels. Pure.

Numbers are metrics with the row's labels; text is a metric of value 1 with itself as a label. Written here and not by
prometheus_client, which puts `_total` behind a counter's name, and IF-MIB has none.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from streampoll.config.profile_port import PollPlan
from streampoll.results.reader import StoredPoll
from streampoll.results.readings import Cell, Labels, exposed_name, readings


@dataclass(slots=True)
class _Family:
    """One metric."""

    type: str  # counter or gauge
    help: str
    samples: dict[Labels, int | float] = field(default_factory=dict)


class DevicePage:
    """A page for one device, put together from its newest poll of each job."""

    def __init__(self, plans: Mapping[str, PollPlan]) -> None:
        self._plans = plans
        self._families: dict[str, _Family] = {}

    def add(self, poll: StoredPoll, now: float) -> None:
        """Add a poll: how it ended and how old it is; and its values, if the device answered."""
        outcome = poll.outcome
        own = (("job", poll.job), ("profile", outcome.profile))
        up, done = int(poll.status.answered), poll.trace.done or float(poll.slot)
        self._put("streampoll_device_up", "gauge", "1 if the device answered its last poll.", own, up)
        self._put("streampoll_device_result_age_seconds", "gauge", "Age of what follows.", own, max(0.0, now - done))
        self._put("streampoll_device_poll_duration_seconds", "gauge", "Time of the last poll.", own,
                  poll.duration_ms / 1000)  # fmt: skip
        self._put("streampoll_device_poll_status", "gauge", "1, with how the last poll ended.",
                  (*own, ("status", poll.status.word)), 1)  # fmt: skip
        if not up:
            return
        for reading in readings(outcome, self._plans.get(outcome.profile)):
            for cell in reading.cells:
                self._cell(cell, reading.labels)

    def text(self) -> bytes:
        """Return the page."""
        return "".join(_lines(self._families)).encode()

    def _cell(self, cell: Cell, labels: Labels) -> None:
        text = f"{cell.name} - {'.'.join(map(str, cell.oid))}" if cell.oid else cell.name
        if isinstance(cell.value, str):
            self._put(cell.name, "gauge", f"(as a label) {text}", (*labels, (cell.name, cell.value)), 1)
        else:
            self._put(cell.name, "counter" if cell.counter else "gauge", text, labels, cell.value)

    def _put(self, name: str, kind: str, text: str, labels: Labels, value: int | float) -> None:
        """Note a sample; of two polls that have it, the newer was first."""
        family = self._families.setdefault(exposed_name(name), _Family(kind, text))
        family.samples.setdefault(tuple((exposed_name(label), said) for label, said in labels), value)


def _lines(families: Mapping[str, _Family]) -> Iterator[str]:
    for name, family in families.items():
        yield f"# HELP {name} {_escaped(family.help)}\n# TYPE {name} {family.type}\n"
        for labels, value in family.samples.items():
            yield f"{name}{_braced(labels)} {_number(value)}\n"


def _braced(labels: Iterable[tuple[str, str]]) -> str:
    inside = ",".join(f'{name}="{_quoted(text)}"' for name, text in labels)
    return f"{{{inside}}}" if inside else ""


def _number(value: int | float) -> str:
    """Write a number; an integer exactly, though Prometheus will read it as a double."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
