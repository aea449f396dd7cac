"""Plans: what is due in one shard of one job, laid out so that a tick costs O(due).

A plan is derived from inventory and jobs alone, and its id is a hash of all it says, so every coordinator that reads
the same files has the same plans. What was promised at any second can be worked out from the plan without Redis.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import attrgetter
from typing import Any

from streampoll.coordinator.schedule import Cron, Every, Schedule
from streampoll.model import Device
from streampoll.shards.entries import encode_device
from streampoll.shards.ring import device_hash, phase_of

FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Polls:
    """Devices that are due at the same second, ready to be sent: the same place in both is the same device.

    There may be a million in a plan: a tuple and an integer object for each would double what they take.
    """

    bodies: list[bytes] = field(default_factory=list)
    hashes: "array[int]" = field(default_factory=lambda: array("Q"))

    def __len__(self) -> int:
        return len(self.bodies)

    @property
    def hash_sum(self) -> int:
        """The sum of the device hashes, modulo 2**64."""
        return sum(self.hashes) % 2**64


@dataclass(frozen=True, slots=True)
class Part:
    """At most a batch of polls that are due at one tick."""

    polls: Sequence[tuple[int, bytes]]  # (expiry, body), as dispatch takes them
    hash_sum: int


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a plan is made of besides devices."""

    job: str
    shard: int
    schedule: Schedule
    start: int = 0  # first tick at which it may fall due
    end: int = FOREVER  # from this tick on it does not


class Plan:
    """The devices of one job in one shard by the second at which they are due."""

    def __init__(self, terms: PlanTerms, groups: Mapping[int, Mapping[int, Polls]]) -> None:
        """`groups`: interval in seconds (0: a cron schedule) -> phase within it -> polls."""
        self.terms = terms
        self._groups = {interval_s: dict(phases) for interval_s, phases in sorted(groups.items())}
        self._totals = {
            interval_s: sum(len(polls) for polls in phases.values()) for interval_s, phases in self._groups.items()
        }
        self.devices = sum(self._totals.values())
        self.id = self._digest()

    def _digest(self) -> int:
        """Hash everything that decides what is due when: never 0, which stands for 'no plan'.

        A body says where it ends, and has the name that its device's hash is made of.
        """
        digest = blake2b(repr(self.terms).encode(), digest_size=8)
        for interval_s, phases in self._groups.items():
            for phase, polls in sorted(phases.items()):
                digest.update(f"{interval_s} {phase} {len(polls)}:".encode())
                digest.update(b"".join(polls.bodies))
        return int.from_bytes(digest.digest(), "big") or 1

    def due(self, tick: int) -> list[tuple[int, Polls]]:
        """Return what is due at a tick as (expiry, polls) groups."""
        terms = self.terms
        if not terms.start <= tick < terms.end:
            return []
        if isinstance(terms.schedule, Cron):
            at_once = self._at_once
            fires = at_once and terms.schedule.next_after(tick - 1) == tick
            return [(terms.schedule.next_after(tick), at_once)] if fires else []
        return [
            (tick + interval_s, polls)
            for interval_s, phases in self._groups.items()
            if (polls := phases.get(tick % interval_s))
        ]

    @property
    def _at_once(self) -> Polls:
        """What is due whenever a cron schedule fires."""
        return self._groups.get(0, {}).get(0) or Polls()

    def parts(self, tick: int, batch_size: int) -> list[Part]:
        """Return what is due at a tick in parts of at most `batch_size`, always cut the same way."""
        due = self.due(tick)
        polls = [(expiry, body) for expiry, group in due for body in group.bodies]
        hashes = [each for _, group in due for each in group.hashes]
        slices = (slice(first, first + batch_size) for first in range(0, len(polls), batch_size))
        return [Part(polls[some], sum(hashes[some]) % 2**64) for some in slices]

    def count_between(self, first: int, last: int) -> int:
        """Return how many polls are due from tick `first` to `last`, both included."""
        first, last = max(first, self.terms.start), min(last, self.terms.end - 1)
        if last < first or not self.devices:
            return 0
        if isinstance(self.terms.schedule, Cron):
            return self.devices * self._firings(self.terms.schedule, first, last)
        return sum(self._cycles(interval_s, first, last) for interval_s in self._groups)

    def _firings(self, cron: Cron, first: int, last: int) -> int:
        count, tick = 0, cron.next_after(first - 1)
        while tick <= last:
            count, tick = count + 1, cron.next_after(tick)
        return count

    def _cycles(self, interval_s: int, first: int, last: int) -> int:
        whole, rest = divmod(last - first + 1, interval_s)
        phases = self._groups[interval_s]
        partial = sum(len(phases.get((first + second) % interval_s, ())) for second in range(rest))
        return whole * self._totals[interval_s] + partial

    def summary(self) -> dict[str, Any]:
        """Return what PostgreSQL keeps of it: enough to know, for any tick, how many were due and their hash sum."""
        terms = self.terms
        said: dict[str, Any] = {"devices": self.devices, "start": terms.start, "end": terms.end}
        if isinstance(terms.schedule, Cron):
            polls = self._at_once
            return said | {
                "cron": terms.schedule.expression,
                "timezone": terms.schedule.timezone,
                "count": len(polls),
                "hash_sum": str(polls.hash_sum),
            }
        phases = {
            str(interval_s): {str(phase): [len(polls), str(polls.hash_sum)] for phase, polls in phases.items()}
            for interval_s, phases in self._groups.items()
        }
        return said | {"intervals": phases}


def build_plan(terms: PlanTerms, devices: Iterable[Device], profile: str) -> Plan:
    """Lay out the devices of a job in a shard. `profile` is the job's; "" takes each device's own."""
    groups: dict[int, dict[int, Polls]] = {}
    for device in sorted(devices, key=attrgetter("name")):
        interval_s, phase = _place(terms, device)
        phases = groups.setdefault(interval_s, {})
        polls = phases.get(phase)
        if polls is None:
            polls = phases[phase] = Polls()
        polls.bodies.append(encode_device(device, profile or device.profile))
        polls.hashes.append(device_hash(device.name))
    return Plan(terms, groups)


def _place(terms: PlanTerms, device: Device) -> tuple[int, int]:
    """Return a device's (interval, phase): a cron job has but one place."""
    schedule = terms.schedule
    if isinstance(schedule, Cron):
        return 0, 0
    interval_s = device.interval_s or schedule.interval_s
    return interval_s, phase_of(device.name, terms.job, interval_s) if schedule.spread else 0


def empty_plan(job: str, shard: int) -> Plan:
    """Return the plan of a job that is gone from a shard: nothing is due."""
    return Plan(PlanTerms(job, shard, Every(1)), {})
