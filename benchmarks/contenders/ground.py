"""What every contender of `peers` is given, and what it gives back: same agent, values, servers, way to count."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rig.deployment import PROFILES
from benchmarks.rig.processes import wait_until
from benchmarks.rig.roles import Roles, spent
from benchmarks.rig.servers import Servers
from streampoll.embedded.fleet import device_address

START_S = 60.0


@dataclass(frozen=True, slots=True)
class Value:
    """One of the ten values that are asked of each device."""

    name: str
    oid: str  # of the instance
    numeric: bool


@dataclass(frozen=True, slots=True)
class Ground:
    """What there is to poll, and with what."""

    where: Path  # a directory of the contender's own
    servers: Servers
    port: int  # of the fleet
    community: str
    devices: int
    per_s: int  # devices a second, of those that don't simply go as fast as they can

    @property
    def values(self) -> list[Value]:
        """The values of profile get10."""
        scalars = tomllib.loads((PROFILES / "get10.toml").read_text())["scalars"]
        return [Value(name, each["oid"], each["type"] != "text") for name, each in scalars.items()]

    @property
    def addresses(self) -> list[str]:
        """The devices' addresses."""
        return [device_address(number) for number in range(self.devices)]


@dataclass(frozen=True, slots=True)
class Runner:
    """A contender at work."""

    roles: Roles
    count: Callable[[], int]  # devices polled so far, and stored where it stores
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one window saw."""

    seconds: float
    devices: int
    cpu_s: Mapping[str, float]

    def per_core_s(self, *roles: str) -> float:
        """Return devices for each second of CPU, of all roles or of some."""
        cpu_s = sum(self.cpu_s[role] for role in roles or self.cpu_s)
        return self.devices / cpu_s if cpu_s else 0.0


Contender = Callable[[Ground], AbstractContextManager[Runner]]
"""Runs one system as long as the block."""


def sample(runner: Runner, wait: Callable[[], float]) -> Sample:
    """Watch a contender while `wait` waits; it returns the seconds."""
    devices, cpu_s = runner.count(), runner.roles.cpu_s()
    seconds = wait()
    after_s = runner.roles.cpu_s()
    return Sample(seconds, runner.count() - devices, spent(cpu_s, after_s))


@contextmanager
def begun(runner: Runner, said: Callable[[], str]) -> Iterator[Runner]:
    """Wait until a contender has polled its first devices."""
    first = runner.count()
    wait_until(lambda: runner.count() > first, START_S, f"the first device\n{said()}")
    yield runner
