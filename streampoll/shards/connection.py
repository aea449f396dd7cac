"""The one adapter of redis-py: makes clients, runs scripts, and turns every error of the client into ours.

The client retries nothing: an XADD or a read whose reply was lost must not be sent again behind our back. Scripts are
written to be safe to send again, and their callers do so knowingly.
"""

import logging
from collections.abc import Awaitable, Iterable, Sequence
from importlib.resources import files
from typing import Any

import redis.asyncio as aioredis
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from streampoll.config.secret import Secret
from streampoll.errors import ConfigError, Fault, RedisFull, RedisUnavailable, StreampollError

log = logging.getLogger(__name__)

SCRIPTS = {path.name.removesuffix(".lua"): path.read_text()
           for path in files("streampoll.shards").joinpath("lua").iterdir() if path.name.endswith(".lua")}  # fmt: skip


def connect(url: Secret, connect_timeout_s: float, read_timeout_s: float) -> "aioredis.Redis":
    """Make a client; no connection is opened before its first command.

    `read_timeout_s` must be above the longest block of its commands (redis-py 8 has 5 s if nothing is said).
    """
    try:
        client: aioredis.Redis = aioredis.Redis.from_url(
            url.reveal(),
            socket_connect_timeout=connect_timeout_s,
            socket_timeout=read_timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            decode_responses=False,
            protocol=2,
            socket_keepalive=True,
        )
    except ValueError as error:
        what = "is not a URL of Redis" if "scheme" in str(error) else "can't be read"
        raise ConfigError([Fault("redis.url", what, "write redis://HOST:PORT/0, rediss://… or unix://…")]) from None
    client.response_callbacks.clear()  # replies stay as they came: the callbacks would cost a dict an entry
    return client


def translate(error: Exception) -> StreampollError | None:
    """Return our error for one of redis-py's, or None if it is a bug."""
    text = str(error).partition("\n")[0]
    if isinstance(error, exceptions.OutOfMemoryError) or "OOM command not allowed" in text:
        return RedisFull(f"Redis is over maxmemory and refuses writes: {text}")
    if isinstance(error, exceptions.AuthenticationError | exceptions.NoPermissionError):
        return RedisUnavailable(f"Redis refuses the credentials of redis.url: {text}")
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return RedisUnavailable(f"Redis is not reachable: {text or type(error).__name__}")
    if isinstance(error, RuntimeError) and "closed=True" in text:  # uvloop's word for a connection reset while idle
        return RedisUnavailable("Redis is not reachable: the connection was reset")
    if isinstance(error, exceptions.ResponseError) and text.startswith(_PASSING):
        return RedisUnavailable(f"Redis can't serve now: {text}")
    return None


_PASSING = (
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "NOREPLICAS",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MISCONF",
    "UNBLOCKED",
    "BUSY ",
)


async def guarded(call: Awaitable[Any]) -> Any:
    """Await a call of the client, its errors as ours."""
    try:
        return await call
    except (exceptions.RedisError, OSError, RuntimeError) as error:
        ours = translate(error)
        if ours is None:
            raise
        raise ours from error


class Scripts:
    """Runs the scripts of lua/ by their digest, several in one round trip."""

    def __init__(self, client: "aioredis.Redis") -> None:
        self._client = client
        self._digests: dict[str, str] = {}

    async def run(self, calls: Sequence[tuple[str, Sequence[str], Sequence[Any]]]) -> list[Any]:
        """Run (script, keys, arguments) calls in order, pipelined; the replies as they came.

        A reply that is an error Redis gave for one call stands in its place as an exception, so that the other calls'
        answers are not lost; errors of the connection are raised.
        """
        if not self._digests:
            await self._load()
        replies = await self._send(calls)
        forgotten = [n for n, reply in enumerate(replies) if isinstance(reply, exceptions.NoScriptError)]
        if forgotten:  # Redis was restarted, or its scripts flushed: none of these has run
            await self._load()
            again = await self._send([calls[n] for n in forgotten])
            for n, reply in zip(forgotten, again, strict=True):
                replies[n] = reply
        return replies

    async def one(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run one script; an error it answers is raised."""
        return raise_errors(await self.run([(script, keys, arguments)]))[0]

    async def _send(self, calls: Sequence[tuple[str, Sequence[str], Sequence[Any]]]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for script, keys, arguments in calls:
            pipeline.execute_command("EVALSHA", self._digests[script], len(keys), *keys, *arguments)
        replies: list[Any] = await guarded(pipeline.execute(raise_on_error=False))
        return replies

    async def _load(self) -> None:
        names = list(SCRIPTS)
        pipeline = self._client.pipeline(transaction=False)
        for name in names:
            pipeline.execute_command("SCRIPT LOAD", SCRIPTS[name])
        digests = await guarded(pipeline.execute())
        self._digests = {
            name: digest.decode() if isinstance(digest, bytes) else digest
            for name, digest in zip(names, digests, strict=True)
        }


def raise_errors(replies: Iterable[Any]) -> list[Any]:
    """Return the replies, or raise the first that is an error."""
    answers = list(replies)
    for reply in answers:
        if isinstance(reply, Exception):
            raise translate(reply) or reply
    return answers
