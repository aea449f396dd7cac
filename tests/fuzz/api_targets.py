"""Requests of garbage: every one is answered, what is wrong as a problem, and no bug is met."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any

from msgspec import Meta

from streampoll.api.application import Served, application
from streampoll.api.auth import Gate, digest_of
from streampoll.api.events import NewWindow, WhichEvents
from streampoll.api.jobs import RunOrder
from streampoll.api.route import Asked, Route
from streampoll.api.times import Moment, seconds
from streampoll.config.settings import ApiSettings
from streampoll.results.control import Role, Token

_WORDS = (
    "", "0", "-1", "10m", "99999d", "2026-02-31T25:61:00Z", "2026-01-31T08:00:00Z", "1e9", "null", "true", "\0", "é",
    "%00", "a" * 300, "../..", "\u0661\u0662", "99999999999999999999", "error", "[]", "{}",
)  # fmt: skip
_NAMES = ("since", "limit", "open", "severity", "device", "until", "nonsense", "")
_HEADERS = (
    b"host",
    b"authorization",
    b"cookie",
    b"origin",
    b"content-type",
    b"sec-fetch-site",
    b"x-forwarded-for",
    b"forwarded",
)
_SAID = (
    b"localhost", b"127.0.0.1:5000", b"[::1", b"a@b", b"Bearer x", b"Bearer sp_x", b"Bearer", b"application/json",
    b"streampoll_token=sp_x", b"\xff\xfe", b"", b"null", b"http://localhost", b"http://[", b"cross-site",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """A time and a number."""

    since: Moment = "1h"
    limit: Annotated[int, Meta(ge=1, le=10)] = 1


async def _span(asked: Asked) -> int:
    return seconds(asked.parameters.since)


async def _any(asked: Asked) -> str:
    return asked.by


_ROUTES = [
    Route("GET", "/api/v1/span", _span, int, "A span", "fuzz", parameters=Span),
    Route("GET", "/api/v1/events", _any, str, "Events", "fuzz", parameters=WhichEvents),
    Route("POST", "/api/v1/run", _any, str, "Run", "fuzz", body=RunOrder, role=Role.OPERATOR),
    Route("POST", "/api/v1/maintenance", _any, str, "Maintenance", "fuzz", body=NewWindow, role=Role.OPERATOR),
]


def _application() -> Any:
    gate = Gate(trust_loopback=True, now=lambda: 1_000.0)
    gate.know([Token(1, "t", Role.READ, digest_of("sp_x"), 0)])
    return application(Served(ApiSettings(rate_per_s=0, max_body_bytes=2048), gate, _ROUTES))


_APPLICATION: list[Any] = []  # made once: that is dearer than all requests


def requests(random: Random) -> None:
    """An API answers whatever it is asked."""
    if not _APPLICATION:
        _APPLICATION.append(_application())
    status, kind, body = asyncio.run(_ask(_APPLICATION[0], random))
    assert status < 500, body
    if status >= 400:
        assert kind == b"application/problem+json"
        assert json.loads(body)["status"] == status


async def _ask(served: Any, random: Random) -> tuple[int, bytes, bytes]:
    sent: list[dict[str, Any]] = []
    body = _body(random)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await served(_scope(random), receive, send)
    kind = dict(sent[0]["headers"]).get(b"content-type", b"")
    return sent[0]["status"], kind, b"".join(each.get("body", b"") for each in sent[1:])


def _scope(random: Random) -> dict[str, Any]:
    chosen: Callable[[Any], Any] = random.choice
    path = chosen([route.path for route in _ROUTES] + ["/", "/api/v1/" + chosen(_WORDS)])
    query = "&".join(f"{chosen(_NAMES)}={chosen(_WORDS)}" for _ in range(random.randrange(4)))
    headers = [] if random.random() < 0.3 else [(chosen(_HEADERS), chosen(_SAID)) for _ in range(random.randrange(4))]
    if random.random() < 0.8:
        headers = [(b"host", b"localhost"), *((name, said) for name, said in headers if name != b"host")]
    if random.random() < 0.7:
        headers.append((b"content-type", b"application/json"))
    return {
        "type": "http", "http_version": "1.1", "method": chosen(["GET", "POST", "HEAD", "DELETE"]), "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "headers": headers, "scheme": "http",
        "client": (chosen(["127.0.0.1", "192.0.2.1", "::1"]), 1), "server": ("127.0.0.1", 5000), "root_path": "",
    }  # fmt: skip


def _body(random: Random) -> bytes:
    if random.random() < 0.3:
        return random.randbytes(random.randrange(3000))
    keys = ("devices", "job", "select", "duration_s", "since", "reason", "site", "x")
    values = [*_WORDS, 0, -1, 1 << 70, 1.5, None, [], ["r1"], [1], {}, {"site": ["a"]}, {"site": "a"}]
    return json.dumps({random.choice(keys): random.choice(values) for _ in range(random.randrange(5))}).encode()


TARGETS = {"requests": requests}
