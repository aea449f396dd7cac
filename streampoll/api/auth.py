"""Who may ask: tokens with a role, loopback without one; and requests that a browser was tricked into are refused.

A token is 256 random bits, shown once and kept as its SHA-256. Without any token only this host is served. A request
that was forwarded by a proxy never counts as one of this host: the proxy may speak for anybody.
"""

import hmac
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from streampoll.api.problem import ProblemError
from streampoll.results.control import Role, Token

PREFIX = "sp_"  # so that scanners of repositories know one
COOKIE = "streampoll_token"
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip", "via")
_SAFE = ("GET", "HEAD")


class TokenStore(Protocol):
    """Where tokens are kept."""

    async def tokens(self) -> Sequence[Token]:
        """Return the tokens that are not revoked.

        Raises:
            UnavailableError: they can't be read now.
        """


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request says of who sent it."""

    host: str  # the address that it came from; "" over a Unix socket
    headers: Mapping[str, str]  # by lower-case name
    method: str = "GET"

    @property
    def token(self) -> str:
        """The token that it carries; "": none."""
        scheme, _, said = self.headers.get("authorization", "").partition(" ")
        if scheme:
            return said.strip() if scheme.lower() == "bearer" else ""
        try:
            morsel = SimpleCookie(self.headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return morsel.value if morsel else ""

    @property
    def local(self) -> bool:
        """True if it came from this host and no proxy stands between."""
        return is_loopback(self.host) and not any(name in self.headers for name in _FORWARDED)


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, as far as it matters."""

    name: str  # of the token; "loopback": this host, without one
    role: Role


def new_token() -> str:
    """Return a token that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """Return what is kept of a token. It has 256 bits of its own, so that no slow hash is needed."""
    return sha256(token.encode()).digest()


def is_loopback(host: str) -> bool:
    """Return True if an address is one of this host alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


class Gate:
    """Decides who is served."""

    def __init__(self, trust_loopback: bool, now: Callable[[], float]) -> None:
        self._trust_loopback = trust_loopback
        self._now = now
        self._tokens: Sequence[Token] | None = None

    def know(self, tokens: Sequence[Token]) -> None:
        """Take the tokens there are now."""
        self._tokens = tuple(tokens)

    @property
    def open_to_nobody_else(self) -> bool:
        """True if it is known that there is no token: then only this host is served."""
        return self._tokens is not None and not any(self._valid(token) for token in self._tokens)

    def admit(self, caller: Caller, needed: Role) -> Who:
        """Return who asks.

        Raises:
            ProblemError: it must not be served.
        """
        if not caller.token and self._trust_loopback and caller.local:
            return Who("loopback", Role.OPERATOR)
        found = self._find(caller.token)
        if not found.role.covers(needed):
            raise ProblemError(403, f"token {found.name} may only read; this needs the role operator")
        return Who(found.name, found.role)

    def _find(self, said: str) -> Token:
        if not said:
            raise ProblemError(
                401, "send `Authorization: Bearer TOKEN`; `streampoll token create` makes one",
                {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        if self._tokens is None:
            raise ProblemError(503, "the tokens can't be read yet: PostgreSQL is away", {"Retry-After": "2"})
        digest, found = digest_of(said), None
        for token in self._tokens:  # all of them: the time it takes says nothing
            if hmac.compare_digest(token.digest, digest) and self._valid(token):
                found = token
        if found is None:
            raise ProblemError(
                401, "the token is not known, was revoked or has expired",
                {"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )  # fmt: skip
        return found

    def _valid(self, token: Token) -> bool:
        return not token.expires or token.expires > self._now()


def check_host(said: str, allowed: Sequence[str]) -> None:
    """Refuse a Host that is none of ours: a name of an attacker's that leads here is how pages of his would read us.

    An address is no name, so it can't be rebound.

    Raises:
        ProblemError: it is another's.
    """
    name = _host_of(said) if said.isascii() and "@" not in said else None
    try:
        ip_address(name or "")
    except ValueError:
        if name not in {"localhost", socket.gethostname().lower(), *(each.lower() for each in allowed)}:
            raise ProblemError(
                421, f"this is not {said[:80]!r}; api.allowed_hosts lists the names it answers to"
            ) from None


def check_origin(caller: Caller, scheme: str) -> None:
    """Refuse an action that a page of another origin had a browser send.

    Such a page can neither send JSON nor hide its origin without asking first, and nobody is allowed who asks.

    Raises:
        ProblemError: it is one, or can't be told from one.
    """
    if caller.method in _SAFE:
        return
    headers = caller.headers
    origin = headers.get("origin")
    if (
        origin is not None
        and origin.lower() != f"{scheme}://{headers.get('host', '')}".lower()
        and not _same(origin, headers)
    ):
        raise ProblemError(403, f"pages of {origin[:80]!r} may not act here")
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ProblemError(403, "pages of other origins may not act here")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(415, "send the body as application/json; {} where there is nothing to say")


def _same(origin: str, headers: Mapping[str, str]) -> bool:
    """Return True if only the scheme differs, as behind a proxy that ends TLS."""
    return origin.partition("://")[2].lower() == headers.get("host", "").lower()


def _host_of(said: str) -> str | None:
    """Return the host of a Host header; None if it is none."""
    try:
        return urlsplit(f"//{said}").hostname
    except ValueError:  # a bracket that is not closed
        return None
