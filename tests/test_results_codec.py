"""The payload codec: everything survives, and nothing that is not a payload is accepted."""

import gzip
import math
import subprocess
import sys
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from streampoll.errors import EntryError
from streampoll.model import Asked, Outcome, Rows, Status, Table, TableTime, Trace
from streampoll.results import codec
from streampoll.results.codec import VERSION, decode_payload, encode_payload

TRACE = Trace(1_700_000_000.25, 1_700_000_000.5, 1_700_000_000.75, 0.0, 1_700_000_001.0, 1, "host:7:1")

FIRST_RELEASE = (
    "011f8b0800000000000403014b00b4ff9a00a081a178078081a1749592a161a162a161c39392a131a13292050692c401ffc0"
    "90c0c0000097cf00060a2418221090ce0003d090ce0007a120c0ce000b71b001a8686f73743a373a3135b914084b000000"
)

values = st.one_of(
    st.integers(-(1 << 63), (1 << 64) - 1), st.floats(allow_nan=False), st.text(), st.binary(), st.none()
)  # fmt: skip
times = st.integers(1, 1 << 52).map(lambda micros: micros / 1e6) | st.just(0.0)
names = st.text(max_size=20)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = tuple(draw(st.lists(names, max_size=4)))
    width = len(columns) + 1
    rows = draw(st.lists(st.tuples(*[values] * width), max_size=6))
    runs = draw(
        st.lists(st.builds(TableTime, st.integers(0, 99), times, st.none() | st.integers(0, 1 << 32)), max_size=3)
    )
    return Table(columns, rows, tuple(runs), draw(st.booleans()), draw(names), draw(narrow(columns, len(rows))))


def narrow(columns: tuple[str, ...], count: int) -> st.SearchStrategy[dict[str, Rows]]:
    """Columns of 32-bit counters: in all rows, or in some."""
    some = st.lists(st.integers(0, count - 1), max_size=max(0, count - 1), unique=True).map(sorted).map(tuple)
    rows = st.just(range(count)) | some if count else st.just(range(0))
    return st.dictionaries(st.sampled_from(columns), rows) if columns else st.just({})


counts = st.integers(0, 1 << 30)
outcomes = st.builds(
    Outcome,
    st.sampled_from(Status),
    names,
    st.dictionaries(names, values),
    st.dictionaries(names, tables(), max_size=3),
    st.dictionaries(names, names),
    times,
    times,
    counts,
    counts,
    names,
    st.lists(names, max_size=3).map(tuple),
)
lags = st.just(0.0) | st.integers(250, 99_999).map(lambda ms: ms / 1000)
sent = st.integers(1, 1 << 52).map(lambda micros: micros / 1e6)
asked = st.just(Asked()) | st.builds(Asked, sent, times) | st.builds(
    Asked, sent, times, st.integers(1, 99), st.lists(sent, max_size=3).map(tuple)
)  # fmt: skip
traces = st.builds(Trace, times, times, times, times, times, st.integers(1, 99), names, asked, lags)


@given(outcomes, traces)
def test_an_outcome_and_its_trace_survive(outcome: Outcome, trace: Trace) -> None:
    assert decode_payload(encode_payload(outcome, trace)) == (outcome, trace)


@pytest.mark.parametrize(
    "value", [0, -1, (1 << 64) - 1, -(1 << 63), b"\xff\x00", "\u00e4", 1.5, math.inf, None, b"", ""]
)
def test_a_value_keeps_its_type(value: object) -> None:
    outcome, _ = decode_payload(encode_payload(Outcome(Status.OK, values={"x": value}), TRACE))  # type: ignore[dict-item]
    assert outcome.values["x"] == value
    assert type(outcome.values["x"]) is type(value)


def test_a_value_that_is_not_a_number_survives_as_such() -> None:
    outcome, _ = decode_payload(encode_payload(Outcome(Status.OK, values={"x": math.nan}), TRACE))
    assert math.isnan(outcome.values["x"])  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1, ["a list"]])
def test_a_value_that_can_not_be_stored_is_missing_with_its_reason(value: object) -> None:
    table = Table(("a",), [(1, value), (2, 5)])  # type: ignore[list-item]
    outcome, _ = decode_payload(
        encode_payload(Outcome(Status.OK, values={"x": value, "y": 7}, tables={"t": table}), TRACE)  # type: ignore[dict-item]
    )
    assert outcome.values == {"x": None, "y": 7}
    assert outcome.tables["t"].rows == [(1, None), (2, 5)]
    assert set(outcome.missing) == {"x", "t.a"}


def test_a_payload_of_the_first_release_is_read() -> None:
    """These bytes were written before a payload named its profile and its 32-bit counters."""
    outcome, trace = decode_payload(bytes.fromhex(FIRST_RELEASE))
    assert (outcome.status, outcome.values, outcome.profile, outcome.counter32) == (Status.OK, {"x": 7}, "", ())
    assert outcome.tables["t"] == Table(("a", "b"), [("1", 5, b"\xff"), ("2", 6, None)], (), True, "a")
    assert trace == TRACE


def test_a_reader_of_the_first_release_finds_everything_where_it_was() -> None:
    """What is newer stands behind what it knows, and only where there is something to say."""
    table = Table(("a",), [("1", 5)], counter32={"a": range(1)})
    new = Outcome(Status.OK, values={"x": 7}, tables={"t": table}, profile="p", counter32=("x",))
    old = Outcome(Status.OK, values={"x": 7}, tables={"t": Table(("a",), [("1", 5)])})
    written, before = (fields_of(encode_payload(each, TRACE)) for each in (new, old))
    assert (len(before), len(before[4]["t"])) == (10, 5)
    assert written[:4] + written[5:10] == before[:4] + before[5:]
    assert written[4]["t"][:5] == before[4]["t"]


def test_when_a_device_was_asked_costs_few_bytes_and_stands_where_older_readers_do_not_look() -> None:
    polled = structs.replace(TRACE, first_reply=1_700_000_000.875)
    told = structs.replace(polled, asked=Asked(1_700_000_000.7503, 1_700_000_000.875))
    before, after = (encode_payload(Outcome(Status.OK), trace) for trace in (polled, told))

    assert fields_of(after)[9][:7] == fields_of(before)[9]
    assert len(after) - len(before) <= 5


@pytest.mark.parametrize("asked", [7, [], [1], [1, 2.5], [1, None, "3"], [1, None, 1, None], {"a": 1}])
def test_times_of_requests_that_are_none_are_refused(asked: object) -> None:
    fields = fields_of(encode_payload(Outcome(Status.OK), TRACE))
    fields[9].append(asked)
    with pytest.raises(EntryError):
        decode_payload(VERSION + zlib.compress(msgpack.packb(fields), 1, 31))


def fields_of(payload: bytes) -> list[Any]:
    found = msgpack.unpackb(zlib.decompress(payload[1:], 31))
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    "narrow",
    [7, [7], [[0]], [[1, True]], [[-1, True]], [[0, [1]]], [[0, [-1]]], [[0, ["0"]]], [[0, False]], {"a": True}],
)
def test_counters_of_32_bits_that_are_none_are_refused(narrow: object) -> None:
    fields = fields_of(encode_payload(Outcome(Status.OK, tables={"t": Table(("a",), [("1", 5)])}), TRACE))
    fields[4]["t"].append(narrow)
    with pytest.raises(EntryError):
        decode_payload(VERSION + zlib.compress(msgpack.packb(fields), 1, 31))


def test_ragged_rows_are_evened_out() -> None:
    table = Table(("a", "b"), [(1, 2), (3, 4, 5, 6)])
    outcome, _ = decode_payload(encode_payload(Outcome(Status.OK, tables={"t": table}), TRACE))
    assert outcome.tables["t"].rows == [(1, 2, None), (3, 4, 5)]


def test_text_that_is_not_unicode_is_written_out() -> None:
    outcome, _ = decode_payload(encode_payload(Outcome(Status.ERROR, "bad \udcff byte"), TRACE))
    assert outcome.error == "bad \\udcff byte"


def test_a_time_that_is_none_does_not_stop_a_result() -> None:
    outcome, _ = decode_payload(encode_payload(Outcome(Status.OK, at=math.nan, first_reply=math.inf), TRACE))
    assert outcome.status is Status.OK


moments = times | st.sampled_from([-0.0, 1e-9, -3.0, 7, math.nan, math.inf, -math.inf])
strange_asked = st.builds(Asked, moments, moments, st.integers(0, 9), st.lists(moments, max_size=3).map(tuple))
strange_traces = st.builds(
    Trace, moments, moments, moments, moments, moments, st.just(1), st.just("w"), strange_asked, lags
)  # fmt: skip


def micros(at: float) -> int:
    return round(at * 1e6) if math.isfinite(at) else 0


@given(moments, moments, st.lists(moments, max_size=3), strange_traces)
def test_times_are_microseconds_since_the_dispatch_whatever_they_are(
    at: float, replied: float, runs: list[float], trace: Trace
) -> None:
    """What is no time counts as 1970, and none (0.0) is nil: said here a second time, as plainly as can be."""
    table = Table(("a",), [("1", 5)], [TableTime(1, run, None) for run in runs])
    fields = fields_of(encode_payload(Outcome(Status.OK, tables={"t": table}, at=at, first_reply=replied), trace))

    def after(moment: float) -> int | None:
        return None if moment == 0.0 else micros(moment) - micros(trace.dispatched)

    way = trace.read, trace.started, trace.first_reply, trace.done
    assert fields[5:7] == [after(at), after(replied)]
    assert fields[9][:5] == [micros(trace.dispatched), *map(after, way)]
    assert [run[1] for run in fields[4]["t"][4]] == [*map(after, runs)]
    assert fields[9][7:8] == (
        [asked_of(trace.asked, after, *way[1:3])] if trace.asked.first else [None][: bool(trace.lag_s)]
    )


def asked_of(asked: Asked, after: Callable[[float], int | None], started: float, replied: float) -> list[int | None]:
    first, last = after(asked.first) or 0, after(asked.last_reply)
    said = [first - (after(started) or 0), None if last is None else last - (after(replied) or 0)]
    return [*said, asked.retries, *((after(at) or 0) - first for at in asked.retried)] if asked.retries else said


def test_the_same_result_is_the_same_bytes() -> None:
    assert encode_payload(Outcome(Status.OK), TRACE) == encode_payload(Outcome(Status.OK), TRACE)


def test_a_failure_is_small() -> None:
    assert len(encode_payload(Outcome(Status.TIMEOUT, "no reply to 2 requests in 4.0 s", requests=2), TRACE)) < 110


@pytest.mark.parametrize(
    ("version", "rest"), [(b"", b""), (b"\x00", b""), (b"\x02", encode_payload(Outcome(Status.OK), TRACE)[1:])]
)
def test_another_version_is_refused(version: bytes, rest: bytes) -> None:
    with pytest.raises(EntryError, match="version"):
        decode_payload(version + rest)


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(EntryError, match="after its end"):
        decode_payload(encode_payload(Outcome(Status.OK), TRACE) + b"x")


def test_a_payload_that_is_cut_is_refused() -> None:
    payload = encode_payload(Outcome(Status.OK, values={"x": 1}), TRACE)
    for length in range(len(payload)):
        with pytest.raises(EntryError):
            decode_payload(payload[:length])


def test_a_bomb_is_refused() -> None:
    bomb = zlib.compress(b"\xc0" * (codec.MAX_BYTES + 1), 9, 31)
    with pytest.raises(EntryError, match="more than"):
        decode_payload(VERSION + bomb)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_as_an_entry_error(junk: bytes) -> None:
    with pytest.raises(EntryError):
        decode_payload(VERSION + junk)


@given(
    st.recursive(values | st.booleans(), lambda deeper: st.lists(deeper, max_size=12) | st.dictionaries(names, deeper))
)
def test_msgpack_of_another_shape_is_refused(shape: object) -> None:
    with pytest.raises(EntryError):
        decode_payload(VERSION + zlib.compress(msgpack.packb(shape), 1, 31))


@given(outcomes, traces, st.data())
def test_a_flipped_field_is_refused_or_read(outcome: Outcome, trace: Trace, data: st.DataObject) -> None:
    packed = bytearray(zlib.decompress(encode_payload(outcome, trace)[1:], 31))
    packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = decode_payload(VERSION + zlib.compress(bytes(packed), 1, 31))
    except EntryError:
        return
    assert isinstance(read[0], Outcome)


def of_size(packed_bytes: int, name: str = "x") -> Outcome:
    """An outcome of which just so many bytes are compressed; of few words, so that all distances are tried."""
    short = packed_length(Outcome(Status.OK, values={name: bytes(300)}))
    filling = bytes(place * place % 251 // (1 + place % 7) for place in range(packed_bytes - short + 300))
    return Outcome(Status.OK, values={name: filling})


def packed_length(outcome: Outcome) -> int:
    return len(zlib.decompress(encode_payload(outcome, TRACE)[1:], 31))


@pytest.mark.parametrize("packed_bytes", [400, 700, *range(760, 776), 900, 5_000])
def test_whoever_compressed_it_is_gzip_to_everybody(packed_bytes: int) -> None:
    outcome = of_size(packed_bytes)
    payload = encode_payload(outcome, TRACE)
    assert len(gzip.decompress(payload[1:])) == packed_bytes
    assert decode_payload(payload) == (outcome, TRACE)


@pytest.mark.parametrize("packed_bytes", [1023, 1024])
def test_small_payloads_are_compressed_by_one_and_larger_by_the_other(
    monkeypatch: pytest.MonkeyPatch, packed_bytes: int
) -> None:
    outcome = of_size(packed_bytes)
    idle = "deflate" if packed_bytes < 1024 else "quick"
    monkeypatch.setattr(codec, idle, SimpleNamespace(compress=None, decompressobj=zlib.decompressobj))
    assert decode_payload(encode_payload(outcome, TRACE)) == (outcome, TRACE)


@given(st.lists(st.binary(max_size=900), min_size=2, max_size=6))
def test_what_was_compressed_before_does_not_show(contents: list[bytes]) -> None:
    polls = [Outcome(Status.OK, values={"x": content}) for content in contents]
    forth = [encode_payload(poll, TRACE) for poll in polls]
    back = [encode_payload(poll, TRACE) for poll in reversed(polls)]
    assert forth == back[::-1]


def test_another_process_makes_the_same_bytes() -> None:
    ours = "\n".join(encode_payload(of_size(size), TRACE).hex() for size in (350, 1023, 1024, 3_000))
    program = (
        "from tests.test_results_codec import TRACE, encode_payload, of_size\n"
        "for size in (350, 1023, 1024, 3_000): print(encode_payload(of_size(size), TRACE).hex())"
    )
    theirs = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert theirs.stdout.strip() == ours


def test_zlib_reads_what_the_others_wrote_and_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for outcome in (of_size(400), of_size(4_000)):
        ours = encode_payload(outcome, TRACE)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(codec, "deflate", zlib)
            elsewhere.setattr(codec, "quick", zlib)
            assert decode_payload(ours) == decode_payload(encode_payload(outcome, TRACE)) == (outcome, TRACE)
