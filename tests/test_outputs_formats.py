"""What outputs write, byte by byte, against the formats' own specifications."""

import json
import struct
from collections.abc import Iterator

import cramjam
import pytest

from streampoll.outputs import influx, remote_write
from streampoll.outputs.lines import line_of
from streampoll.outputs.port import Decoded
from tests.outputs_support import PLANS, decoded, failed

AT_MS = 1_700_000_000_250


# -- remote write, read back by a reader of its own


def fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield (number, value) of a protobuf message: varints, doubles and bytes."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        match key & 7:
            case 0:
                value, at = varint(message, at)
                yield key >> 3, value
            case 1:
                yield key >> 3, message[at : at + 8]
                at += 8
            case 2:
                length, at = varint(message, at)
                yield key >> 3, message[at : at + length]
                at += length
            case other:
                pytest.fail(f"wire type {other}")


def varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (message[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if message[at - 1] < 0x80:
            return value, at


def written(*results: Decoded) -> dict[str, list[tuple[float, int]]]:
    """Return what a request says: name{labels} -> samples."""
    request = remote_write.WriteRequest(PLANS)
    for result in results:
        request.add(result)
    found = {}
    for number, series in fields(bytes(cramjam.snappy.decompress_raw(request.body()))):
        assert number == 1
        labels, samples = [], []
        for part, inside in fields(series):
            pair = dict(fields(inside))
            if part == 1:
                labels.append((pair[1].decode(), pair[2].decode()))
            else:
                samples.append((struct.unpack("<d", pair[1])[0], pair[2]))
        assert labels == sorted(set(labels))
        assert all(text for _, text in labels)
        found[",".join(f"{name}={text}" for name, text in labels)] = samples
    return found


def test_remote_write_has_the_names_labels_and_time_of_each_number() -> None:
    found = written(decoded())
    assert found["__name__=sysUpTime,instance=core-1,job=fast"] == [(4200.0, AT_MS)]
    assert found['__name__=ifHCInOctets,ifIndex=1,ifName=a "b",instance=core-1,job=fast'] == [(2.0**64, AT_MS)]
    assert found[
        '__name__=ifPhysAddress,ifIndex=1,ifName=a "b",ifPhysAddress=00:1b:21:3c:4d:ff,instance=core-1,job=fast'
    ]
    assert found["__name__=sysName,instance=core-1,job=fast,sysName=core 1"] == [(1.0, AT_MS)]
    assert not any("ifPhysAddress,ifAlias" in key for key in found)  # null is no sample


def test_remote_write_says_whether_a_device_answered() -> None:
    assert written(decoded())["__name__=streampoll_device_up,instance=core-1,job=fast"] == [(1.0, AT_MS)]
    assert written(failed()) == {
        "__name__=streampoll_device_up,instance=core-1,job=fast": [(0.0, AT_MS)],
        "__name__=streampoll_device_poll_duration_seconds,instance=core-1,job=fast": [(0.25, AT_MS)],
    }


def test_remote_write_is_these_bytes() -> None:
    """By hand after the .proto: one series of one label and one sample."""
    request = remote_write.WriteRequest({})
    request.add_sample({"__name__": "up"}, 300, 1.0)
    body = request.body()
    label = b"\x0a\x08__name__\x12\x02up"
    sample = b"\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\xac\x02"
    series = b"\x0a" + bytes([len(label)]) + label + b"\x12" + bytes([len(sample)]) + sample
    assert bytes(cramjam.snappy.decompress_raw(body)) == b"\x0a" + bytes([len(series)]) + series


def test_remote_write_sorts_the_samples_of_a_series_and_keeps_one_of_a_time() -> None:
    request = remote_write.WriteRequest({})
    for at_ms, value in ((20, 2.0), (10, 1.0), (20, 2.0), (-1, -1.0)):
        request.add_sample({"__name__": "up", "A": "before"}, at_ms, value)
    [(_, series)] = fields(bytes(cramjam.snappy.decompress_raw(request.body())))
    samples = [dict(fields(inside)) for part, inside in fields(series) if part == 2]
    assert [sample[2] for sample in samples] == [(1 << 64) - 1, 10, 20]


# -- InfluxDB


def test_influx_has_a_line_a_row_with_labels_as_tags_and_exact_integers() -> None:
    lines = list(influx.lines_of(decoded(), PLANS))
    at = f"{AT_MS}000000"
    assert lines == [
        f"streampoll_poll,device=core-1,job=fast,status=ok up=1i,duration_ms=250i {at}",
        f'interfaces,device=core-1,job=fast sysUpTime=4200i,load=0.5,sysName="core 1" {at}',
        f'interfaces,device=core-1,job=fast,ifIndex=1,ifName=a\\ "b" ifPhysAddress="00:1b:21:3c:4d:ff" {at}',
        f"interfaces,device=core-1,job=fast,ifIndex=2,ifName=eth0,ifAlias=x\\,y\\=z\\ \\\\  ifHCInOctets=5i {at}",
    ]


@pytest.mark.parametrize("text", ["\\", "a\nb", 'x"', "=,", "\\\\", " ", "é", "\x00"])
def test_no_text_breaks_a_line(text: str) -> None:
    """What ends a tag or a line must not come out of a device."""
    [line] = influx._line("m", [("t", text)], [influx.Cell("f", text), influx.Cell("n", 1)], 7)
    assert "\n" not in line
    assert "\x00" not in line
    assert line.endswith(",n=1i 7")
    assert not line.split(" f=")[0].endswith("\\")


# -- JSON


def test_a_line_of_json_is_a_whole_result() -> None:
    line = line_of(decoded())
    assert b"\n" not in line
    said = json.loads(line)
    assert (said["device"], said["job"], said["status"], said["duration_ms"]) == ("core-1", "fast", "ok", 250)
    assert said["values"]["sysUpTime"] == 4200
    assert said["tables"]["interfaces"]['a "b"']["ifHCInOctets"] == 2**64 - 1
    assert json.loads(line_of(failed()))["error"] == "no answer"
