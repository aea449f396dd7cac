"""One stream with its consumer group, as Redis keeps them: the ground floor of the model in memory.py.

The order of a dict is the order of ids: a stream only ever adds greater ids, and a group delivers them in order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

StreamId = tuple[int, int]  # milliseconds, sequence

START: StreamId = (0, 0)
_LOOKS = 1_000  # entries that a sweep looks at, about


@dataclass(slots=True)
class Pending:
    """An entry that a consumer holds."""

    consumer: str
    since_ms: int  # its idle time runs from here
    deliveries: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim of idle entries brought."""

    cursor: StreamId  # where the next one goes on; START: the round is complete
    ids: Sequence[StreamId]
    lost: int  # pending entries whose fields are gone


class MemoryStream:
    """Entries (fields in XADD's order) and, once it is made, one group; time is asked of `now_ms`."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._last_id = START
        self._delivered = START
        self._seen_ms: dict[str, int] = {}
        self.entries: dict[StreamId, Sequence[bytes]] = {}
        self.pending: dict[StreamId, Pending] = {}
        self.grouped = False

    def add(self, fields: Sequence[bytes]) -> StreamId:
        """Add an entry (XADD *): its id is greater than every id before, whatever the clock says."""
        ms, sequence = self._last_id
        now = self._now_ms()
        self._last_id = (now, 0) if now > ms else (ms, sequence + 1)
        self.entries[self._last_id] = fields
        return self._last_id

    def make_group(self) -> None:
        """Make the group where it is missing, at the stream's beginning."""
        self.grouped = True

    def delete_group(self) -> None:
        """Delete the group with all that it knows (XGROUP DESTROY)."""
        self.grouped = False
        self._delivered = START
        self.pending.clear()
        self._seen_ms.clear()

    def read(self, consumer: str, count: int) -> list[StreamId]:
        """Deliver up to `count` entries that no consumer has had (XREADGROUP >)."""
        now = self._seen_ms[consumer] = self._now_ms()
        new = list(islice((entry_id for entry_id in self.entries if entry_id > self._delivered), count))
        for entry_id in new:
            self.pending[entry_id] = Pending(consumer, now, 1)
        if new:
            self._delivered = new[-1]
        return new

    def holds(self, consumer: str, entry_id: StreamId) -> bool:
        """True if the entry is pending under the consumer."""
        held = self.pending.get(entry_id)
        return held is not None and held.consumer == consumer

    def remove(self, entry_id: StreamId) -> None:
        """Acknowledge and delete an entry."""
        self.pending.pop(entry_id, None)
        self.entries.pop(entry_id, None)

    def renew(self, entry_id: StreamId) -> None:
        """Let a held entry's idle time run from now (XCLAIM JUSTID)."""
        self.pending[entry_id].since_ms = self._now_ms()

    def sweep(self, consumer: str, idle_ms: int, cursor: StreamId, count: int) -> Claimed:
        """Claim until there are `count`, the round is complete, or so many were looked at."""
        ids: list[StreamId] = []
        lost, looks = 0, _LOOKS
        while True:
            left = count - len(ids) - lost
            claimed = self.claim(consumer, idle_ms, cursor, left)
            cursor, looks = claimed.cursor, looks - 10 * left
            ids += claimed.ids
            lost += claimed.lost
            if len(ids) + lost >= count or cursor == START or looks <= 0:
                return Claimed(cursor, ids, lost)

    def claim(self, consumer: str, idle_ms: int, cursor: StreamId, count: int) -> Claimed:
        """Take entries idle for at least `idle_ms` (XAUTOCLAIM); like Redis, look at no more than ten a `count`."""
        now = self._seen_ms[consumer] = self._now_ms()
        ids: list[StreamId] = []
        lost = 0
        looked_at = iter([entry_id for entry_id in self.pending if entry_id >= cursor])
        for entry_id in islice(looked_at, 10 * count):
            held = self.pending[entry_id]
            if now - held.since_ms < idle_ms:
                continue
            if entry_id in self.entries:
                self.pending[entry_id] = Pending(consumer, now, held.deliveries + 1)
                ids.append(entry_id)
            else:
                del self.pending[entry_id]
                lost += 1
            if len(ids) + lost == count:
                break
        return Claimed(next(looked_at, START), ids, lost)

    def adopt(self, consumer: str, age_ms: int, count: int) -> int:
        """Give old entries that were delivered and that nobody holds to a consumer, as idle as they are old."""
        born = self._now_ms() - age_ms
        old = [entry_id for entry_id in islice(self.entries, count) if entry_id[0] <= born]
        orphans = [entry_id for entry_id in old if entry_id <= self._delivered and entry_id not in self.pending]
        for entry_id in orphans:
            self.pending[entry_id] = Pending(consumer, born, 1)
        self.pending = dict(sorted(self.pending.items()))
        return len(orphans)

    def delete_consumer(self, consumer: str) -> None:
        """Delete a consumer with what it holds (XGROUP DELCONSUMER)."""
        self.pending = {entry_id: held for entry_id, held in self.pending.items() if held.consumer != consumer}

    def retire(self, live: Sequence[str], silent_ms: int) -> int:
        """Forget consumers that are not live, hold nothing and were silent for longer; return how many."""
        busy = {held.consumer for held in self.pending.values()}.union(live)
        oldest = self._now_ms() - silent_ms
        gone = [name for name, seen in self._seen_ms.items() if name not in busy and seen < oldest]
        for name in gone:
            del self._seen_ms[name]
        return len(gone)

    def oldest(self) -> Iterator[StreamId]:
        """The ids, oldest first."""
        return iter(self.entries)


def text_of(entry_id: StreamId) -> bytes:
    return b"%d-%d" % entry_id


def id_of(entry_id: bytes) -> StreamId:
    ms, _, sequence = entry_id.partition(b"-")
    return int(ms), int(sequence)
