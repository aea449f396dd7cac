"""What runs commands sees of SSH: connections, channels and failures. client.py has them on asyncssh, tests in memory.

All that a device or the network does ends as an `SshFailure` with the status of the poll; nothing else is raised.
"""

from dataclasses import dataclass
from typing import Protocol

from streampoll.errors import StreampollError
from streampoll.model import Status
from streampoll.ssh.credential import SshCredential


class SshFailure(StreampollError):  # noqa: N818 - reads as what it is
    """What ended a connection or a command, in one line without secrets; never leaves ssh/ and its poller."""

    def __init__(
        self, status: Status, reason: str, *, lost: bool = False, only_this: bool = False, step: str = ""
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.lost = lost  # the connection is gone; on a kept one that means: try a new one
        self.only_this = only_this  # the device refused this command and goes on working
        self.step = step  # of a time-out: connect, login or command


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a device is, and how it must be spoken to."""

    host: str  # as the inventory has it: what its host key is known by
    port: int
    legacy: bool = False  # allow algorithms that are no longer safe

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a device's sessions; a device may override the settings'."""

    connect_timeout_s: float
    command_timeout_s: float
    max_output_bytes: int
    idle_s: float
    max_sessions: int


class Shell(Protocol):
    """A terminal: bytes both ways."""

    def write(self, data: bytes) -> None:
        """Type something. Raises SshFailure: it is closed."""

    async def read(self) -> bytes:
        """Return what came, waiting for at least a byte. Raises SshFailure: it was closed."""

    def drop(self) -> None:
        """Forget what came and was not read."""


class Connection(Protocol):
    """A device that we are logged in to."""

    @property
    def alive(self) -> bool:
        """False once either side has closed it."""

    @property
    def heard(self) -> bool:
        """True if the device has answered anything since the last `execute` began."""

    async def execute(self, command: str, max_bytes: int) -> tuple[str, int]:
        """Run a command on a channel of its own; its output (errors last) and exit status. Raises SshFailure."""

    async def open_shell(self) -> Shell:
        """Open a wide terminal. Raises SshFailure."""

    def close(self) -> None:
        """Hang up; returns at once."""

    async def closed(self) -> None:
        """Wait until it is closed."""


class Connector(Protocol):
    """Makes connections."""

    async def connect(self, endpoint: Endpoint, credential: SshCredential, timeout_s: float) -> Connection:
        """Connect and log in. Raises SshFailure."""

    async def close(self) -> None:
        """Close what connections share: those to jump hosts."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of the keys of one host. A key is "ssh-ed25519 AAAA…"."""

    keys: frozenset[str] = frozenset()
    authorities: frozenset[str] = frozenset()  # keys that sign host certificates
    revoked: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.keys or self.authorities)


class HostKeys(Protocol):
    """The record of host keys, shared by all processes of a host."""

    @property
    def where(self) -> str:
        """Where the record is, for messages."""

    async def trust(self, name: str) -> Trust:
        """Return what is known of a host, by its name in known_hosts. Raises SshFailure: it can't be read."""

    async def record(self, name: str, key: str) -> Trust:
        """Record the first key of a host, and return what is known then: another process may have been first.

        Raises:
            SshFailure: it can't be written.
        """


def known_name(host: str, port: int) -> str:
    """Return what known_hosts calls a host: "[192.0.2.1]:2222", or without its port if that is 22."""
    return host if port == 22 else f"[{host}]:{port}"
