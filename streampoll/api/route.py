"""What a route is: one declaration from which requests are read and checked, and the OpenAPI document is made.

A route's parameters are the fields of a dataclass: those whose name stands in the path come from there, the others from
the query. Types, bounds and help texts are those of msgspec, as in the settings table.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from streampoll.results.control import Role

MediaType = str
JSON: MediaType = "application/json"


@dataclass(frozen=True, slots=True)
class NoParameters:
    """Parameters of a route that has none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read and may be served."""

    parameters: Any  # the route's parameters, an object of its type
    body: Any  # the route's body, an object of its type; None where it has none
    by: str  # who asks, for records: a token's name, or "loopback"
    role: Role | None = None  # what they may do; None where anybody may ask


Call = Callable[[Asked], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation on one path."""

    method: str
    path: str  # "/api/v1/devices/{device:path}", as Starlette writes it
    call: Call
    answers: Any  # the type of what `call` returns
    summary: str
    tag: str
    parameters: type[Any] = NoParameters
    body: type[Any] | None = None
    role: Role | None = Role.READ  # None: anybody may ask
    status: int = 200
    celery: bool = False  # answers in the shape of the older API: {"success": …}
