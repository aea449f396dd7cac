"""Dead letters: what nobody could serve, with its cause, until a person looks at it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from streampoll.errors import EntryError
from streampoll.model import QueueClass
from streampoll.shards.entries import Entry, Kind, decode_fields, decode_target
from streampoll.shards.keys import Keys
from streampoll.shards.ring import device_hash
from streampoll.shards.rows import rows_in
from streampoll.shards.runs import ad_hoc_ledger
from streampoll.shards.scripts import Scripts

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter."""

    queue: QueueClass
    shard: int
    id: str  # the letter's own id; unique within class and shard
    entry_id: str  # the id that the entry had in its stream
    cause: str
    delivery: int
    entry: Entry | None  # None: its fields can't be read
    fields: Mapping[str, bytes]  # as they were

    @property
    def name(self) -> str:
        """How people name it: `polling/07/1700000000000-0`."""
        return f"{self.queue}/{self.shard:02d}/{self.id}"

    @property
    def buried(self) -> float:
        """When it was buried, wall-clock seconds of Redis."""
        return int(self.id.partition("-")[0]) / 1000

    @property
    def device(self) -> str:
        """The device of a poll; "" for anything else."""
        if self.entry is None or self.entry.kind != Kind.POLL:
            return ""
        try:
            return decode_target(self.entry.body)[0].device
        except EntryError:
            return ""


class Letters:
    """The dead letters of a deployment."""

    def __init__(self, scripts: Scripts, keys: Keys, shards: int) -> None:
        self._scripts = scripts
        self._keys = keys
        self._shards = shards

    async def read(self, queues: Sequence[QueueClass] = tuple(QueueClass)) -> AsyncIterator[Letter]:
        """Yield the letters of classes, shard by shard, the oldest first."""
        for queue in queues:
            for shard in range(self._shards):
                async for letter in self.of_shard(queue, shard):
                    yield letter

    async def of_shard(self, queue: QueueClass, shard: int) -> AsyncIterator[Letter]:
        """Yield the letters of a class in one shard, the oldest first."""
        dead, first = self._keys.shard(shard).dead(queue), "-"
        while True:
            found = await self._scripts.one("letters", [dead], [first, _AT_ONCE])
            for letter_id, fields in found:
                yield _letter(queue, shard, letter_id.decode(), fields)
            if len(found) < _AT_ONCE:
                return
            first = f"({found[-1][0].decode()}"

    async def find(self, name: str) -> Letter | None:
        """Return the letter of a name; None if there is none, or it is no name."""
        try:
            queue_name, shard_number, letter_id = name.split("/")
            queue, shard = QueueClass(queue_name), int(shard_number)
        except ValueError:
            return None
        found = await self._scripts.one("letters", [self._keys.shard(shard).dead(queue)], [letter_id, 1])
        return _letter(queue, shard, letter_id, found[0][1]) if found and found[0][0].decode() == letter_id else None

    async def requeue(self, letter: Letter, now: float) -> bool:
        """Put a letter back to work; False if somebody else has, or it can't be read.

        A poll gets a new, ad hoc slot, `now`, and a ledger entry of its own: its old slot has been accounted for. A
        message to people gets one too: it is tried for as long as a new one is.
        """
        if letter.entry is None:
            return False
        entry, ledger = letter.entry, b""
        if letter.queue is QueueClass.POLLING:
            entry = Entry(entry.kind, entry.job, int(now), 0, entry.body)
            ledger = ad_hoc_ledger(letter.shard, int(now), [device_hash(letter.device)])
        elif entry.kind in (Kind.MESSAGE, Kind.SEND):
            entry = structs.replace(entry, slot=int(now))
        keys, queue = self._keys.shard(letter.shard), letter.queue
        put_back = await self._scripts.one(
            "requeue",
            [keys.dead(queue), keys.stream(queue), keys.open, keys.backlog, keys.stream(QueueClass.RESULTS)],
            [
                queue.value,
                letter.id,
                entry.kind,
                entry.job,
                entry.slot,
                entry.expiry,
                entry.body,
                ledger,
                rows_in(entry) - 1,
            ],
        )
        return bool(put_back)

    async def purge(self, letters: Sequence[Letter]) -> int:
        """Delete letters for good; return how many there still were."""
        by_key: dict[str, list[str]] = {}
        for letter in letters:
            by_key.setdefault(self._keys.shard(letter.shard).dead(letter.queue), []).append(letter.id)
        return sum([await self._scripts.one("purge", [key], ids) for key, ids in by_key.items()])


def _letter(queue: QueueClass, shard: int, letter_id: str, flat: Sequence[bytes]) -> Letter:
    head, fields = dict(zip(flat[0:6:2], flat[1:6:2], strict=True)), flat[6:]
    try:
        entry = decode_fields(fields)
    except EntryError:
        entry = None
    return Letter(
        queue,
        shard,
        letter_id,
        head[b"id"].decode(),
        head[b"cause"].decode(errors="replace"),
        int(head[b"delivery"]),
        entry,
        {name.decode(errors="replace"): value for name, value in zip(fields[0::2], fields[1::2], strict=False)},
    )
