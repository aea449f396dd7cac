"""Errors as problem details (RFC 9457): what every answer is that is not the one asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from streampoll.errors import StreampollError, UnavailableError
from streampoll.results.postgres import RowRefused

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemDetails:
    """An error as a program reads it."""

    title: str  # the status in words
    status: int  # the HTTP status
    detail: str  # what is wrong, and what to do instead
    type: str = "about:blank"


class ProblemError(StreampollError):
    """A request that is answered with a problem."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """Return the answer that a problem is."""
    said = ProblemDetails(HTTPStatus(status).phrase, status, detail)
    body = msgspec.json.encode(msgspec.to_builtins(said) | members)
    return Response(body, status, dict(headers or {}), MEDIA_TYPE)


def problem_of(error: StreampollError, **members: Any) -> Response:
    """Return the answer to a request that met one of our errors."""
    if isinstance(error, ProblemError):
        return problem(error.status, str(error), error.headers, **members)
    if isinstance(error, UnavailableError):
        return problem(503, str(error), {"Retry-After": "2"}, **members)
    if isinstance(error, RowRefused):  # a text that PostgreSQL can't hold: a zero byte
        return problem(400, str(error), **members)
    return problem(500, str(error), **members)
