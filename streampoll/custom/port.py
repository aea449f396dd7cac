"""What a custom poller is given, and what it may raise.

    async def poll(target: CustomTarget, credentials: Credentials, clients: Clients) -> Outcome

A plain function may block: it runs in a thread. So does a coroutine function with an attribute `blocking = True`, in a
loop of its own. In a thread, calls of `clients` go through `clients.wait(…)`.
"""

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from streampoll.custom.credential import CustomCredential
from streampoll.model import Outcome, Status, Target, Value

T = TypeVar("T")


class CustomTarget(Target, frozen=True):
    """The device, with the options of the profile."""

    options: Mapping[str, Any] = msgspec.field(default_factory=dict)  # the profile's [options]
    limit_s: float = 0.0  # the poll ends this many seconds after it began, whatever the poller does


class PollFailed(Exception):  # noqa: N818 - reads as the state it is
    """A poll that ends without an answer; let through, it becomes the outcome."""

    def __init__(self, status: Status, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class Credentials(Protocol):
    """The credentials that the device names."""

    @property
    def own(self) -> CustomCredential | None:
        """That of this poller's protocol; None if the device names none."""

    def __getitem__(self, protocol: str) -> Any:
        """Return the first one of another protocol. Raises PollFailed: there is none."""


class SnmpClient(Protocol):
    """SNMP to the device, with its SNMP credential, through the process's one engine."""

    async def get(self, *oids: str) -> dict[str, Value]:
        """Return the values of instances by OID; None for one that does not exist. Raises PollFailed."""

    async def walk(self, oid: str, max_rows: int = 10_000) -> dict[str, Value]:
        """Return a column's values by index ("1.3" below the OID). Raises PollFailed."""


class SshClient(Protocol):
    """SSH to the device, with its SSH credential, over the connection that other polls use too."""

    async def run(self, command: str, platform: str = "linux") -> str:
        """Return what a command prints. Raises PollFailed; ValueError for one that may change the device."""


class HttpClient(Protocol):
    """HTTP to the device, with its HTTP credential, over the session that other polls use too."""

    async def get(self, path: str, expressions: Mapping[str, str], tls: bool = True) -> dict[str, Value]:
        """Return what JMESPath expressions find in the JSON at a path. Raises PollFailed."""


class Log(Protocol):
    """A log whose lines name the device, and in which the device's secrets are blacked out."""

    def debug(self, text: str, *args: object) -> None:
        """Write a line that only a developer wants."""

    def info(self, text: str, *args: object) -> None:
        """Write a line."""

    def warning(self, text: str, *args: object) -> None:
        """Write a line that a person should see."""


class Clients(Protocol):
    """What the process has to talk to devices with, bound to this device."""

    @property
    def snmp(self) -> SnmpClient:
        """SNMP."""

    @property
    def ssh(self) -> SshClient:
        """SSH."""

    @property
    def http(self) -> HttpClient:
        """HTTP."""

    @property
    def log(self) -> Log:
        """The log."""

    async def collect(self, profile: str) -> Outcome:
        """Poll the device by another profile, of a built-in protocol, and return its outcome."""

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """In a thread: run a call of a client on the process's loop and return what it returns."""
