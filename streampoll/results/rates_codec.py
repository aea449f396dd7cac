"""The rates that one result brought, as bytes, both ways: version byte 1 + zlib(msgpack), as docs/protocol.md has it.

A rate is four bytes: a rate is a difference over a measured time, which is not known to seven digits. Columns are
packed as arrays of floats, so a counter that stood still, or has no rate, compresses to nothing.
"""

import math
import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgpack
import msgspec

from streampoll.errors import EntryError
from streampoll.results.codec import IN_ZLIB, compressed

VERSION = b"\x01"
MAX_BYTES = 16 << 20
_SMALL_BYTES = 256  # a few scalars: 5.5 us instead of 8.3; of a table's, zlib-ng makes 8 % more
_NOTHING = math.nan
_packed = msgspec.msgpack.Encoder().encode
_SWAP = sys.byteorder == "big"

Rate = float | None


@dataclass(slots=True)
class TableColumns:
    """Rates of one table, column by column, all as long as `rows`."""

    rows: Sequence[str]  # stable keys
    per_s: Mapping[str, Sequence[Rate]] = field(default_factory=dict)
    percent: Mapping[str, Sequence[Rate]] = field(default_factory=dict)
    spans_s: Sequence[Rate] = ()  # over how long a row's rates are; None: it has none


@dataclass(slots=True)
class StoredRates:
    """What one result's counters did since the one before."""

    at: float  # when the values arrived, seconds since the epoch
    span_s: float = 0.0  # over how long the scalars' rates are; 0.0: there are none
    scalars: Mapping[str, Rate] = field(default_factory=dict)
    tables: Mapping[str, TableColumns] = field(default_factory=dict)


def encode_rates_payload(rates: StoredRates) -> bytes:
    """Pack rates."""
    tables = {
        name: (
            list(table.rows), _floats(table.spans_s),
            {counter: _floats(column) for counter, column in table.per_s.items()},
            {counter: _floats(column) for counter, column in table.percent.items()},
        )
        for name, table in rates.tables.items()
    }  # fmt: skip
    packed = _packed((rates.at, rates.span_s, dict(rates.scalars), tables))
    return VERSION + compressed(packed, IN_ZLIB, _SMALL_BYTES)


def decode_rates_payload(payload: bytes) -> StoredRates:
    """Read back what `encode_rates_payload` made.

    Raises:
        EntryError: another version, damaged, too large, or not the layout.
    """
    if payload[:1] != VERSION:
        raise EntryError(f"rates of version {payload[:1]!r} are not of {VERSION!r}")
    try:
        stream = zlib.decompressobj()
        packed = stream.decompress(payload[1:], MAX_BYTES)
        if not stream.eof or stream.unused_data:
            raise EntryError("rates are cut short, too long, or have bytes after their end")
        return _read(msgpack.unpackb(packed))
    except (zlib.error, ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"rates: {error}") from None


def _read(fields: Any) -> StoredRates:
    match fields:
        case [float(at), float(span_s), dict(scalars), dict(tables), *_]:
            if not all(rate is None or isinstance(rate, float) for rate in scalars.values()):
                raise ValueError("a rate is not a number")
            return StoredRates(at, span_s, scalars, {str(name): _table(table) for name, table in tables.items()})
    raise ValueError("not [at, span, scalars, tables]")


def _table(fields: Any) -> TableColumns:
    match fields:
        case [list(rows), bytes(spans), dict(per_s), dict(percent), *_]:
            size = len(rows)
            return TableColumns(
                [str(row) for row in rows],
                {str(name): _column(packed, size) for name, packed in per_s.items()},
                {str(name): _column(packed, size) for name, packed in percent.items()},
                _column(spans, size),
            )
    raise ValueError("a table is not [rows, spans, rates, percent]")


def _floats(column: Sequence[Rate]) -> bytes:
    """Pack a column as little-endian floats of four bytes, NaN where there is none."""
    try:
        packed = array("f", cast("Sequence[float]", column))  # most columns have no None, and none is looked for
    except TypeError:
        packed = array("f", [_NOTHING if rate is None else rate for rate in column])
    if _SWAP:
        packed.byteswap()
    return packed.tobytes()


def _column(packed: Any, size: int) -> list[Rate]:
    if not isinstance(packed, bytes) or len(packed) != 4 * size:
        raise ValueError("a column is not as long as its table")
    numbers = array("f", packed)
    if _SWAP:
        numbers.byteswap()
    return [None if number != number else number for number in numbers]
