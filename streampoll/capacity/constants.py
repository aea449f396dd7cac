"""What was measured, as data: measured.toml beside this file, which `bin/bench capacity --write` replaces.

Nothing in the model is guessed that can be measured; what it assumes stands in `model.py`. Each load names the
benchmark, date and machine that it comes from, so that figures of several runs can stand beside one another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from streampoll.config.toml_text import toml_key, toml_value
from streampoll.errors import ConfigError, Fault

MEASURED = Path(__file__).with_name("measured.toml")
SHARDS = 16  # that the loads were measured with
ROLES = ("coordinator", "worker", "store", "analysis", "redis", "postgres")
ANALYSIS = "analysis"  # protocol of the loads that say what analysing a poll adds to it
_RARE = ("device_bytes", "rates_rows", "analysed", "estimated")  # not written where there is nothing to say
_HEAD = "# Measured by `bin/bench capacity --write`; see docs/capacity.md. One [[loads]] a kind of poll.\n"


LIVE = "live"
"""The benchmark of a source that is none: the fleet that runs."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from."""

    benchmark: str  # a name that `bin/bench` knows, or "live"
    date: str  # ISO
    machine: str


@dataclass(frozen=True, slots=True)
class Load:
    """What one poll of a kind costs, on the average."""

    name: str
    protocol: str  # snmp, snmp-v3, ping, ssh, http, silent; analysis: what that adds to a poll of so many varbinds
    about: str
    requests: float
    varbinds: float
    cpu_us: Mapping[str, float]  # by role (ROLES), one that does nothing left out; user and system time
    redis_round_trips: float
    redis_commands: float  # those that scripts run counted too
    redis_in_bytes: float
    redis_out_bytes: float
    aof_bytes: float
    payload_bytes: float  # in PostgreSQL, compressed
    row_bytes: float  # beyond the payload, index included
    wal_bytes: float
    request_ip_bytes: float  # all requests of the poll; with IP and UDP or TCP headers, without a link's
    reply_ip_bytes: float
    source: Source
    device_bytes: float = 0.0  # of Redis, for what is kept of a device from poll to poll
    rates_rows: float = 0.0  # rows of rates besides the poll's own
    analysed: bool = False  # what its analysis takes is in it
    estimated: bool = False  # made from other loads, not measured

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as they stand in the file."""
        said = {**asdict(self), "cpu_us": dict(self.cpu_us)}
        return {name: value for name, value in said.items() if name not in _RARE or value}


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands and waits, whatever is polled."""

    poll_waiting_bytes: float  # of Redis, for a poll that nobody has read
    poll_held_bytes: float  # more for one that a worker holds
    result_waiting_bytes: float  # for a result, beyond its payload
    shard_bytes: float  # for a shard with nothing in it
    shard_cpu_us: Mapping[str, float]  # by role, a second, for each shard beyond SHARDS
    worker_pss_mb: float  # of a process
    worker_descriptors: int
    coordinator_pss_mb: float  # with no device planned
    coordinator_device_bytes: float  # for each that is
    ledger_row_bytes: float  # index included
    source: Source

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as they stand in the file."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Constants:
    """Everything that was measured."""

    standing: Standing
    loads: tuple[Load, ...] = ()

    def load(self, name: str) -> Load | None:
        """Return a load by its name."""
        return next((each for each in self.loads if each.name == name), None)

    def replaced(self, loads: Sequence[Load], standing: Standing | None) -> "Constants":
        """Return these constants with newer figures in the place of those of the same name."""
        by_name = {each.name: each for each in (*self.loads, *loads)}
        return Constants(standing or self.standing, tuple(by_name.values()))


def read(path: Path = MEASURED) -> Constants:
    """Read constants.

    Raises:
        ConfigError: the file is not there, or not such a file.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Constants, strict=False)
    except OSError as error:
        raise ConfigError([Fault(str(path), f"can't be read: {error.strerror}")]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        instead = "`bin/bench capacity --write` makes such a file"
        raise ConfigError([Fault(str(path), f"are no constants: {error}", instead)]) from error


def write(path: Path, constants: Constants) -> None:
    """Write constants, for `read` and for people."""
    blocks = [_HEAD, "[standing]", *_lines(constants.standing.as_dict())]
    for load in constants.loads:
        blocks += ["\n[[loads]]", *_lines(load.as_dict())]
    path.write_text("\n".join(blocks) + "\n", encoding="utf-8")


def _lines(figures: Mapping[str, Any]) -> list[str]:
    return [f"{toml_key(name)} = {toml_value(value)}" for name, value in figures.items()]
