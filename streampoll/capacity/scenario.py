"""The nouns of the simulation: what is simulated, what may happen in it, what was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from streampoll.capacity.constants import Load


class Trouble(Enum):
    """What may happen in the middle of a run."""

    NONE = "none"
    WORKER = "worker"  # the first worker process dies
    LEADER = "leader"  # the coordinator that leads dies


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated."""

    devices: int
    interval_s: int
    load: Load
    processes: int = 2  # of workers
    stores: int = 0  # processes that do nothing but store; 0: the workers store too
    shards: int = 16
    cores: int = 2  # of everything together
    concurrency: int = 1_000
    latency_s: tuple[float, float] = (0.005, 0.25)  # of a request; each device has its own in this range
    silent: float = 0.0  # share of devices
    fleet_us: float = 0.0  # CPU of the simulated devices on the same cores, for a request
    seconds: int = 30
    warm_s: int = 5
    trouble: Trouble = Trouble.NONE
    trouble_s: float = 15.0  # when
    dead_after_s: float = 3.0  # worker.dead_after_s
    claim_idle_s: float = 30.0
    lease_s: float = 6.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of it, of slots within the window."""

    due: int
    stored: int
    expired: int  # their next slot began before their turn came
    lateness_s: Sequence[float]  # of devices that answered, sorted
    cores: dict[str, float]  # busy, by role
    in_flight: int  # of all processes, at the most

    def late_s(self, share: float) -> float:
        """Return the lateness that a share of polls does not exceed; 0.0 of none."""
        if not self.lateness_s:
            return 0.0
        return self.lateness_s[min(len(self.lateness_s) - 1, int(share * len(self.lateness_s)))]
