"""What was due at a tick, derived from committed plans alone. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from streampoll.coordinator.schedule import Cron

FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Sum:
    """A set of polls, told apart from another by number and by the sum of the device hashes."""

    count: int = 0
    hash_sum: int = 0  # modulo 2**64

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.count + other.count, (self.hash_sum + other.hash_sum) % 2**64)


NOTHING = Sum()


@dataclass(frozen=True, slots=True)
class Promise:
    """One plan of one (job, shard) over the ticks it holds for: `valid_from` <= tick < `valid_to`."""

    valid_from: int
    valid_to: int
    intervals: Mapping[int, Mapping[int, Sum]]  # interval in seconds -> phase -> due
    cron: Cron | None = None
    at_once: Sum = NOTHING  # due whenever `cron` fires

    @classmethod
    def read(cls, valid_from: int, valid_to: int | None, body: Mapping[str, Any]) -> Self:
        """Build from a plan's row; its body is what `coordinator.plan.Plan.summary` says."""
        first = max(valid_from, body.get("start", 0))
        last = min(FOREVER if valid_to is None else valid_to, body.get("end", FOREVER))
        if "cron" in body:
            return cls(first, last, {}, Cron(body["cron"], body["timezone"]), Sum(body["count"], int(body["hash_sum"])))
        intervals = {
            int(interval_s): {int(phase): Sum(count, int(hash_sum)) for phase, (count, hash_sum) in phases.items()}
            for interval_s, phases in body["intervals"].items()
        }
        return cls(first, last, intervals)

    def due_between(self, first: int, last: int) -> dict[int, Sum]:
        """Return what is due at each tick from `first` to `last`, both included; ticks without are left out."""
        first, last = max(first, self.valid_from), min(last, self.valid_to - 1)
        if self.cron is not None:
            return self._fires_between(self.cron, first, last) if self.at_once.count else {}
        due: dict[int, Sum] = {}
        for interval_s, phases in self.intervals.items():
            for phase, polls in phases.items():
                for tick in range(first + (phase - first) % interval_s, last + 1, interval_s):
                    due[tick] = due[tick] + polls if tick in due else polls
        return due

    def _fires_between(self, cron: Cron, first: int, last: int) -> dict[int, Sum]:
        due: dict[int, Sum] = {}
        tick = cron.next_after(first - 1)
        while tick <= last:
            due[tick] = self.at_once
            tick = cron.next_after(tick)
        return due


def promised(plans: Iterable[Promise], first: int, last: int) -> dict[int, Sum]:
    """Return what the plans of one (job, shard) made due at each tick of a range."""
    due: dict[int, Sum] = {}
    for plan in plans:
        due |= plan.due_between(first, last)
    return due
