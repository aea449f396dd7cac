"""The four kinds of output. Encoding gives the loop its turn between results: a poll's reply must not wait for it."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import httpx

from streampoll.config.settings import OutputSettings
from streampoll.errors import ConfigError, RedisUnavailable
from streampoll.http.credential import ApiKey, Basic, Bearer, HttpCredential
from streampoll.http.retry_after import wait_asked
from streampoll.outputs import influx, remote_write
from streampoll.outputs.files import LineFile
from streampoll.outputs.lines import line_of
from streampoll.outputs.port import Decoded, OutputAway, OutputRefused, Plans, Sink
from streampoll.pollers.threads import AllBusy, Threads
from streampoll.shards.export import ExportStream

Fetch = Callable[[str], Awaitable[object]]
"""Returns a credential by name, as it is now."""

T = TypeVar("T")

_SHOWN = 160  # characters of what a server says
_LATER = frozenset({401, 403, 404, 408, 425, 429})  # a person sets these right, or they pass; no result is at fault


def make_sink(settings: OutputSettings, plans: Plans, fetch: Fetch) -> Sink:
    """Make an output's sink; nothing is opened before it is used."""
    if settings.kind == "jsonl":
        return FileSink(settings)
    proof = Proof(settings.credential, fetch)
    if settings.kind == "redis":
        return RedisSink(settings, proof)
    return HttpSink(settings, proof, _encoder(settings.kind, plans))


class Proof:
    """The credential that an output names, read anew for each use."""

    def __init__(self, name: str, fetch: Fetch) -> None:
        self._name = name
        self._fetch = fetch

    async def headers(self) -> dict[str, str]:
        """Return the headers that prove who we are."""
        match await self._scheme():
            case Basic(user, password):
                both = base64.b64encode(f"{user}:{password.reveal()}".encode()).decode()
                return {"Authorization": f"Basic {both}"}
            case Bearer(token):
                return {"Authorization": f"Bearer {token.reveal()}"}
            case ApiKey(header, key):
                return {header: key.reveal()}
        return {}

    async def login(self) -> tuple[str, str]:
        """Return user and password; both "" where there are none."""
        scheme = await self._scheme()
        return (scheme.user, scheme.password.reveal()) if isinstance(scheme, Basic) else ("", "")

    async def _scheme(self) -> object:
        if not self._name:
            return None
        try:
            credential = await self._fetch(self._name)
        except (ConfigError, KeyError) as error:
            raise OutputAway(f"credential '{self._name}': {error}") from None
        if not isinstance(credential, HttpCredential) or not isinstance(credential.scheme, Basic | Bearer | ApiKey):
            raise OutputAway(f"credential '{self._name}' is none of basic, bearer, api_key of protocol http")
        return credential.scheme


Encode = Callable[[Sequence[Decoded]], Awaitable[tuple[bytes, dict[str, str]]]]
"""Makes a request's body and its headers."""


def _encoder(kind: str, plans: Plans) -> Encode:
    async def as_remote_write(results: Sequence[Decoded]) -> tuple[bytes, dict[str, str]]:
        request = remote_write.WriteRequest(plans)
        await _each(results, request.add)
        body = await asyncio.to_thread(request.body)  # tens of thousands of samples: the loop has its turns meanwhile
        return body, remote_write.HEADERS

    async def as_influx(results: Sequence[Decoded]) -> tuple[bytes, dict[str, str]]:
        lines = await _each(results, lambda decoded: list(influx.lines_of(decoded, plans)))
        return "\n".join(one for many in lines for one in many).encode(), {"Content-Type": "text/plain; charset=utf-8"}

    return as_remote_write if kind == "remote_write" else as_influx


async def _each(results: Iterable[Decoded], call: Callable[[Decoded], T]) -> list[T]:
    made = []
    for decoded in results:
        made.append(call(decoded))
        await asyncio.sleep(0)
    return made


class HttpSink:
    """Posts to a server."""

    def __init__(self, settings: OutputSettings, proof: Proof, encode: Encode) -> None:
        self._settings = settings
        self._proof = proof
        self._encode = encode
        self._client: httpx.AsyncClient | None = None

    async def send(self, results: Sequence[Decoded]) -> None:
        """Post results; see `Sink`."""
        body, headers = await self._encode(results)
        try:
            answer = await self._connected().post(
                self._settings.url, content=body, headers={**headers, **await self._proof.headers()}
            )
        except (httpx.HTTPError, OSError) as error:
            raise OutputAway(f"{self._host}: {str(error)[:_SHOWN] or type(error).__name__}") from None
        self._judge(answer)

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @property
    def _host(self) -> str:
        return httpx.URL(self._settings.url).host

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            verify = self._settings.tls_ca or True
            self._client = httpx.AsyncClient(verify=verify, timeout=self._settings.timeout_s, trust_env=False)
        return self._client

    def _judge(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        said = " ".join(answer.text[: 2 * _SHOWN].split())[:_SHOWN]
        text = f"{self._host}: HTTP {answer.status_code}" + (f": {said}" if said else "")
        if answer.status_code >= 500 or answer.status_code in _LATER or not answer.is_client_error:
            raise OutputAway(text, wait_asked(answer.headers, time.time()) or 0.0)
        raise OutputRefused("refused", text)


class FileSink:
    """Appends lines of JSON to a file or stdout, in a thread: a disk or a pipe may hang."""

    def __init__(self, settings: OutputSettings) -> None:
        self._timeout_s = settings.timeout_s
        self._file = LineFile(settings.path, settings.rotate_bytes, settings.rotate_keep)
        self._threads = Threads(1, "output")

    async def send(self, results: Sequence[Decoded]) -> None:
        """Write results; see `Sink`."""
        data = b"".join(line + b"\n" for line in await _each(results, line_of))
        try:
            await self._threads.run(lambda: self._file.write(data), asyncio.get_running_loop().time() + self._timeout_s)
        except OSError as error:  # a TimeoutError is one
            raise OutputAway(f"{error.strerror or 'the file takes too long'}") from None
        except AllBusy:
            raise OutputAway("the write before has not come back") from None

    async def close(self) -> None:
        """Close the file."""
        self._file.close()


class RedisSink:
    """Adds to a stream of another Redis: device, job, slot and status, and the whole result as JSON."""

    def __init__(self, settings: OutputSettings, proof: Proof) -> None:
        self._stream = ExportStream(settings)
        self._proof = proof

    async def send(self, results: Sequence[Decoded]) -> None:
        """Add results; see `Sink`."""
        lines = await _each(results, line_of)
        entries = [
            {
                "device": result.device,
                "job": result.job,
                "slot": result.slot,
                "status": result.status.word,
                "json": line,
            }
            for result, line in zip((decoded.result for decoded in results), lines, strict=True)
        ]
        try:
            await self._stream.add(entries, await self._proof.login())
        except RedisUnavailable as error:
            raise OutputAway(str(error)) from None

    async def close(self) -> None:
        """Close the connection."""
        await self._stream.close()
