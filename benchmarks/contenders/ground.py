"""What every contender of `peers` is given, and what it gives back: same agent, values, servers, way to count."""

import subprocess
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from benchmarks.rig.deployment import PROFILES
from benchmarks.rig.environments import MissingPeer
from benchmarks.rig.processes import wait_until
from benchmarks.rig.roles import Roles, spent
from benchmarks.rig.servers import Servers
from streampoll.embedded.fleet import device_address

START_S = 60.0
MOST_FAILED = 0.01  # for each that did not


@dataclass(frozen=True, slots=True)
class Value:
    """One of the single values that are asked of each device, or a column of its tables."""

    name: str
    oid: str  # of the instance, or of the column
    numeric: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What each device is asked: what a profile of the benchmarks says."""

    profile: str
    scalars: list[Value]
    columns: list[Value]  # none: single values are all
    rows: int  # of each column

    @property
    def values(self) -> int:
        """How many values a device has to give."""
        return len(self.scalars) + len(self.columns) * self.rows

    @property
    def tables(self) -> list[list[str]]:
        """The columns' OIDs by the MIB's tables, each in the order of its columns."""
        oids = sorted((value.oid for value in self.columns), key=lambda oid: [*map(int, oid.split("."))])
        return [[*columns] for _, columns in groupby(oids, lambda oid: oid.rpartition(".")[0])]

    @property
    def repetitions(self) -> int:
        """The max-repetitions that suit the tables: all rows, and the one that shows where they end."""
        return self.rows + 1

    def only_scalars(self) -> None:
        """Refuse tables, for a contender that walks none.

        Raises:
            MissingPeer: there are some.
        """
        if self.columns:
            raise MissingPeer("asks for single values, and walks no tables")


def asked(profile: str, rows: int) -> Asked:
    """Read what a profile asks, of devices with so many rows."""
    read = tomllib.loads((PROFILES / f"{profile}.toml").read_text())
    bases = [asked(base, rows) for base in read.get("extends", ())]
    columns = [column for table in read.get("tables", {}).values() for column in _values(table["columns"])]
    return Asked(
        profile,
        [value for base in bases for value in base.scalars] + _values(read.get("scalars", {})),
        [value for base in bases for value in base.columns] + columns,
        rows,
    )


def _values(said: Mapping[str, Mapping[str, str]]) -> list[Value]:
    return [Value(name, each["oid"], each["type"] != "text") for name, each in said.items()]


@dataclass(frozen=True, slots=True)
class Ground:
    """What there is to poll, and with what."""

    where: Path  # a directory of the contender's own
    servers: Servers
    port: int  # of the fleet
    community: str
    devices: int
    per_s: int  # devices a second, of those that don't simply go as fast as they can
    asked: Asked

    @property
    def addresses(self) -> list[str]:
        """The devices' addresses."""
        return [device_address(number) for number in range(self.devices)]


@dataclass(frozen=True, slots=True)
class Runner:
    """A contender at work."""

    roles: Roles
    count: Callable[[], int]  # devices polled so far, and stored where it stores
    values: Callable[[], Iterable[int]]  # how many values each of them gave
    versions: Mapping[str, str]
    stays: Sequence["subprocess.Popen[bytes]"] = ()  # what has to run on
    failed: Callable[[float], int] = lambda since: 0  # polls begun since then that brought nothing, and took CPU too


@dataclass(frozen=True, slots=True)
class Sample:
    """What one window saw."""

    seconds: float
    devices: int
    cpu_s: Mapping[str, float]
    failed: int = 0  # polls that took CPU and are no device

    def per_core_s(self, *roles: str) -> float:
        """Return devices for each second of CPU, of all roles or of some."""
        cpu_s = sum(self.cpu_s[role] for role in roles or self.cpu_s)
        return self.devices / cpu_s if cpu_s else 0.0


Contender = Callable[[Ground], AbstractContextManager[Runner]]
"""Runs one system as long as the block."""


def sample(runner: Runner, seconds: float) -> Sample:
    """Watch a contender for a while.

    It is counted after its CPU is read, both times: so both see as long a while.
    """
    since, began, cpu_s = time.time(), time.monotonic(), runner.roles.cpu_s()
    devices = runner.count()
    time.sleep(seconds)
    took_s, after_s = time.monotonic() - began, runner.roles.cpu_s()
    return Sample(took_s, runner.count() - devices, spent(cpu_s, after_s), runner.failed(since))


class Short(Exception):  # noqa: N818 - reads as what it is
    """A contender did not bring what it was asked for; the text says how much it did."""


def verify(runner: Runner, values: int, samples: Sequence[Sample]) -> None:
    """Make sure that each device that was counted gave so many values, that hardly any failed, and all still runs.

    Raises:
        Short: one gave fewer, or more, or none is known; a round saw none; of a hundred one failed; a process ended.
    """
    for process in runner.stays:
        if process.poll() is not None:
            raise Short(f"{process.args!r} ended with {process.returncode}")
    if not all(one.devices for one in samples):
        raise Short("in one of the rounds not a device was polled")
    devices, failed = sum(one.devices for one in samples), sum(one.failed for one in samples)
    if failed > MOST_FAILED * devices:
        raise Short(f"{failed} polls failed beside {devices} that did not")
    found = set(runner.values())
    if found != {values}:
        few, many = min(found, default=0), max(found, default=0)
        raise Short(f"{few} values a device{f' to {many}' if many > few else ''}, not {values}")


@contextmanager
def begun(runner: Runner, said: Callable[[], str]) -> Iterator[Runner]:
    """Wait until a contender has polled its first devices."""
    first = runner.count()
    wait_until(lambda: runner.count() > first, START_S, f"the first device\n{said()}")
    yield runner
