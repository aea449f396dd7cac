"""What must hold after every operation on Redis. What must hold at the end is judged in world.py.

A law is broken by raising `Broken` with the law's name: tests of planted mistakes name the law that they break.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from streampoll.model import QueueClass
from streampoll.shards.entries import Kind, decode_fields, decode_result, decode_results
from streampoll.shards.memory import RELEASED
from streampoll.shards.memory_server import MemoryServer
from streampoll.shards.memory_stream import StreamId
from streampoll.shards.port import Answer, Dispatch, Dispatched
from streampoll.shards.rows import rows_in

NOTHING_MISSING = "nothing is missing but what a recorded loss covers"
NO_DUPLICATES = "no row that was not dispatched"
ONE_OUTCOME = "a poll's outcome is added once"
OPEN_IS_UNFINISHED = "what is open is what is in the streams"
ROWS_ARE_COUNTED = "the high water of results counts what is to be stored"
LEASES_HOLD = "a lease that runs is not taken"
OLD_LEADERS_ARE_FENCED = "an older leader dispatches nothing after a newer one"
DISPATCHED_ONCE = "no tick is dispatched twice"
GRACE = "no tick is dropped within the grace"
KEPT = "what a sound process holds is not taken from it"
INNOCENT = "only what dies alone is buried"
ALONE = "what runs alone has nothing beside it"
NOT_EXPIRED = "what has expired is not polled"
IN_TIME = "what the dead leave is taken over in time"
COMES_TO_REST = "all work ends"
NO_BUGS = "nothing ends by a bug"

Owners = dict[tuple[QueueClass, int, StreamId], tuple[str, int]]


class Broken(AssertionError):  # noqa: N818 - reads as what it says
    """A law that does not hold."""

    def __init__(self, law: str, how: str) -> None:
        super().__init__(f"{law}: {how}")
        self.law = law


class Laws:
    """Watches one Redis."""

    def __init__(self, server: MemoryServer, idle_ms: int, grace_s: int) -> None:
        self._server = server
        self._idle_ms = idle_ms
        self._grace_s = grace_s
        self._outcomes: Counter[tuple[str, str, int]] = Counter()
        self._seen: dict[int, StreamId] = defaultdict(lambda: (0, 0))
        self._dispatched: Counter[tuple[str, int, int, int]] = Counter()
        self._epochs: Counter[int] = Counter()
        self.holds: Callable[[str, QueueClass, int, StreamId], bool] = lambda *_: False  # known to a sound process
        self.data_lost = False  # Redis lost data: what was done once may be done again
        self.clock_went_back = False  # ticks come again
        self._latest_s = 0  # that the clock has shown: by which a leader may have decided

    def owners(self) -> Owners:
        """Return who holds what, since when."""
        return {
            (queue, shard, entry_id): (held.consumer, held.since_ms)
            for shard, state in self._server.shards.items()
            for queue, stream in state.streams.items()
            for entry_id, held in stream.pending.items()
        }

    def check(self, what: str, before: Owners) -> None:
        """Check what must hold after an operation."""
        self._leases_hold(what, before)
        self._open_is_unfinished(what)
        self._rows_are_counted(what)
        self._one_outcome()

    def _leases_hold(self, what: str, before: Owners) -> None:
        now = self._server.now_ms()
        for place, (consumer, _) in self.owners().items():
            former, since_ms = before.get(place, (consumer, 0))
            if consumer not in (former, RELEASED) and now - since_ms < self._idle_ms:
                raise Broken(LEASES_HOLD, f"{what}: {consumer} took {place} from {former}")
            if consumer not in (former, RELEASED) and self.holds(former, *place):
                raise Broken(KEPT, f"{what}: {consumer} took {place} from {former}, which holds it still")

    def _open_is_unfinished(self, what: str) -> None:
        for number, shard in self._server.shards.items():
            counted: Counter[QueueClass] = Counter()
            for (queue, _, _), count in shard.open.items():
                counted[queue] += count
            for queue, stream in shard.streams.items():
                there = len(stream.entries) + len(shard.delayed[queue])
                if counted[queue] != there:
                    raise Broken(
                        OPEN_IS_UNFINISHED,
                        f"{what}: {queue} of shard {number} counts {counted[queue]} open, and {there} are there",
                    )

    def _rows_are_counted(self, what: str) -> None:
        for number, shard in self._server.shards.items():
            for queue, stream in shard.streams.items():
                there = sum(rows_in(decode_fields(fields)) - 1 for fields in stream.entries.values())
                if there != (counted := shard.more_rows[queue]):
                    how = f"{queue} of shard {number} counts {counted} rows beyond one an entry, and {there} are there"
                    raise Broken(ROWS_ARE_COUNTED, f"{what}: {how}")

    def _one_outcome(self) -> None:
        for number, shard in self._server.shards.items():
            entries = shard.streams[QueueClass.RESULTS].entries
            for entry_id in reversed(entries):
                if entry_id <= self._seen[number]:
                    break
                self._note_outcome(entries[entry_id])
            self._seen[number] = next(reversed(entries), self._seen[number])

    def _note_outcome(self, fields: Sequence[bytes]) -> None:
        entry = decode_fields(fields)
        if entry.kind == Kind.RESULTS:
            results = decode_results(entry)
        elif entry.kind == Kind.RESULT:
            results = [decode_result(entry)]
        else:
            return
        for result in results:
            key = result.job, result.device, result.slot
            self._outcomes[key] += 1
            if self._outcomes[key] > 1 and not (self.data_lost or self.clock_went_back):
                raise Broken(ONE_OUTCOME, f"{key} has {self._outcomes[key]}")

    def note_time(self) -> None:
        """Remember how late it was: a leader may have decided by that, before the clock went back."""
        self._latest_s = max(self._latest_s, self._server.now_ms() // 1000)

    def note_fence(self, epoch: int, shards: Sequence[int]) -> None:
        """Older leaders are to be refused from now on."""
        for shard in shards:
            self._epochs[shard] = max(self._epochs[shard], epoch)

    def check_dispatch(self, epoch: int, parts: Sequence[Dispatch], answers: Sequence[Dispatched]) -> None:
        """Check what a leader got accepted."""
        for part, answer in zip(parts, answers, strict=True):
            if answer.answer not in (Answer.OK, Answer.SKIPPED):
                continue
            if epoch < self._epochs[part.shard] and not self.data_lost:
                raise Broken(OLD_LEADERS_ARE_FENCED, f"epoch {epoch} after {self._epochs[part.shard]}: {_said(part)}")
            self._epochs[part.shard] = epoch
            self._dispatched_once(part)
            self._within_grace(part)

    def _dispatched_once(self, part: Dispatch) -> None:
        key = part.job, part.shard, part.tick, part.part
        self._dispatched[key] += 1
        if self._dispatched[key] > 1 and not (self.data_lost or self.clock_went_back):
            raise Broken(DISPATCHED_ONCE, _said(part))

    def _within_grace(self, part: Dispatch) -> None:
        self.note_time()
        late = self._latest_s - (part.tick_to or part.tick)
        if part.cause == "late" and late <= self._grace_s:
            raise Broken(GRACE, f"{_said(part)} was but {late} s late")


def _said(part: Dispatch) -> str:
    ticks = f"tick {part.tick}" + (f" to {part.tick_to}" if part.tick_to else "")
    return f"{part.job}, shard {part.shard}, {ticks}, part {part.part}"


def innocent(buried: Mapping[tuple[str, str, int], str], guilty: Sequence[str], excused: set[tuple[str, int]]) -> None:
    """Check that nobody was buried for what another did."""
    for (_, device, slot), how in buried.items():
        if device not in guilty and (device, slot) not in excused:
            raise Broken(INNOCENT, f"{device} at {slot}: {how}")
