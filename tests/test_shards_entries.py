"""Entries as bytes: what is encoded is read back, and bytes of anybody's are an EntryError at the worst."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from streampoll.errors import EntryError
from streampoll.model import Change, Event, QueueClass, Result, Severity, Status, Target, event_id
from streampoll.shards import entries
from streampoll.shards.entries import (
    Entry,
    decode_event,
    decode_fields,
    decode_ledger,
    decode_result,
    decode_results,
    decode_target,
    deliver,
    encode_event,
    encode_fields,
    encode_result,
    encode_target,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBER = st.integers(0, 2**63 - 1)
ENTRIES = st.builds(Entry, TEXT, TEXT, NUMBER, NUMBER, st.binary())
SCALARS = st.one_of(TEXT, st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.booleans())
TARGETS = st.builds(Target, TEXT, TEXT, st.integers(0, 65_535), TEXT, TEXT, st.dictionaries(TEXT, SCALARS, max_size=3))
RESULTS = st.builds(Result, TEXT, TEXT, NUMBER, st.sampled_from(Status), NUMBER, st.binary())
ANYTHING = st.recursive(
    st.one_of(st.none(), SCALARS, st.binary()),
    lambda inner: st.one_of(st.lists(inner, max_size=9), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=12,
)
LEDGER = [7, 30, 0, "18446744073709551615", 3, "12", 0, ""]
TARGET = ["sw1", "10.0.0.1", 161, "if", "c", None, 0]


@given(ENTRIES)
def test_an_entry_is_read_back(entry: Entry) -> None:
    assert decode_fields(encode_fields(entry)) == entry


@given(ENTRIES, st.permutations(range(6)), st.binary())
def test_the_order_of_fields_and_new_ones_do_not_matter(entry: Entry, order: list[int], new: bytes) -> None:
    fields = encode_fields(entry)
    shuffled = [part for n in order for part in fields[2 * n : 2 * n + 2]]

    assert decode_fields([b"later", new, *shuffled]) == entry


@given(TARGETS, st.integers(0, 100))
def test_a_target_is_read_back(target: Target, attempt: int) -> None:
    assert decode_target(encode_target(target, attempt)) == (target, attempt)


@given(RESULTS)
def test_a_result_is_read_back(result: Result) -> None:
    assert decode_result(encode_result(result)) == result


ODD = st.one_of(
    ANYTHING, st.dictionaries(TEXT | st.binary(), ANYTHING), st.builds(msgpack.ExtType, st.just(5), st.binary())
)


@st.composite
def bodies(draw: st.DrawFn, good: list[object]) -> bytes:
    """Bodies that are right, or wrong in a field, too short or too long, or in a byte."""
    fields = [*good, *draw(st.lists(ODD, max_size=2))][: draw(st.integers(0, 9) | st.just(9))]
    for place in draw(st.lists(st.integers(0, len(fields) - 1), max_size=2)) if fields else ():
        fields[place] = draw(ODD)
    body = bytearray(msgpack.packb(fields))
    if draw(st.booleans()):
        body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    return bytes(body) + draw(st.just(b"") | st.binary(max_size=2))


@given(bodies(TARGET))
def test_a_target_is_read_at_once_as_it_is_step_by_step(body: bytes) -> None:
    assert told(decode_target, body) == told(entries._decode_any_target, body)


@given(bodies(["sw1", 0, 750, b"payload"]))
def test_a_result_is_read_at_once_as_it_is_step_by_step(body: bytes) -> None:
    entry = Entry("result", "j", 7, 0, body)
    assert told(decode_result, entry) == told(entries._decode_any_result, entry)


@given(st.lists(bodies(["sw1", 0, 750, b"payload"]), max_size=3), st.booleans())
def test_results_are_read_at_once_as_they_are_step_by_step(rows: list[bytes], counted: bool) -> None:
    body = bytes([0x90 + len(rows)]) + b"".join(rows) if counted else b"".join(rows)
    entry = Entry("result", "j", 7, 0, body)
    assert told(decode_results, entry) == told(entries._decode_any_results, entry)


@pytest.mark.parametrize("depth", [10, 500, 5_000, 200_000])
def test_overrides_of_any_depth_are_read_or_refused_alike(depth: int) -> None:
    nested = b"\x81\xa1a" + b"\x91" * depth + b"\xc0"
    body = b"\x97" + b"".join(nested if each is None else msgpack.packb(each) for each in TARGET)
    assert told(decode_target, body) == told(entries._decode_any_target, body)


@pytest.mark.parametrize(
    "overrides",
    [{"a": 1}, {1: 1}, {b"a": 1}, {"a": None}, {"a": [1]}, {"a": {1: 1}}, {"a": msgpack.Timestamp(5)}, {}, [], 0],
)
def test_odd_overrides_are_read_or_refused_alike(overrides: object) -> None:
    body = msgpack.packb([overrides if each is None else each for each in TARGET])
    assert told(decode_target, body) == told(entries._decode_any_target, body)


def told(decode: Callable[[Any], object], given: object) -> object:
    """What was read, written out (so that nan and nan are alike, and 1 and True are not), or why it was not."""
    try:
        return repr(decode(given))
    except EntryError as error:
        return f"refused: {error}"


@given(st.lists(st.binary()))
def test_any_fields_are_an_entry_or_an_error(fields: list[bytes]) -> None:
    with contextlib.suppress(EntryError):
        decode_fields(fields)


@given(st.lists(st.binary(), min_size=6, max_size=6))
def test_any_values_of_the_right_fields_are_an_entry_or_an_error(values: list[bytes]) -> None:
    fields = [part for pair in zip(b"vkjsxb", values, strict=True) for part in (bytes([pair[0]]), pair[1])]

    delivered = deliver(QueueClass.POLLING, 7, b"1-0", fields, 1, 0.0)

    assert delivered.entry is not None or list(delivered.raw) == fields


@given(st.one_of(st.binary(), ANYTHING.map(msgpack.packb)))
def test_any_body_is_read_or_an_error(body: bytes) -> None:
    entry = Entry("poll", "j", 1, 2, body)
    with contextlib.suppress(EntryError):
        decode_target(body)
    with contextlib.suppress(EntryError):
        decode_result(entry)
    with contextlib.suppress(EntryError):
        decode_ledger(entry)


@given(st.integers(0, 7), ANYTHING)
def test_a_ledger_entry_with_one_odd_value_is_read_or_an_error(place: int, odd: object) -> None:
    body = LEDGER.copy()
    body[place] = odd  # type: ignore[call-overload]
    with contextlib.suppress(EntryError):
        decode_ledger(Entry("ledger", "j", 1, 0, msgpack.packb(body)))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([], "no field b'v'"),
        ([b"v", b"1", b"k"], "no field b'k'"),
        ([b"v", b"1", b"k", b"\xff", b"j", b"j", b"s", b"1", b"x", b"1", b"b", b""], "utf-8"),
        ([b"v", b"1", b"k", b"poll", b"j", b"j", b"s", b"one", b"x", b"1", b"b", b""], "invalid literal"),
        ([b"v", b"1", b"k", b"poll", b"j", b"j", b"s", b"1", b"x", b"", b"b", b""], "invalid literal"),
    ],
)
def test_fields_that_are_no_entry_say_what_is_wrong(fields: list[bytes], said: str) -> None:
    with pytest.raises(EntryError, match=said):
        decode_fields(fields)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\x93\x01", msgpack.packb(TARGET) + b"\x00", msgpack.packb({}), msgpack.packb(TARGET[:6]),
     msgpack.packb([*TARGET[:2], "161", *TARGET[3:]]), msgpack.packb([*TARGET[:5], ["no map"], 0]),
     b"\x91" * 2_000 + b"\x01", b"\xdd\xff\xff\xff\xff", b"\x81\x90\x01"],
)  # fmt: skip
def test_a_body_that_is_no_target_is_an_error(body: bytes) -> None:
    with pytest.raises(EntryError):
        decode_target(body)


def test_a_status_that_this_release_does_not_know_is_an_error() -> None:
    with pytest.raises(EntryError, match="99"):
        decode_result(Entry("result", "j", 1, 0, msgpack.packb(["sw1", 99, 5, b""])))


def test_a_body_that_a_newer_release_made_longer_is_read() -> None:
    target, attempt = decode_target(msgpack.packb([*TARGET, "new"]))

    assert (target.device, attempt) == ("sw1", 0)


@pytest.mark.parametrize("field", [7, 9])
def test_a_time_of_more_digits_than_64_bits_have_is_refused(field: int) -> None:
    fields = list(encode_fields(Entry("poll", "j", 7, 8, b"")))
    fields[field] = b"9" * 400  # an integer, of which no float can be made

    with pytest.raises(EntryError, match="more than 19 digits"):
        decode_fields(fields)


EVENT = Event(
    event_id("cpu", "core-1", "", 60), "cpu", "core-1", "", Severity.ERROR, {"site": "a"}, 60, 120, Change.UPDATED,
    93.5, "cpu is 93.5 %", "diagnose", "maintenance",
)  # fmt: skip


@pytest.mark.parametrize("event", [EVENT, replace(EVENT, value=None, labels={}), replace(EVENT, value=2**63)])
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    entry = encode_event(event)

    assert (entry.kind, entry.job, entry.slot) == ("event", "event:cpu", 120)
    assert decode_event(entry) == event


@pytest.mark.parametrize(
    ("place", "value"), [(0, "1"), (4, 9), (5, [1]), (5, {"site": 1}), (8, "gone"), (9, "high"), (12, None)]
)
def test_an_event_that_is_none_is_refused(place: int, value: object) -> None:
    entry = encode_event(EVENT)
    fields = msgpack.unpackb(entry.body)
    fields[place] = value

    with pytest.raises(EntryError, match="event"):
        decode_event(structs.replace(entry, body=msgpack.packb(fields)))


def test_events_of_other_rows_and_times_have_other_ids() -> None:
    ids = {event_id(*which) for which in [("r", "d", "", 1), ("r", "d", "", 2), ("r", "d", "x", 1), ("r", "dx", "", 1)]}

    assert len(ids) == 4
