"""The application: from a request to the answer of its route, and every error as a problem.

    guard      Host, rate, origin; the headers of every answer
    endpoint   who asks, parameters, body, the call, the answer as JSON

Each step either goes on or raises a problem.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as Path_
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streampoll.api.auth import Caller, Gate, Who, check_host, check_origin
from streampoll.api.limits import RateLimit, bounded_body
from streampoll.api.openapi import document
from streampoll.api.problem import ProblemError, problem, problem_of
from streampoll.api.route import JSON, Asked, Route
from streampoll.config.settings import ApiSettings
from streampoll.errors import StreampollError
from streampoll.tally import Counted, by_label

log = logging.getLogger(__name__)

_POLICY = (
    b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"geolocation=(), camera=(), microphone=()"),
)


class RequestCounts:
    """Answers, by the first digit of their status."""

    def __init__(self) -> None:
        self._by_kind: dict[str, int] = {}

    def note(self, status: int) -> None:
        """Count an answer."""
        kind = f"{status // 100}xx"
        self._by_kind[kind] = self._by_kind.get(kind, 0) + 1

    def counted(self) -> Counted:
        """Return them as counts for the fleet's metrics."""
        return by_label("api_requests", self._by_kind)


@dataclass(frozen=True, slots=True)
class Served:
    """What an application is made of."""

    settings: ApiSettings
    gate: Gate
    routes: Sequence[Route]
    raw: Sequence[BaseRoute] = ()  # routes that answer by themselves: streams, metrics
    site: Path | None = None  # a directory of pages
    counts: RequestCounts = field(default_factory=RequestCounts)


def application(served: Served) -> ASGIApp:
    """Return the application."""
    described = msgspec.json.encode(document(served.routes))

    async def openapi(_: Request) -> Response:
        return Response(described, media_type=JSON)

    routes: list[BaseRoute] = [Path_("/api/v1/openapi.json", openapi)]
    routes += served.raw
    routes += [Path_(route.path, Endpoint(route, served).__call__, methods=[route.method]) for route in served.routes]
    if served.site is not None:
        routes.append(Mount("/", StaticFiles(directory=served.site, html=True, check_dir=False)))
    inner = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    return Guard(inner, served.settings, served.counts)


async def _refused(_: Request, error: Exception) -> Response:
    """Answer what Starlette refuses: no such path, no such method."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, f"{error.detail}; /api/v1/openapi.json lists what there is", error.headers)


class Guard:
    """What is asked of every request before it is looked at, and said in every answer."""

    def __init__(self, inner: ASGIApp, settings: ApiSettings, counts: RequestCounts) -> None:
        self._inner = inner
        self._counts = counts
        self._allowed = (settings.host, *settings.allowed_hosts)
        self._rate = RateLimit(settings.rate_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        answer = await self._refusal(scope)
        await (answer or self._inner)(scope, receive, _with_headers(scope, send, self._counts))

    async def _refusal(self, scope: Scope) -> Response | None:
        caller = caller_of(scope)
        try:
            check_host(caller.headers.get("host", ""), self._allowed)
            self._rate.take(caller.host, time.monotonic())
            check_origin(caller, scope.get("scheme", "http"))
        except ProblemError as error:
            return problem_of(error)
        return None


def caller_of(scope: Scope) -> Caller:
    """Return what a request says of who sent it."""
    client = scope.get("client")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Caller(client[0] if client else "", headers, scope["method"])


def _with_headers(scope: Scope, send: Send, counts: RequestCounts) -> Send:
    """Return a `send` that adds the headers of every answer, and counts it."""
    cached = () if scope["path"].startswith("/assets/") else ((b"cache-control", b"no-store"),)

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            counts.note(message["status"])
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS, *cached]}
        await send(message)

    return sending


class Endpoint:
    """Serves one route."""

    def __init__(self, route: Route, served: Served) -> None:
        self._route = route
        self._gate = served.gate
        self._most_bytes = served.settings.max_body_bytes
        self._members: dict[str, Any] = {"success": False} if route.celery else {}

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        try:
            who = self._admitted(request)
            by, role = (who.name, who.role) if who else ("", None)
            asked = Asked(self._parameters(request), await self._body(request), by, role)
            answer = await self._route.call(asked)
        except StreampollError as error:
            return problem_of(error, **self._members)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:  # a bug; its text may hold anything, so that it stays in the log
            log.exception("api: %s %s", request.method, self._route.path)
            return problem(500, "a bug; the log of `streampoll api` has it", **self._members)
        if isinstance(answer, Response):
            return answer
        return Response(msgspec.json.encode(answer), self._route.status, media_type=JSON)

    def _admitted(self, request: Request) -> Who | None:
        """Return who asks; None where anybody may."""
        return self._gate.admit(caller_of(request.scope), self._route.role) if self._route.role else None

    def _parameters(self, request: Request) -> Any:
        """Read parameters from path and query; what is not known is refused."""
        given: dict[str, Any] = dict(request.path_params)
        known = {field.name for field in fields_of(self._route.parameters)}
        for name, value in request.query_params.multi_items():
            if name not in known:
                raise ProblemError(
                    400, f"there is no parameter {name[:60]!r}; there {_listed(known - request.path_params.keys())}"
                )
            if name in given:
                raise ProblemError(400, f"parameter {name} is there twice, or belongs into the path")
            given[name] = value
        return read(given, self._route.parameters, strict=False)

    async def _body(self, request: Request) -> Any:
        if self._route.body is None:
            return None
        raw = await bounded_body(request.stream(), self._most_bytes)
        try:
            return msgspec.json.decode(raw, type=self._route.body)
        except msgspec.ValidationError as error:
            raise ProblemError(400, f"the body: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProblemError(400, f"the body is not JSON: {error}") from None


def read(given: Mapping[str, Any], wanted: type[Any], strict: bool = True) -> Any:
    """Read values into a dataclass.

    Raises:
        ProblemError: they do not fit.
    """
    try:
        return msgspec.convert(given, wanted, strict=strict)
    except msgspec.ValidationError as error:
        raise ProblemError(400, str(error)) from None


def _listed(names: set[str]) -> str:
    return f"are {', '.join(sorted(names))}" if names else "are none"
