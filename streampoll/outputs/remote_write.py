"""Prometheus remote write 1.0 as bytes: a WriteRequest in protobuf, in one Snappy block. Pure.

    WriteRequest  { repeated TimeSeries timeseries = 1; }
    TimeSeries    { repeated Label labels = 1; repeated Sample samples = 2; }
    Label         { string name = 1; string value = 2; }
    Sample        { double value = 1; int64 timestamp = 2; }     milliseconds

Four messages of two fields: by hand that is shorter than a library's generated code, and quicker, since the labels of a
row are encoded once for all its cells. Labels are sorted by name and none is empty, as the specification wants; a label
of the row that is called like one of ours is `exported_…`, as Prometheus does when it scrapes.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache

import cramjam

from streampoll.outputs.port import Decoded, Plans
from streampoll.results.readings import Cell, Labels, Reading, exposed_name, readings

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}

_NAME = "__name__"
_SAMPLE = struct.Struct("<d")


class WriteRequest:
    """One request: series by their labels, each with its samples."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._series: dict[bytes, dict[int, float]] = {}  # encoded labels -> milliseconds -> value

    def add(self, decoded: Decoded) -> None:
        """Add a result: whether the device answered, how long it took, and its values."""
        at_ms = round(decoded.at * 1000)
        result, outcome = decoded.result, decoded.outcome
        own = {"job": result.job, "instance": result.device}
        poll = Reading("", (), [
            Cell("streampoll_device_up", int(result.status.answered)),
            Cell("streampoll_device_poll_duration_seconds", result.duration_ms / 1000),
        ])  # fmt: skip
        self._row(own, poll, at_ms)
        for reading in readings(outcome, self._plans.get(outcome.profile)):
            self._row(own, reading, at_ms)

    def _row(self, own: Mapping[str, str], reading: Reading, at_ms: int) -> None:
        before, after = _around(own, reading.labels)
        for cell in reading.cells:
            name = _label(_NAME, _exposed(cell.name))
            if isinstance(cell.value, str):
                first, last = _around(own, (*reading.labels, (cell.name, cell.value)))
                self._put(first + name + last, at_ms, 1.0)
            else:
                self._put(before + name + after, at_ms, cell.value)

    def add_sample(self, labels: Mapping[str, str], at_ms: int, value: float) -> None:
        """Add one sample by its labels, the name among them."""
        self._put(b"".join(_label(label, labels[label]) for label in sorted(labels)), at_ms, value)

    def _put(self, labels: bytes, at_ms: int, value: float) -> None:
        samples = self._series.get(labels)
        if samples is None:
            self._series[labels] = {at_ms: value}
        else:
            samples[at_ms] = value

    def body(self) -> bytes:
        """Return the request's body; the samples of a series are in order of time."""
        message = b"".join(_field(1, labels + _samples(samples)) for labels, samples in self._series.items())
        return bytes(cramjam.snappy.compress_raw(message))


def _around(own: Mapping[str, str], row: Labels) -> tuple[bytes, bytes]:
    """Return the labels of a row as bytes: those that sort before the name's, and those behind it."""
    found = dict(own)
    for label, text in row:
        exposed = _exposed(label)
        found.setdefault(f"exported_{exposed}" if exposed in own else exposed, text)
    named = sorted(item for item in found.items() if item[1])
    first = [_label(label, text) for label, text in named if label < _NAME]  # capitals sort before "_"
    return b"".join(first), b"".join(_label(label, text) for label, text in named if label > _NAME)


_exposed = lru_cache(maxsize=4096)(exposed_name)


@lru_cache(maxsize=8192)
def _label(name: str, text: str) -> bytes:
    return _field(1, _field(1, name.encode()) + _field(2, text.encode()))


def _samples(samples: Mapping[int, float]) -> bytes:
    return b"".join(_field(2, _sample(value, at_ms)) for at_ms, value in sorted(samples.items()))


def _sample(value: float, at_ms: int) -> bytes:
    return b"\x09" + _SAMPLE.pack(value) + b"\x10" + _varint(at_ms)


def _field(number: int, body: bytes) -> bytes:
    """Return a field of wire type 2: bytes with their length."""
    return bytes((number << 3 | 2,)) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    """Return a number in groups of seven bits, the least first; a negative one in ten bytes."""
    if 0 <= value < 0x80:
        return bytes((value,))
    value &= (1 << 64) - 1
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
