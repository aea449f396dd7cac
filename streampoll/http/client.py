"""The adapter of httpx: one device's connections and cookies, bounded in time and size, its errors as ours.

Imported when the first device is polled over HTTP: with what it brings it costs a worker some ten megabytes.

httpcore and hpack log every header at DEBUG, tokens and cookies too, so their loggers are switched off, whatever level
somebody sets; what we log ourselves has no header and no URL. The environment (proxies, .netrc) is not looked at.
"""

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from http.cookiejar import CookieJar
from typing import Final

import httpx

from streampoll.config.secret import Secret
from streampoll.errors import want_of
from streampoll.http.body import ENCODINGS, BodyReader
from streampoll.http.endpoint import Endpoint
from streampoll.http.line import Lines
from streampoll.http.network import Network
from streampoll.http.port import Answer, Ask, Failure, Limits, Tally
from streampoll.http.trust import WrongFingerprint
from streampoll.model import Status

_LOGGERS: Final = ("httpx", "httpcore", "hpack", "h2")
_TALKATIVE: Final = (
    "httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks",
    "hpack.hpack", "hpack.table",
)  # fmt: skip
_SAFE: Final = frozenset({"GET", "HEAD"})
_BROKEN: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)
_NO_WAY: Final = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}
)
_AGENT: Final = "streampoll"
_COOKIES: Final = 64  # kept of a device; one that sets others with each answer would have them grow for ever


class HttpxClient:
    """One device's client. For one event loop."""

    def __init__(
        self, endpoint: Endpoint, limits: Limits, tls: ssl.SSLContext | None, digest: tuple[str, Secret] | None = None
    ) -> None:
        silence()
        self._root = endpoint.url
        self._limits = limits
        self._who = digest
        self._digest = _digest(digest) if digest else None
        self._extensions = {"sni_hostname": endpoint.server_name} if endpoint.server_name else {}
        self._has_answered = False
        self._lines = Lines(lambda cookies: _client(endpoint.http2, limits, tls, cookies))

    async def send(self, ask: Ask, tally: Tally) -> Answer:
        """Send a request and read its answer; a kept connection that the device has closed costs a second try.

        Raises:
            Failure: there is no whole answer.
        """
        kept = self._has_answered and ask.method in _SAFE
        try:
            async with asyncio.timeout(self._limits.request_s):
                try:
                    return await self._proven(ask, tally)
                except _BROKEN:
                    if not kept:
                        raise
                    tally.asked.note_retry(time.time())
                    return await self._proven(ask, tally)
        except TimeoutError:
            raise Failure(
                Status.TIMEOUT, f"no whole answer within {self._limits.request_s:g} s", True, "read"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict) as error:
            raise self._failure(error) from None
        except OSError as error:  # once TLS stands httpcore lets its errors through
            raise _lost(error) from None

    def has_cookie(self, name: str) -> bool:
        """Return True if the device has set a cookie."""
        return any(cookie.name == name for cookie in self._lines.cookies)

    def forget_cookies(self) -> None:
        """Drop all cookies, for a new login."""
        self._lines.cookies.clear()

    async def close(self) -> None:
        """Close the connections."""
        await self._lines.close()

    async def _proven(self, ask: Ask, tally: Tally) -> Answer:
        """Send a request, and once more with the digest of the challenge where the device asks for one.

        httpx's own flow would read the challenge's body whole, however large it is.
        """
        with self._lines.client() as client:
            request = client.build_request(
                ask.method,
                self._root + ask.path,  # put together as text: the path //host/x stays a path
                params=ask.query or None,
                headers=list(ask.headers),
                content=ask.content or None,
                extensions=self._extensions,
            )
            if self._digest is None:
                return (await self._exchange(client, request, tally))[1]
            flow = self._digest.auth_flow(request)
            response, answer = await self._exchange(client, self._step(lambda: next(flow)) or request, tally)
            again = self._step(lambda: flow.send(response))
            return (await self._exchange(client, again, tally))[1] if again else answer

    def _step(self, step: Callable[[], httpx.Request]) -> httpx.Request | None:
        """Return the next request of a digest's flow, None after its last.

        Raises:
            Failure: the challenge, which httpx has kept by then, can't be answered; it is forgotten.
        """
        try:
            return step()
        except StopIteration:
            return None
        except (KeyError, ValueError, NotImplementedError, httpx.ProtocolError):
            self._digest = _digest(self._who) if self._who else None
            raise Failure(Status.AUTH, "its Digest challenge is of a kind that is not known here", True) from None

    async def _exchange(
        self, client: httpx.AsyncClient, request: httpx.Request, tally: Tally
    ) -> tuple[httpx.Response, Answer]:
        """Send a request as it is and read the whole answer."""
        tally.requests += 1
        tally.asked.first = tally.asked.first or time.time()
        response = await client.send(request, stream=True, auth=None, follow_redirects=False)
        tally.first_reply = tally.first_reply or time.time()
        try:
            reader = BodyReader(response.headers.get("content-encoding", ""), self._limits.max_body_bytes)
            async for piece in response.aiter_raw():
                reader.take(piece)
            body = reader.end()
        finally:
            await response.aclose()
        self._has_answered = True
        if len(self._lines.cookies) > _COOKIES:
            self.forget_cookies()
        tally.asked.last_reply = time.time()
        return response, Answer(response.status_code, _joined(response.headers), body, tally.asked.last_reply)

    def _failure(self, error: Exception) -> Failure:
        """Return what an error of httpx means. Its text is not used: it may quote a header."""
        limits = self._limits
        match error:
            case httpx.ConnectTimeout():
                return Failure(Status.TIMEOUT, f"no connection within {limits.connect_s:g} s", True, "connect")
            case httpx.TimeoutException():
                return Failure(Status.TIMEOUT, f"silent for {limits.read_s:g} s", True, "read")
            case httpx.ConnectError():
                return _connect_failure(error)
            case httpx.RemoteProtocolError() | httpx.NetworkError():
                return _lost(error)
        return Failure(Status.ERROR, f"the request can't be sent ({type(error).__name__})")


def _client(http2: bool, limits: Limits, tls: ssl.SSLContext | None, cookies: CookieJar) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(
        verify=tls if tls is not None else False,  # without TLS no context is made for nothing
        http2=http2,
        limits=httpx.Limits(max_connections=limits.connections, keepalive_expiry=None),
        trust_env=False,
    )
    transport._pool._network_backend = Network()  # httpx has no word for it
    return httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        headers={"User-Agent": _AGENT, "Accept": "*/*", "Accept-Encoding": ENCODINGS},
        timeout=httpx.Timeout(limits.read_s, connect=limits.connect_s, pool=None),
        cookies=cookies,
    )


def silence() -> None:
    """Switch off the loggers of libraries that log headers; what a later release adds below them leads nowhere."""
    for name in _TALKATIVE:
        logging.getLogger(name).disabled = True
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())  # else what is severe goes to stderr past our format


def _digest(who: tuple[str, Secret]) -> httpx.DigestAuth:
    return httpx.DigestAuth(who[0], who[1].reveal())


def _connect_failure(error: BaseException) -> Failure:
    """Return why there is no connection, found among the causes of httpx's error."""
    for cause in _causes(error):
        match cause:
            case WrongFingerprint():
                return _not_trusted(f"{cause.args[0]}, not the pinned one")
            case ssl.SSLCertVerificationError():
                return _not_trusted(f"its certificate is not trusted: {cause.verify_message}")
            case ssl.SSLError():
                return Failure(Status.DECODE, f"no TLS with it ({cause.reason or 'handshake failed'})", True)
            case socket.gaierror():
                return Failure(Status.UNREACHABLE, f"no address: {cause.strerror}", True)
            case ConnectionRefusedError():
                return Failure(Status.REFUSED, "connection refused", True)
            case OSError() if want := want_of(cause):
                return Failure(Status.ERROR, want, True)
            case OSError(errno=number) if number in _NO_WAY:
                return Failure(Status.UNREACHABLE, cause.strerror or "no way to it", True)
    return Failure(Status.UNREACHABLE, "no connection: closed while it was made", True)


def _lost(error: BaseException) -> Failure:
    """Return how a connection ended before its answer did."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLError():  # a device that wants a certificate of us says so only now (TLS 1.3)
                return Failure(Status.REFUSED, f"TLS ended by it ({cause.reason or 'no reason'})", True)
            case ConnectionError():
                return Failure(Status.REFUSED, "connection reset", True)
    how = "closed the connection without an answer" if _is_closed(error) else "broke off its answer"
    return Failure(Status.DECODE, f"{how}, or does not speak HTTP here", True)


def _not_trusted(what: str) -> Failure:
    return Failure(Status.REFUSED, f"{what}; nothing was sent (see http.tls_ca, http.tls_fingerprint)", True)


def _causes(error: BaseException | None) -> Generator[BaseException, None, None]:
    """Yield an error and all that led to it, groups opened."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__


def _is_closed(error: BaseException) -> bool:
    return "without sending a response" in str(error)


def _joined(headers: httpx.Headers) -> Mapping[str, str]:
    """Return headers by lower-case name. httpx joins those of one name."""
    return {name.lower(): value for name, value in headers.items()}
