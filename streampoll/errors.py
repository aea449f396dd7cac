"""Every error streampoll raises on purpose.

A device that fails is an `Outcome`, never an exception. What is raised is bad input or infrastructure:

    StreampollError
    ├── ConfigError            the user's files, environment or options; carries one `Fault` a mistake   exit 2
    │   └── UnknownTask            a task's name that nobody has registered
    ├── UnavailableError       a server is away or refuses work; try again later
    │   ├── RedisUnavailable       no connection, time-out, loading, failover
    │   │   └── RedisPartlyUnavailable     some shards could not be asked; has what the others answered
    │   ├── RedisFull              commands refused: over maxmemory
    │   └── PostgresUnavailable    no connection, shutting down, read-only, disk full, too many clients
    ├── UnfitServerError       a server we will not run on (version, eviction policy, shard count)          exit 2
    ├── EntryError             bytes in a stream or payload that we can't read
    ├── SshFailure             what a device or the network did (defined in ssh/port.py; becomes an Outcome)
    └── SnmpError              bytes that are not SNMP, or not what was asked (snmp/ only; becomes an Outcome)
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


class StreampollError(Exception):
    """The root. Its text names the target and the next step, in one line."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in the user's input."""

    where: str  # "streampoll.toml: jobs.interfaces.every", "inventory.csv:17", "--since"
    what: str  # what is wrong, with the value
    instead: str = ""  # what to write instead; may be empty when `what` says it

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f"; {self.instead}" if self.instead else "")


class ConfigError(StreampollError):
    """The configuration can't be used; `faults` has every mistake found, not only the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class UnknownTask(ConfigError):  # noqa: N818 - reads as what it is
    """Nobody has registered a task of this name: no worker that lives, and no module of the sender's configuration."""


class UnavailableError(StreampollError):
    """A server is away or refuses work; the same call may succeed later."""


class RedisUnavailable(UnavailableError):  # noqa: N818 - reads as the state it is
    """Redis can't be reached, is loading or failing over."""


class RedisPartlyUnavailable(RedisUnavailable):
    """A node of a Cluster is away, or refuses; `gone` is what the others answered, `away` the shards not asked."""

    def __init__(self, text: str, gone: frozenset[tuple[int, bytes]], away: frozenset[int]) -> None:
        super().__init__(text)
        self.gone = gone  # (shard, id) that are not the caller's any more
        self.away = away


class RedisFull(UnavailableError):  # noqa: N818
    """Redis refused a command because it is over maxmemory."""


class PostgresUnavailable(UnavailableError):  # noqa: N818
    """PostgreSQL can't be reached or can't write now."""


class UnfitServerError(StreampollError):
    """A server answers, and must not be used as it is; the text has the line to set."""


class EntryError(StreampollError):
    """Bytes in a stream or a payload do not have the layout of docs/protocol.md."""


class SnmpError(StreampollError):
    """Bytes are not a valid SNMP message, or a PDU can't be encoded."""


_WANTS: Final = {errno.EMFILE: "files", errno.ENFILE: "files", errno.ENOBUFS: "memory", errno.ENOMEM: "memory"}


def want_of(error: BaseException) -> str:
    """Say what this host has no more of, so that no device is called down for it; "" if the error is not of that kind.

    Adapters ask it of what the operating system raises while a connection is made.
    """
    what = _WANTS.get(error.errno or 0) if isinstance(error, OSError) else None
    if what is None:
        return ""
    return f"this host has no {what} left for a connection" + ("; raise its limit (LimitNOFILE)" * (what == "files"))
