"""What a batch of result entries becomes before it meets PostgreSQL: read, one outcome a key. Pure.

One INSERT can't touch a key twice, so a batch is reduced to one outcome a (job, device, slot) first, by the same rule
that PostgreSQL then applies against what is stored: an attempt's outcome beats `expired` and `crashed`, else the first
stays.

Of the ledger a key comes twice only if Redis lost data in between: what was dispatched and skipped is kept as
dispatched, with the cause of the skip, by which audit knows of the loss.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from streampoll.errors import EntryError
from streampoll.model import Event, LedgerEntry, RatesRow, Result, Status
from streampoll.shards.entries import (
    VERSION,
    Delivered,
    Entry,
    Kind,
    decode_event,
    decode_ledger,
    decode_many_rates,
    decode_rates,
    decode_result,
    decode_results,
)

_STANDS_IN = frozenset({Status.EXPIRED, Status.CRASHED})  # no attempt's own outcome: one is let in afterwards
_INT4 = (1 << 31) - 1

Record = Result | LedgerEntry | RatesRow | Event

_DECODE: dict[str, Callable[[Entry], Record]] = {
    Kind.RESULT: decode_result, Kind.LEDGER: decode_ledger, Kind.RATES: decode_rates, Kind.EVENT: decode_event,
}  # fmt: skip
_DECODE_SEVERAL: dict[str, Callable[[Entry], Sequence[Record]]] = {
    Kind.RESULTS: decode_results, Kind.MANY_RATES: decode_many_rates,
}  # fmt: skip
_ROWS_AT_ONCE = 1_000  # in one INSERT


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry that this release can't read, and why."""

    reason: str


ReadEntry = tuple[Delivered, Sequence[Record] | Unreadable]
"""An entry, and what it holds."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """One outcome a key, as they came, and the different ones that lost against it."""

    results: tuple[Result, ...]
    repeats: tuple[Result, ...]


def read_entry(delivered: Delivered) -> Sequence[Record] | Unreadable:
    """Decode one entry of class results; one of several rows that can't all be read is not read at all."""
    entry = delivered.entry
    if entry is None:
        return Unreadable("the entry's fields can't be read")
    if entry.version != VERSION:
        return Unreadable(f"entry version {entry.version[:20]!r} is not {VERSION!r}")
    try:
        if (several := _DECODE_SEVERAL.get(entry.kind)) is not None:
            return several(entry)
        if (decode := _DECODE.get(entry.kind)) is not None:
            return (decode(entry),)
    except EntryError as error:
        return Unreadable(str(error))
    return Unreadable(f"unknown kind {entry.kind[:40]!r}")


def stands_in(result: Result) -> bool:
    """True for an outcome that an attempt's own replaces."""
    return result.status in _STANDS_IN


def reduce_results(results: Iterable[Result]) -> Reduced:
    """Keep one outcome a key, as the rule above says."""
    kept: dict[tuple[int, str, str], Result] = {}
    repeats: list[Result] = []
    for result in results:
        key = result.slot, result.device, result.job
        first = kept.setdefault(key, result)
        if first is result or digest(first) == digest(result):
            continue
        if stands_in(first) and not stands_in(result):
            kept[key] = result
        elif not stands_in(result):
            repeats.append(result)
    return Reduced(tuple(kept.values()), tuple(repeats))


def reduce_rates(rates: Iterable[RatesRow]) -> list[RatesRow]:
    """Keep the first of each key."""
    kept: dict[tuple[int, str, str], RatesRow] = {}
    for row in rates:
        kept.setdefault((row.slot, row.device, row.job), row)
    return list(kept.values())


def reduce_ledger(entries: Iterable[LedgerEntry]) -> list[LedgerEntry]:
    """Keep one entry a key, in key order."""
    kept: dict[tuple[str, int, int, int, int, int], LedgerEntry] = {}
    for entry in entries:
        key = entry.job, entry.shard, entry.tick, entry.part, entry.plan, entry.tick_to
        kept[key] = merge_ledger(kept[key], entry) if key in kept else entry
    return [kept[key] for key in sorted(kept)]


def merge_ledger(first: LedgerEntry, second: LedgerEntry) -> LedgerEntry:
    """Return what is kept of two entries of one key: the first, unless one was dispatched and the other skipped."""
    if (first.count > 0) == (second.count > 0):
        return first
    done, skip = (first, second) if first.count else (second, first)
    return done if done.cause else replace(done, cause=skip.cause)


def digest(result: Result) -> int:
    """Return a signed 64-bit digest of what an outcome says: equal for a redelivery, different for a second attempt."""
    said = blake2b(result.payload, digest_size=8, key=bytes([result.status])).digest()
    return int.from_bytes(said, "big", signed=True)


def signed(value: int) -> int:
    """Return an unsigned 64-bit number as the signed one of the same bits, which is what bigint holds."""
    return (value & ((1 << 64) - 1)) - ((value & (1 << 63)) << 1)


def clamp(value: float) -> int:
    """Return a count of milliseconds within PostgreSQL's integer; 24 days late is late enough."""
    return int(max(-_INT4, min(_INT4, value)))


def portions(read: Iterable[ReadEntry]) -> Iterator[Sequence[ReadEntry]]:
    """Split a batch between its entries into what is written at once: they may have many rows."""
    portion: list[ReadEntry] = []
    rows = 0
    for each in read:
        more = 0 if isinstance(each[1], Unreadable) else len(each[1])
        if portion and rows + more > _ROWS_AT_ONCE:
            yield portion
            portion, rows = [], 0
        portion.append(each)
        rows += more
    if portion:
        yield portion


def halves(records: Sequence[Record]) -> tuple[Sequence[Record], Sequence[Record]]:
    """Split a batch in two, to find the record that PostgreSQL refuses."""
    middle = len(records) // 2
    return records[:middle], records[middle:]
