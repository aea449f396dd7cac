"""What a store tells `stats`: lateness by job over the last minute, and how far recent slots are. Pure, mergeable.

A histogram with logarithmic buckets (5 % wide) is a few dozen numbers, sums over processes, and gives any percentile to
within 2.5 %.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_GROWTH = math.log(1.05)
_WINDOW_S = 60
_STEP_S = 10  # the window moves in steps, so that no single sample need be kept
_SLOTS = 64  # slots remembered by job


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration; everything up to a millisecond is in 0."""
    return max(0, math.ceil(math.log(seconds / 0.001) / _GROWTH)) if seconds > 0.001 else 0


def seconds_of(bucket: int) -> float:
    """Return the middle of a bucket, in seconds."""
    return 0.001 * math.exp((bucket - 0.5) * _GROWTH) if bucket else 0.001


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """Return the duration in seconds below which `share` (0 to 1) of the counted lie; None where there are none."""
    total = sum(buckets.values())
    if not total:
        return None
    rank = max(1, math.ceil(total * share))
    for bucket in sorted(buckets):
        rank -= buckets[bucket]
        if rank <= 0:
            return seconds_of(bucket)
    return None


@dataclass(slots=True)
class SlotProgress:
    """How far a slot's rows have come."""

    rows: int = 0
    last_stored_ms: int = 0  # after the slot, when its latest row was stored


@dataclass(slots=True)
class JobFigures:
    """One job's part of the figures."""

    lateness: dict[int, Counter[int]] = field(default_factory=dict)  # step (unix time // 10) -> bucket -> rows
    slots: dict[int, SlotProgress] = field(default_factory=dict)  # the most recent ones

    def lateness_since(self, now: float) -> Counter[int]:
        """Return the buckets of the last minute."""
        first = (int(now) - _WINDOW_S) // _STEP_S + 1
        return sum((buckets for step, buckets in self.lateness.items() if step >= first), Counter())

    def _forget(self, now: float) -> None:
        first = (int(now) - _WINDOW_S) // _STEP_S
        for step in [step for step in self.lateness if step < first]:
            del self.lateness[step]
        for slot in sorted(self.slots)[:-_SLOTS]:
            del self.slots[slot]


@dataclass(slots=True)
class StoreFigures:
    """All jobs of one store, or of many after `merge`."""

    jobs: dict[str, JobFigures] = field(default_factory=dict)

    def note(self, job: str, slot: int, rows: int, answered: int, stored: float) -> None:
        """Count rows of one slot stored at `stored` (wall clock); lateness is measured over the answered ones."""
        late_s = stored - slot
        figures = self.jobs.setdefault(job, JobFigures())
        progress = figures.slots.setdefault(slot, SlotProgress())
        progress.rows += rows
        progress.last_stored_ms = max(progress.last_stored_ms, round(late_s * 1000))
        if answered:
            figures.lateness.setdefault(int(stored) // _STEP_S, Counter())[bucket_of(late_s)] += answered

    def forget(self, now: float) -> None:
        """Drop what is older than the window; call it once a batch."""
        for figures in self.jobs.values():
            figures._forget(now)

    def packable(self) -> dict[str, Any]:
        """Return the figures as plain maps and lists, for msgpack."""
        return {
            job: [
                {step: dict(buckets) for step, buckets in figures.lateness.items()},
                {slot: [progress.rows, progress.last_stored_ms] for slot, progress in figures.slots.items()},
            ]
            for job, figures in self.jobs.items()
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> "StoreFigures":
        """Build figures from what `packable` returned; to be unpacked with `strict_map_key=False`."""
        return cls(
            {
                job: JobFigures(
                    {step: Counter(buckets) for step, buckets in lateness.items()},
                    {slot: SlotProgress(*progress) for slot, progress in slots.items()},
                )
                for job, (lateness, slots) in packed.items()
            }
        )


def merge(parts: Iterable[StoreFigures]) -> StoreFigures:
    """Sum the figures of several stores."""
    total = StoreFigures()
    for part in parts:
        for job, figures in part.jobs.items():
            _add(total.jobs.setdefault(job, JobFigures()), figures)
    return total


def _add(total: JobFigures, part: JobFigures) -> None:
    for step, buckets in part.lateness.items():
        total.lateness.setdefault(step, Counter()).update(buckets)
    for slot, progress in part.slots.items():
        sums = total.slots.setdefault(slot, SlotProgress())
        sums.rows += progress.rows
        sums.last_stored_ms = max(sums.last_stored_ms, progress.last_stored_ms)
