"""The port of an HTTP client: one request in, one whole answer or a failure out.

`client.py` is the only module that knows httpx; it is imported when the first device is polled over HTTP.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from streampoll.model import Asked, Status


@dataclass(frozen=True, slots=True)
class Limits:
    """What one exchange with a device may take."""

    connect_s: float  # until TCP and TLS stand
    read_s: float  # between two pieces of an answer
    request_s: float  # a request as a whole, its answer included
    max_body_bytes: int  # of an answer once it is unpacked
    connections: int  # to one device


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that is ready to be sent."""

    method: str
    path: str  # absolute, escaped
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # may hold a secret, as may the content
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # names in lower case, several of a name joined by ", "
    body: bytes = field(repr=False)
    at: float  # wall clock when its last byte arrived

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; "" if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(slots=True)
class Tally:
    """What one poll has sent and received."""

    requests: int = 0
    first_reply: float = 0.0  # wall clock; 0.0: none yet
    at: float = 0.0  # wall clock of the last answer that was used
    asked: Asked = field(default_factory=Asked)


@dataclass(frozen=True, slots=True)
class Clock:
    """Both clocks, as arguments: `wall` for what people see, `loop` for waiting."""

    wall: Callable[[], float]
    loop: Callable[[], float]


class Failure(Exception):  # noqa: N818 - a device that fails is data: this never leaves a poll, it becomes an outcome
    """Why a request has no answer that can be used. `cause` has no secret and nothing that the device wrote."""

    def __init__(self, status: Status, cause: str, ends_poll: bool = False, step: str = "") -> None:
        super().__init__(cause)
        self.status = status
        self.cause = cause
        self.ends_poll = ends_poll  # the device as a whole: asking the rest is no use
        self.step = step  # of a time-out: connect or read


class Client(Protocol):
    """One device's connections and cookies."""

    async def send(self, ask: Ask, tally: Tally) -> Answer:
        """Send a request and read its answer. Raises Failure: there is none."""

    def has_cookie(self, name: str) -> bool:
        """Return True if the device has set a cookie."""

    def forget_cookies(self) -> None:
        """Drop all cookies, for a new login."""

    async def close(self) -> None:
        """Close the connections."""
