"""The equation that audit proves, as pure functions over counts.

    plan x time = ledger (dispatched + skipped)      for each (job, shard) and tick up to its last ledger entry
    ledger      = rows                               for each job and tick

each by count and by the sum of the device hashes, so that one device in the place of another does not go unseen. What
falls short is `missing`, or `lost` where a loss of Redis data is on record; rows that nobody dispatched are
`duplicates`. Summed up, by job:

    expected + duplicates = ok + partial + failed + expired + skipped + lost + missing

When Redis comes back without its last marks, what came behind them is dispatched or skipped again. So the ledger shows
a loss by itself, whatever became of those who noticed it: a tick that was dispatched *and* skipped. A row beats a skip:
what was polled before Redis forgot its dispatch, and skipped after, counts by its row. A tick that was dispatched by
two plans counts once, by the one in force.
"""

from collections import Counter, defaultdict
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
    superseded: int = 0  # dispatched by another plan too: Redis forgot that, or its clock went back; who knows which
    forgotten: bool = False  # some of it was skipped as well: Redis had forgotten that it was dispatched


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of one (job, shard), tick and plan, without ranges."""

    plan: int  # 0: ad hoc
    polls: Sum
    skipped: int = 0
    forgotten: bool = False


def book(entries: Sequence[Entry], due: Sum) -> Booked:
    """Put together what the ledger says of a tick, at which `due` was promised."""
    ad_hoc = sum((entry.polls for entry in entries if not entry.plan), NOTHING)
    planned = sorted((entry for entry in entries if entry.plan), key=lambda entry: _agreement(entry, due))
    if not planned:
        return Booked(NOTHING, ad_hoc)
    *former, last = planned
    return Booked(last.polls, ad_hoc, last.skipped, sum(entry.polls.count for entry in former), last.forgotten)


def _agreement(entry: Entry, due: Sum) -> tuple[bool, bool, int]:
    """Say how well an entry agrees with what was promised: by its polls, by its number, by being much."""
    number = entry.polls.count + entry.skipped
    return entry.polls == due, number == due.count, number


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
        """True if a loss of Redis data covers this tick: it is on record, or shows in the ledger."""
        entry = self.booked.get(tick)
        if entry and (entry.forgotten or (entry.planned.count and self.skips(tick))):
            return True
        return any(first <= tick <= last for first, last in self.losses)

    def skips(self, tick: int) -> bool:
        """True if a range of skipped ticks covers this one."""
        return any(covered.first <= tick <= covered.last for covered in self.ranges)


@dataclass(slots=True)
class Tally:
    """One job's side of the equation, or the total."""

    expected: int = 0
    by_status: Counter[Status] = field(default_factory=Counter)
    skipped: int = 0
    lost: int = 0
    missing: int = 0
    duplicates: int = 0
    shortfalls: list[Shortfall] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add another job's."""
        self.expected += other.expected
        self.by_status += other.by_status
        self.skipped += other.skipped
        self.lost += other.lost
        self.missing += other.missing
        self.duplicates += other.duplicates
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
class _Slot:
    """What all shards did of a job at one tick."""

    polls: Sum = NOTHING  # dispatched
    lossy: int = 0  # of these, in shards with a loss on record
    superseded: int = 0
    skipped: int = 0
    lost: list[tuple[int, int]] = field(default_factory=list)  # (shard, polls) absent from the ledger by a loss
    shards: list[int] = field(default_factory=list)  # that dispatched


def judge(job: str, lines: Iterable[Line], stored: Mapping[int, Stored], open_slots: Collection[int]) -> Tally:
    """Return a job's tally over the ticks that are final, those not in `open_slots`."""
    tally = Tally()
    slots: dict[int, _Slot] = defaultdict(_Slot)
    for line in lines:
        skipped = _skipped_by_ranges(line)
        for tick in (line.booked.keys() | line.promised.keys()) - set(open_slots):
            _judge_ledger(job, line, tick, skipped.get(tick), slots, tally)
    for number in sorted(slots.keys() | stored.keys()):
        if number not in open_slots:
            _judge_rows(job, number, slots[number], stored.get(number), tally)
    return tally


def _skipped_by_ranges(line: Line) -> dict[int, int]:
    """Return how many of the polls due at a tick ranges book as skipped, for the ticks that they cover."""
    found: dict[int, int] = {}
    for covered in line.ranges:
        room = covered.skipped
        for tick in sorted(tick for tick in line.promised if covered.first <= tick <= covered.last):
            here = min(room, line.promised[tick].count)
            found[tick] = max(found.get(tick, 0), here)
            room -= here
    return found


def _judge_ledger(job: str, line: Line, tick: int, by_range: int | None, slots: dict[int, _Slot], tally: Tally) -> None:
    """Hold one tick of a (job, shard)'s ledger against its plan, and add it to what the job did then."""
    entry = line.booked.get(tick, Booked())
    short, skipped = _undone(line, tick, entry, by_range)
    if not (entry != Booked() or short or skipped):
        return
    slot, lossy, polls = slots[tick], line.lossy(tick), entry.planned + entry.ad_hoc
    slot.skipped += skipped
    slot.superseded += entry.superseded
    if short and lossy:
        slot.lost.append((line.shard, short))
    elif short:
        tally.expected += short
        tally.note(Shortfall(Gap.NOT_DISPATCHED, job, tick, (line.shard,), short))
    if polls.count:
        slot.polls += polls
        slot.lossy += polls.count if lossy else 0
        slot.shards.append(line.shard)


def _undone(line: Line, tick: int, entry: Booked, by_range: int | None) -> tuple[int, int]:
    """Return how many polls of a tick's plan are not in the ledger, and how many are there as skipped."""
    due = line.promised.get(tick, NOTHING)
    if by_range is not None:
        undone = max(0, due.count - entry.planned.count - entry.skipped)
        return max(0, undone - by_range), entry.skipped + min(undone, by_range)
    judged = line.horizon is not None and tick <= line.horizon
    return _short_of_plan(due, entry) if judged else 0, entry.skipped


def _short_of_plan(due: Sum, entry: Booked) -> int:
    """Return how many polls of the plan are not in the ledger (at least, where the hash sums say others are)."""
    short = due.count - entry.planned.count - entry.skipped
    if not short and not entry.skipped and due.hash_sum != entry.planned.hash_sum:
        return 1
    return max(0, short)


def _judge_rows(job: str, number: int, slot: _Slot, stored: Stored | None, tally: Tally) -> None:
    """Hold the rows of a slot against the ledger."""
    rows = stored.polls if stored else NOTHING
    if stored:
        tally.by_status.update(stored.by_status)
    short, extra = max(0, slot.polls.count - rows.count), max(0, rows.count - slot.polls.count)
    if rows.count == slot.polls.count and rows.hash_sum != slot.polls.hash_sum:
        short = extra = 1  # one in the place of another, at least
    if short:
        lost = min(short, slot.lossy)
        tally.note(Shortfall(Gap.NO_ROW, job, number, tuple(slot.shards), short, lost))
    tally.expected += slot.polls.count
    extra = _explain(job, number, slot, extra, tally)
    if extra:
        tally.note(Shortfall(Gap.EXTRA_ROW, job, number, tuple(slot.shards), extra))


def _explain(job: str, number: int, slot: _Slot, extra: int, tally: Tally) -> int:
    """Book what was not dispatched by the ledger; return how many of the `extra` rows are not of that."""
    for shard, count in slot.lost:
        found = min(extra, count)
        extra -= found
        tally.expected += count
        if count > found:
            gone = count - found
            tally.note(Shortfall(Gap.NOT_DISPATCHED, job, number, (shard,), gone, gone))
    found = min(extra, slot.skipped)
    tally.expected += slot.skipped
    tally.skipped += slot.skipped - found
    twice = min(extra - found, slot.superseded)
    tally.expected += twice
    return extra - found - twice


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
