"""A poll's payload: version byte 1 + gzip(msgpack), both ways. docs/protocol.md has the layout for other programs.

The choices, measured on interface tables of 24 and 96 rows with 20 columns:

- Tables are stored column by column: 4-8 % smaller after gzip than row by row, because like stands beside like, and the
  compressor wins back the time of the transposition. Analysis reads columns anyway.
- isal at level 1 from 1 KB on: 22 us for 24 rows against zlib's 58 us at its fastest, within 1 % of its size;
  higher levels gain 1 % for twice the time.
- zlib-ng at level 1 below that, which is a GET or a short walk: its code tables are fixed, and isal spends nearly all
  its time there on making some. 5 us for ten counters against 9, half a percent larger; 12 against 27 for two tables
  of ten rows (908 bytes), 1.6 % larger; at 1,400 bytes it would be 4 %. A window of 2 KB, which is as far as such a
  payload reaches back, takes a fifth off against one of 32.
- Times are whole microseconds, counted from the dispatch: 2-5 bytes each where a double, which doesn't compress, is 9.

The bytes are a pure function of their input (gzip's time stamp is 0), so a redelivered result is recognised as such.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from types import ModuleType
from typing import Any, TypeVar

import msgpack
import msgspec

from streampoll.errors import EntryError
from streampoll.model import Asked, ColumnRows, Outcome, Rows, Status, Table, TableTime, Trace, Value

deflate: ModuleType
try:
    from isal import isal_zlib as deflate
except ImportError:  # a machine isal has no build for
    deflate = zlib

quick: ModuleType
try:
    from zlib_ng import zlib_ng as quick
except ImportError:
    quick = deflate

_Read = TypeVar("_Read")
_packed = msgspec.msgpack.Encoder().encode  # in a quarter of the time of msgpack's own

VERSION = b"\x01"
MAX_BYTES = 64 << 20  # of msgpack: a bomb is refused before it fills memory
IN_GZIP, IN_ZLIB = 16, 0  # what zlib wants added to the bits of a window, for the header and the trailer
_WINDOW = 15  # bits
_LEVEL = 1
_SMALL_BYTES = 1024  # of msgpack: less than that is zlib-ng's
_SMALL_WINDOW = 11  # of 2 KB: 1,786 bytes back, since 262 are kept ahead
_EPOCH = 1e-9  # seconds, no whole microsecond: 0.0 would say that there is no time
_BEYOND = "beyond 64 bits"
_SCALARS = frozenset({int, float, str, bytes, type(None), bool})
_DECOMPRESS_ERRORS: tuple[type[Exception], ...] = (zlib.error, getattr(deflate, "error", zlib.error), EOFError)


def encode_payload(outcome: Outcome, trace: Trace) -> bytes:
    """Pack an outcome and its trace.

    Whatever a poller put into the outcome is stored: what can't be (an integer beyond 64 bits, a list) becomes None
    with its reason in `missing`, and what is no time becomes 1970.
    """
    try:
        packed = _packed(_layout(outcome, trace))
    except (OverflowError, ValueError, TypeError):  # rare: so only then is each value looked at
        packed = _packed(_layout(_mended(outcome), _mended_trace(trace)))
    return VERSION + compressed(packed, IN_GZIP)


def compressed(packed: bytes, container: int, small_bytes: int = _SMALL_BYTES) -> bytes:
    """Compress by what is quickest at that size."""
    if len(packed) < small_bytes:
        return bytes(quick.compress(packed, _LEVEL, _SMALL_WINDOW + container))
    return bytes(deflate.compress(packed, _LEVEL, _WINDOW + container))


def decode_payload(payload: bytes) -> tuple[Outcome, Trace]:
    """Read back what `encode_payload` made.

    Raises:
        EntryError: another version, damaged or trailing bytes, more than 64 MiB, or not the layout.
    """
    return _decode(payload, _read)


def decode_outcome(payload: bytes) -> Outcome:
    """Read back the outcome alone: of the trace only what its times are counted from is looked at.

    Raises:
        EntryError: as `decode_payload` does, but for what else is wrong with the trace.
    """
    return _decode(payload, _read_outcome)


def _decode(payload: bytes, read: Callable[[Any], _Read]) -> _Read:
    if payload[:1] != VERSION:
        raise EntryError(f"payload version {payload[:1]!r} is not {VERSION!r}")
    packed = _inflate(payload[1:])
    try:
        fields = msgpack.unpackb(packed, max_array_len=1 << 20, max_map_len=1 << 20)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"payload is not msgpack: {error}") from None
    try:
        return read(fields)
    except (ValueError, TypeError, OverflowError) as error:
        raise EntryError(f"payload: {error}") from None


def _inflate(compressed: bytes) -> bytes:
    """Undo gzip, with at most MAX_BYTES of output and nothing after its end."""
    stream = deflate.decompressobj(wbits=_WINDOW + IN_GZIP)
    try:
        packed = bytes(stream.decompress(compressed, MAX_BYTES))
    except _DECOMPRESS_ERRORS as error:
        raise EntryError(f"payload is not gzip: {error}") from None
    if not stream.eof:
        raise EntryError(f"payload is cut short, or unpacks to more than {MAX_BYTES} bytes")
    if stream.unused_data:
        raise EntryError(f"payload has {len(stream.unused_data)} bytes after its end")
    return packed


def _layout(outcome: Outcome, trace: Trace) -> tuple[Any, ...]:
    """Return the payload's array, as docs/protocol.md lists it.

    Times become microseconds where they stand: a function called nine times made this take 4.5 us instead of 3.2.

    Raises:
        ValueError, OverflowError, TypeError: something in it can't be stored.
    """
    asked, start = trace.asked, round(trace.dispatched * 1e6)
    started = round(trace.started * 1e6) - start if trace.started else None
    replied = round(trace.first_reply * 1e6) - start if trace.first_reply else None
    return (
        int(outcome.status), outcome.error, _scalars(dict(outcome.values)), dict(outcome.missing),
        {name: _table_layout(table, start) for name, table in outcome.tables.items()},
        round(outcome.at * 1e6) - start if outcome.at else None,
        round(outcome.first_reply * 1e6) - start if outcome.first_reply else None,
        outcome.requests, outcome.varbinds,
        (
            start,
            round(trace.read * 1e6) - start if trace.read else None,
            started, replied,
            round(trace.done * 1e6) - start if trace.done else None,
            trace.delivery, trace.consumer,
            *(_asked_layout(asked, start, started or 0, replied or 0) if asked.first else ()),
            *(_lag_layout(trace) if trace.lag_s else ()),
        ),
        *_newer_layout(outcome),
    )  # fmt: skip


def _newer_layout(outcome: Outcome) -> tuple[Any, ...]:
    """Return what came later than the first release: left out where there is nothing to say."""
    if outcome.counter32:
        return outcome.profile, outcome.counter32
    return (outcome.profile,) if outcome.profile else ()


def _asked_layout(asked: Asked, start: int, started: int, replied: int) -> tuple[Any, ...]:
    """Return when the device was asked: [first request, last reply, retries, time of each], in a few bytes.

    Each is counted from what is likely near: from `started`, from the first reply, and retries from the first request.
    """
    first = round(asked.first * 1e6) - start
    last = round(asked.last_reply * 1e6) - start - replied if asked.last_reply else None
    if not asked.retries:
        return ((first - started, last),)
    again = [round(at * 1e6) - start - first if at else -first for at in asked.retried]
    return ((first - started, last, asked.retries, *again),)


def _lag_layout(trace: Trace) -> tuple[int | None, ...]:
    """Return how late the worker was, in milliseconds: it stands behind `asked`."""
    lag_ms = round(trace.lag_s * 1000)
    return (lag_ms,) if trace.asked.first else (None, lag_ms)


def _table_layout(table: Table, start: int) -> tuple[Any, ...]:
    """Return a table's array: [columns, key, complete, data by column (the index first), times, 32-bit counters]."""
    if isinstance(table.rows, ColumnRows):
        data = table.rows.data  # of a walk, which has nothing but values
    else:
        data = list(zip_longest(*table.rows))
        _check_columns(table.columns, data)
    times = [(run.rows, round(run.at * 1e6) - start if run.at else None, run.uptime) for run in table.times]
    layout = table.columns, table.key, table.complete, data, times
    return (*layout, _narrow_layout(table)) if table.counter32 else layout


def _narrow_layout(table: Table) -> list[tuple[int, Any]]:
    """Return which columns, by place, came as Counter32: true for all rows, else a list of their numbers."""
    names, count = table.columns, len(table.rows)
    return [
        (names.index(name), True if type(rows) is range and len(rows) == count else list(rows))
        for name, rows in table.counter32.items()
        if name in names
    ]


def _check_columns(columns: Sequence[str], data: Sequence[Sequence[Any]]) -> None:
    """Refuse a table whose columns are not as many as their names and the index, or hold more than scalars."""
    if data and len(data) != len(columns) + 1:
        raise ValueError(f"a table has {len(data)} columns of data for an index and {len(columns)} names")
    for column in data:
        if not isinstance(column, list | tuple) or not _SCALARS.issuperset(map(type, column)):
            raise ValueError("a table's column is not a list of values")


def _read(fields: Any) -> tuple[Outcome, Trace]:
    """Build the outcome and the trace from the payload's array."""
    return _read_outcome(fields), _read_trace(fields[9])


def _read_outcome(fields: Any) -> Outcome:
    """Build the outcome from the payload's array; what a newer version added behind is ignored."""
    match fields:
        case [
            int(status),
            str(error),
            dict(values),
            dict(missing),
            dict(tables),
            at,
            reply,
            int(sent),
            int(got),
            [int(start), *_],
            *newer,
        ]:
            pass
        case _:
            raise ValueError("not [status, error, values, missing, tables, at, first_reply, requests, varbinds, trace]")
    clock = _clock(start)
    _expect("a name", values, str)
    _expect("a reason", (*missing, *missing.values()), str)
    _expect("a table's name", tables, str)
    return Outcome(
        Status(status), error, _scalars(values), {name: _read_table(table, clock) for name, table in tables.items()},
        missing, clock(at), clock(reply), sent, got, *_read_newer(newer),
    )  # fmt: skip


def _clock(start: int) -> Callable[[Any], float]:
    """Return what makes a time of the microseconds since a dispatch, and 0.0 of nil."""

    def clock(offset: Any) -> float:
        return 0.0 if offset is None else (start + _integer(offset)) / 1e6

    return clock


def _read_trace(fields: Any) -> Trace:
    """Build the trace."""
    match fields:
        case [int(start), read, started, first, done, int(delivery), str(consumer), *more]:
            pass
        case _:
            raise ValueError("a trace is not [dispatched, read, started, first_reply, done, delivery, consumer]")
    clock = _clock(start)
    trace = Trace(start / 1e6, clock(read), clock(started), clock(first), clock(done), delivery, consumer)
    if more and more[0] is not None:
        trace.asked = _read_asked(more[0], started, first, clock)
    if more[1:]:
        trace.lag_s = _integer(more[1]) / 1000
    return trace


def _read_newer(fields: Any) -> tuple[str, tuple[str, ...]]:
    """Return the profile's name and the scalars that came as Counter32; older payloads have neither."""
    match fields:
        case []:
            return "", ()
        case [str(profile)]:
            return profile, ()
        case [str(profile), list(narrow), *_]:
            _expect("a counter's name", narrow, str)
            return profile, tuple(narrow)
    raise ValueError("behind the trace is not [profile, counters of 32 bits]")


def _read_asked(fields: Any, started: Any, replied: Any, clock: Callable[[Any], float]) -> Asked:
    """Return when the device was asked."""
    match fields:
        case [int(first), int() | None as last, *again]:
            pass
        case _:
            raise ValueError("behind a trace is not [first request, last reply, retries, time of each]")
    first += started or 0
    retries, *retried = map(_integer, again or (0,))
    replied = None if last is None else last + (replied or 0)
    return Asked(clock(first), clock(replied), retries, tuple(clock(first + at) for at in retried))


def _read_table(fields: Any, clock: Callable[[Any], float]) -> Table:
    """Build a table; its columns must be as many as their names and the index, and equally long."""
    match fields:
        case [list(columns), str(key), bool(complete), list(data), list(times), *newer]:
            pass
        case _:
            raise ValueError("a table is not [columns, key, complete, data, times]")
    _expect("a column's name", columns, str)
    _check_columns(columns, data)
    runs = tuple(_read_run(run, clock) for run in times)
    if len({*map(len, data)}) > 1:
        raise ValueError("a table's columns are not equally long")
    rows = ColumnRows(data)
    narrow = _read_narrow(newer[0], columns, len(rows)) if newer else {}
    return Table(tuple(columns), rows, runs, complete, key, narrow)


def _read_narrow(fields: Any, columns: Sequence[str], count: int) -> dict[str, Rows]:
    """Return which rows came as Counter32, by column."""
    narrow: dict[str, Rows] = {}
    for each in fields if isinstance(fields, list) else (fields,):
        match each:
            case [int(place), True] if 0 <= place < len(columns):
                narrow[columns[place]] = range(count)
            case [int(place), list(rows)] if 0 <= place < len(columns) and all(row in range(count) for row in rows):
                narrow[columns[place]] = tuple(rows)
            case _:
                raise ValueError("counters of 32 bits are not [column, rows of the table]")
    return narrow


def _read_run(fields: Any, clock: Callable[[Any], float]) -> TableTime:
    match fields:
        case [int(rows), at, int() | None as uptime, *_]:
            return TableTime(rows, clock(at), uptime)
    raise ValueError("a table's time is not [rows, at, uptime]")


def _scalars(values: dict[str, Any]) -> dict[str, Value]:
    if not _SCALARS.issuperset(map(type, values.values())):
        raise ValueError("a value is not a number, text, bytes or nil")
    return values


def _integer(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError(f"a time is {type(value).__name__}, not microseconds")
    return value


def _expect(what: str, found: Iterable[Any], kind: type) -> None:
    if not {kind}.issuperset(map(type, found)):
        raise ValueError(f"{what} is not {kind.__name__}")


def _mended(outcome: Outcome) -> Outcome:
    """Return the outcome with what msgpack can't hold replaced by None, and the reasons added to `missing`.

    What is no time (not a number, infinite) becomes the epoch.
    """
    missing = {_text(name): _text(reason) for name, reason in outcome.missing.items()}
    values = {_text(name): _kept(_text(name), value, missing) for name, value in outcome.values.items()}
    tables = {_text(name): _mended_table(_text(name), table, missing) for name, table in outcome.tables.items()}
    return Outcome(
        outcome.status, _text(outcome.error), values, tables, missing,
        _time(outcome.at), _time(outcome.first_reply), outcome.requests, outcome.varbinds, _text(outcome.profile),
        tuple(map(_text, outcome.counter32)),
    )  # fmt: skip


def _mended_trace(trace: Trace) -> Trace:
    asked = trace.asked
    return Trace(
        _time(trace.dispatched), _time(trace.read), _time(trace.started), _time(trace.first_reply), _time(trace.done),
        trace.delivery, trace.consumer,
        Asked(_time(asked.first), _time(asked.last_reply), asked.retries, tuple(map(_time, asked.retried))),
        trace.lag_s,
    )  # fmt: skip


def _mended_table(name: str, table: Table, missing: dict[str, str]) -> Table:
    labels = [f"{name}.{column}" for column in ("index", *table.columns)]
    rows = [
        [_kept(label, value, missing) for label, value in zip_longest(labels, row[: len(labels)])] for row in table.rows
    ]
    narrow = {_text(column): which for column, which in table.counter32.items()}
    times = [TableTime(run.rows, _time(run.at), run.uptime) for run in table.times]
    return Table(tuple(map(_text, table.columns)), rows, times, table.complete, _text(table.key), narrow)


def _kept(name: str, value: object, missing: dict[str, str]) -> Value:
    """Return a value as msgpack can hold it; None, with the reason noted, for what it can't."""
    match value:
        case int() if not -(1 << 63) <= value < 1 << 64:
            missing[_text(name)] = _BEYOND
        case str():
            return _text(value)
        case int() | float() | bytes() | None:
            return value
        case _:
            missing[_text(name)] = f"a {type(value).__name__} can't be stored"
    return None


def _time(at: float) -> float:
    return at if math.isfinite(at) else _EPOCH


def _text(text: str) -> str:
    """Return text that UTF-8 can hold: lone surrogates are written out."""
    return text.encode("utf-8", "backslashreplace").decode()
