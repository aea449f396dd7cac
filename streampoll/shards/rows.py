"""What is finished in one call and is of one job and slot becomes one entry, of several rows.

Redis and the worker that reads it have hardly more work with an entry of fifteen rows than with one of a single row.
Joined are results, rates, and what is to be analysed: `JOINED` has the kinds. finish.lua does it, since only there it
is known which entries were still the caller's; `Joiner` says the same in Python, for the model. A lone one is an entry
of its kind as if there was nothing of this.

What is counted by class (open, backlog) counts entries: that a slot is final is known by there being none, whoever
finishes them. `results:+` and `analysis:+` in the backlog count the rows beyond, for the high water of results and for
people.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import msgpack

from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, Kind, Log

JOINED: Mapping[QueueClass, Mapping[str, str]] = {
    QueueClass.RESULTS: {Kind.RESULT: Kind.RESULTS, Kind.RATES: Kind.MANY_RATES},
    QueueClass.ANALYSIS: {Kind.ANALYZE: Kind.MANY_ANALYZE},
}
"""Class -> kind of one row -> kind of several; finish.lua has the same."""

_SEVERAL_OF = {kind: several for kinds in JOINED.values() for kind, several in kinds.items()}
_ONE_OF = {several: kind for kind, several in _SEVERAL_OF.items()}
SEVERAL = frozenset(_SEVERAL_OF.values())
"""Kinds of entries of several rows."""

MOST_ROWS = 15  # in an entry: a msgpack array of up to 15 begins with one byte that says how many
MOST_BYTES = 8_192  # of its rows together: a store holds entries by their number. A larger row is alone
_ARRAY = 0x90  # msgpack's fixarray


def rows_in(entry: Entry) -> int:
    """Return how many rows an entry stands for, by its first byte: of a damaged one too, all who ask get one answer."""
    if entry.kind not in SEVERAL:
        return 1
    return max(1, entry.body[0] - _ARRAY) if entry.body and entry.body[0] <= _ARRAY + MOST_ROWS else 1


def apart(entry: Entry) -> list[Entry]:
    """Return what was joined, an entry a row, as it was; nothing where there is one row, or the body is damaged."""
    count = rows_in(entry)
    if count == 1:
        return []
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(entry.body[1:])
    ends = [1]
    try:
        for _ in range(count):
            unpacker.skip()
            ends.append(1 + unpacker.tell())
    except (ValueError, msgpack.UnpackException):
        return []
    if ends[-1] != len(entry.body):
        return []
    kind, body = _ONE_OF[entry.kind], entry.body
    return [Entry(kind, entry.job, entry.slot, 0, body[start:end]) for start, end in pairwise(ends)]


class Joiner:
    """Joins what may be joined among what is emitted, class by class in order."""

    def __init__(self) -> None:
        self._groups: dict[QueueClass, list[list[Entry]]] = {to: [] for to in JOINED}
        self._newest: dict[tuple[str, str, int], list[Entry]] = {}

    def takes(self, to: QueueClass | Log, entry: Entry) -> bool:
        """Keep an entry to be joined; False for one that is not."""
        if isinstance(to, Log) or entry.kind not in JOINED.get(to, ()) or entry.expiry:
            return False
        key = entry.kind, entry.job, entry.slot
        group = self._newest.get(key)
        if group is None and to is QueueClass.ANALYSIS:  # a device's slots keep their order
            self._newest = {known: rows for known, rows in self._newest.items() if known[:2] != key[:2]}
        if group is None or not _has_room(group, entry):
            self._newest[key] = group = []
            self._groups[to].append(group)
        group.append(entry)
        return True

    def give(self, to: QueueClass) -> Iterator[Entry]:
        """Yield the entries of what was kept for a class, and begin anew with it."""
        groups, self._groups[to] = self._groups[to], []
        self._newest = {key: group for key, group in self._newest.items() if key[0] not in JOINED[to]}
        return map(join, groups)


def join(rows: list[Entry]) -> Entry:
    """Return the entry of rows of one kind, job and slot, as many as it may have; its body is an array of theirs."""
    first = rows[0]
    if len(rows) == 1:
        return first
    bodies = b"".join(each.body for each in rows)
    return Entry(_SEVERAL_OF[first.kind], first.job, first.slot, 0, bytes([_ARRAY + len(rows)]) + bodies)


def _has_room(group: list[Entry], entry: Entry) -> bool:
    return len(group) < MOST_ROWS and sum(len(each.body) for each in group) + len(entry.body) <= MOST_BYTES
