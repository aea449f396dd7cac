"""Prometheus remote write 1.0 as bytes: a WriteRequest in protobuf, in one Snappy block. Pure.

    WriteRequest  { repeated TimeSeries timeseries = 1; }
    TimeSeries    { repeated Label labels = 1; repeated Sample samples = 2; }
    Label         { string name = 1; string value = 2; }
    Sample        { double value = 1; int64 timestamp = 2; }     milliseconds

Four messages of two fields: by hand that is shorter than a library's generated code. Labels are sorted by name and
none is empty, as the specification wants; a label of the row that is called like one of ours is `exported_…`, as
Prometheus does when it scrapes.
"""

import struct
from collections.abc import Iterable, Iterator

import cramjam

from streampoll.outputs.port import Decoded, Plans
from streampoll.results.readings import Cell, Labels, exposed_name, readings

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}

_SAMPLE = struct.Struct("<d")
Series = tuple[tuple[tuple[str, str], ...], float, int]
"""(labels by name, value, milliseconds)."""


def series_of(decoded: Decoded, plans: Plans) -> Iterator[Series]:
    """Yield the samples of a result: whether the device answered, how long it took, and its values."""
    at_ms = round(decoded.at * 1000)
    result, outcome = decoded.result, decoded.outcome
    own = {"job": result.job, "instance": result.device}
    yield _labels("streampoll_device_up", own, ()), float(result.status.answered), at_ms
    yield _labels("streampoll_device_poll_duration_seconds", own, ()), result.duration_ms / 1000, at_ms
    for reading in readings(outcome, plans.get(outcome.profile)):
        for cell in reading.cells:
            yield _labels(cell.name, own, _row_labels(cell, reading.labels)), _number(cell), at_ms


def _row_labels(cell: Cell, labels: Labels) -> Labels:
    return (*labels, (cell.name, cell.value)) if isinstance(cell.value, str) else labels


def _number(cell: Cell) -> float:
    return 1.0 if isinstance(cell.value, str) else float(cell.value)


def _labels(name: str, own: dict[str, str], row: Labels) -> tuple[tuple[str, str], ...]:
    found = {"__name__": exposed_name(name), **own}
    for label, text in row:
        exposed = exposed_name(label)
        found.setdefault(f"exported_{exposed}" if exposed in found else exposed, text)
    return tuple(sorted((label, text) for label, text in found.items() if text))


def encode(series: Iterable[Series]) -> bytes:
    """Return a request's body; series with the same labels are one, with its samples in order of time."""
    samples: dict[tuple[tuple[str, str], ...], dict[int, float]] = {}
    for labels, value, at_ms in series:
        samples.setdefault(labels, {})[at_ms] = value
    message = b"".join(_field(1, _series(labels, found)) for labels, found in samples.items())
    return bytes(cramjam.snappy.compress_raw(message))


def _series(labels: Iterable[tuple[str, str]], samples: dict[int, float]) -> bytes:
    names = b"".join(_field(1, _field(1, name.encode()) + _field(2, text.encode())) for name, text in labels)
    return names + b"".join(_field(2, _sample(value, at_ms)) for at_ms, value in sorted(samples.items()))


def _sample(value: float, at_ms: int) -> bytes:
    return b"\x09" + _SAMPLE.pack(value) + b"\x10" + _varint(at_ms)


def _field(number: int, body: bytes) -> bytes:
    """Return a field of wire type 2: bytes with their length."""
    return bytes([number << 3 | 2]) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    """Return a number in groups of seven bits, the least first; a negative one in ten bytes."""
    value &= (1 << 64) - 1
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
