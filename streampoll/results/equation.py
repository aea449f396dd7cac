"""The equation that audit proves, as pure functions over counts.

    plan x time = ledger (dispatched + skipped)      for each (job, shard) and tick up to its last ledger entry
    ledger      = rows                               for each job and tick

each by count and by the sum of the device hashes, so that one device in the place of another does not go unseen. What
falls short is `missing`, or `lost` where a loss of Redis data is on record; rows that nobody dispatched are
`duplicates`. Summed up, by job:

    expected + duplicates = ok + partial + failed + expired + skipped + lost + missing
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from streampoll.model import Status
from streampoll.results.promise import NOTHING, Sum

UNDISPATCHED_AFTER_S = 30  # promised this long ago and no ledger entry since: dispatch has stopped


class Gap(StrEnum):
    """How a tick falls short."""

    NOT_DISPATCHED = "not dispatched"  # due by the plan, absent from the ledger
    NO_ROW = "no row"  # in the ledger, no row
    EXTRA_ROW = "row not dispatched"  # a row that no ledger entry covers


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One tick of a job that does not add up."""

    gap: Gap
    job: str
    slot: int
    shards: tuple[int, ...]  # where it may be
    count: int
    lost: int = 0  # of these, covered by a loss on record


@dataclass(frozen=True, slots=True)
class Booked:
    """What the ledger says of one (job, shard) and tick."""

    planned: Sum = NOTHING  # dispatched by the plan
    ad_hoc: Sum = NOTHING  # dispatched outside it (run now, workflows)
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class SkippedRange:
    """Ticks that were skipped as a whole; the ledger has one entry for them all."""

    first: int
    last: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows of one job and slot."""

    polls: Sum
    by_status: Mapping[Status, int]
    last_stored_ms: int  # after the slot


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of one (job, shard)."""

    shard: int
    promised: Mapping[int, Sum]  # tick -> due by the plan
    booked: Mapping[int, Booked]
    ranges: Sequence[SkippedRange]
    horizon: int | None  # last tick of the ledger; None: it has no entry
    losses: Sequence[tuple[int, int]] = ()  # first and last tick of losses on record

    def lossy(self, tick: int) -> bool:
        """True if a loss of Redis data covers this tick."""
        return any(first <= tick <= last for first, last in self.losses)


@dataclass(slots=True)
class Tally:
    """One job's side of the equation, or the total."""

    expected: int = 0
    by_status: Counter[Status] = field(default_factory=Counter)
    skipped: int = 0
    lost: int = 0
    missing: int = 0
    duplicates: int = 0
    cycles_ms: Counter[int] = field(default_factory=Counter)  # slot to last row -> slots
    shortfalls: list[Shortfall] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add another job's."""
        self.expected += other.expected
        self.by_status += other.by_status
        self.skipped += other.skipped
        self.lost += other.lost
        self.missing += other.missing
        self.duplicates += other.duplicates
        self.cycles_ms += other.cycles_ms
        self.shortfalls += other.shortfalls

    def note(self, shortfall: Shortfall) -> None:
        """Book a shortfall under lost, missing or duplicates."""
        self.shortfalls.append(shortfall)
        if shortfall.gap is Gap.EXTRA_ROW:
            self.duplicates += shortfall.count
            return
        self.lost += shortfall.lost
        self.missing += shortfall.count - shortfall.lost


@dataclass(slots=True)
class _Dispatched:
    """What all shards dispatched of a job at one tick."""

    polls: Sum = NOTHING
    lossy: int = 0  # of these, in shards with a loss on record
    shards: list[int] = field(default_factory=list)


def judge(job: str, lines: Iterable[Line], stored: Mapping[int, Stored], open_slots: Collection[int]) -> Tally:
    """Return a job's tally over the ticks that are final, those not in `open_slots`."""
    tally = Tally()
    dispatched: dict[int, _Dispatched] = {}
    for line in lines:
        _judge_ledger(job, line, open_slots, tally)
        _gather(line, open_slots, dispatched)
    for slot in sorted(dispatched.keys() | stored.keys()):
        if slot not in open_slots:
            _judge_rows(job, slot, dispatched.get(slot) or _Dispatched(), stored.get(slot), tally)
    return tally


def _judge_ledger(job: str, line: Line, open_slots: Collection[int], tally: Tally) -> None:
    """Hold one (job, shard)'s ledger against its plan."""
    horizon = -1 if line.horizon is None else line.horizon
    for tick, entry in line.booked.items():
        if tick not in open_slots:
            tally.skipped += entry.skipped
            tally.expected += entry.skipped
    for tick, due in line.promised.items():
        if tick <= horizon and tick not in open_slots and not _in_range(line, tick):
            short = _short_of_plan(due, line.booked.get(tick, Booked()))
            _note_not_dispatched(job, line, tick, short, tally)
    for covered in line.ranges:
        _judge_range(job, line, covered, open_slots, tally)


def _in_range(line: Line, tick: int) -> bool:
    return any(covered.first <= tick <= covered.last for covered in line.ranges)


def _short_of_plan(due: Sum, entry: Booked) -> int:
    """Return how many polls of the plan are not in the ledger (at least, where the hash sums say others are)."""
    short = due.count - entry.planned.count - entry.skipped
    if not short and not entry.skipped and due.hash_sum != entry.planned.hash_sum:
        return 1
    return max(0, short)


def _judge_range(job: str, line: Line, covered: SkippedRange, open_slots: Collection[int], tally: Tally) -> None:
    """Count a range's skipped polls, but not those it repeats that had been dispatched before Redis lost its mark."""
    ticks = [tick for tick in line.promised if covered.first <= tick <= covered.last and tick not in open_slots]
    room = covered.skipped
    for tick in ticks:
        entry = line.booked.get(tick, Booked())
        undone = max(0, line.promised[tick].count - entry.planned.count - entry.skipped)
        skipped = min(room, undone)
        room = max(0, room - line.promised[tick].count)
        tally.skipped += skipped
        tally.expected += skipped
        _note_not_dispatched(job, line, tick, undone - skipped, tally)


def _note_not_dispatched(job: str, line: Line, tick: int, short: int, tally: Tally) -> None:
    if short:
        tally.expected += short
        lost = short if line.lossy(tick) else 0
        tally.note(Shortfall(Gap.NOT_DISPATCHED, job, tick, (line.shard,), short, lost))


def _gather(line: Line, open_slots: Collection[int], dispatched: dict[int, _Dispatched]) -> None:
    """Add one shard's ledger to what the job dispatched at each tick."""
    for tick, entry in line.booked.items():
        polls = entry.planned + entry.ad_hoc
        if not polls.count or tick in open_slots:
            continue
        total = dispatched.setdefault(tick, _Dispatched())
        total.polls += polls
        total.lossy += polls.count if line.lossy(tick) else 0
        total.shards.append(line.shard)


def _judge_rows(job: str, slot: int, dispatched: _Dispatched, stored: Stored | None, tally: Tally) -> None:
    """Hold the rows of a slot against the ledger."""
    tally.expected += dispatched.polls.count
    rows = stored.polls if stored else NOTHING
    if stored:
        tally.by_status.update(stored.by_status)
        tally.cycles_ms[stored.last_stored_ms] += 1
    short, extra = dispatched.polls.count - rows.count, rows.count - dispatched.polls.count
    if not short and rows.hash_sum != dispatched.polls.hash_sum:  # one in the place of another, at least
        short = extra = 1
    if short > 0:
        lost = min(short, dispatched.lossy)
        tally.note(Shortfall(Gap.NO_ROW, job, slot, tuple(dispatched.shards), short, lost))
    if extra > 0:
        tally.note(Shortfall(Gap.EXTRA_ROW, job, slot, tuple(dispatched.shards), extra))


def undispatched(line: Line, now: float) -> tuple[int, int] | None:
    """Return (first tick, polls) that were due after the ledger's last entry and long ago; None if dispatch goes on."""
    after = -1 if line.horizon is None else line.horizon
    late = {tick: due.count for tick, due in line.promised.items() if after < tick < now - UNDISPATCHED_AFTER_S}
    return (min(late), sum(late.values())) if late else None


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the value below which `share` (0 to 1) of the counted lie (nearest rank); None where there are none."""
    rank = share * sum(counts.values())
    for value in sorted(counts):
        rank -= counts[value]
        if rank <= 0:
            return float(value)
    return None
