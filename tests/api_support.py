"""An application on fakes, asked in process as a client of this host or another would ask."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from streampoll.api.application import Served, application
from streampoll.api.auth import Gate, digest_of
from streampoll.api.route import Route
from streampoll.config.settings import ApiSettings
from streampoll.results.control import Role, Token

READER, OPERATOR = "sp_reader", "sp_operator"
HOME = "http://127.0.0.1:5000"


def tokens() -> list[Token]:
    """A token of each role."""
    return [
        Token(1, "wall", Role.READ, digest_of(READER), 0),
        Token(2, "ops", Role.OPERATOR, digest_of(OPERATOR), 0),
    ]


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"authorization": f"Bearer {token}"}


@asynccontextmanager
async def asking(
    routes: Sequence[Route], known: Sequence[Token] = (), source: str = "127.0.0.1", **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of an application with these routes; `source` is the address that it asks from."""
    gate = Gate(settings.pop("trust_loopback", True), lambda: 1_000.0)
    gate.know(known)
    served = Served(ApiSettings(**settings), gate, routes)
    transport = httpx.ASGITransport(application(served), client=(source, 40_000))
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
        yield client
