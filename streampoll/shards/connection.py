"""The one adapter of redis-py: makes clients, and turns every error of the client into ours.

The client retries nothing: an XADD or a read whose reply was lost must not be sent again behind our back. Scripts are
written to be safe to send again, and their callers do so knowingly.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import hiredis
import redis.asyncio as aioredis
from redis import exceptions
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from streampoll.config.redis_url import Node, RedisAddress, RedisUrlError, parse_redis_url
from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings
from streampoll.errors import ConfigError, Fault, RedisFull, RedisUnavailable, StreampollError

_QUICK_S = 1.0  # for questions that can be put to somebody else, who is asked then


class _Packed:
    """Packs commands in C, in one piece: the client's own packer for asyncio is Python, and took 6 us a poll."""

    def pack_command(self, *words: Any) -> list[bytes]:
        """Pack one command."""
        return [_pack(words)]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        """Pack several, to be sent together."""
        return [b"".join(map(_pack, commands))]


def _pack(words: Iterable[Any]) -> bytes:
    """Pack a command, whose name may be of two words ("CLUSTER SLOTS"): the client's own packer splits it too."""
    name, *rest = words
    return bytes(hiredis.pack_command((*name.split(), *rest)))


class _Connection(_Packed, Connection):
    """Over TCP."""


class _SSLConnection(_Packed, SSLConnection):
    """Over TLS."""


class _SocketConnection(_Packed, UnixDomainSocketConnection):
    """Over a Unix socket."""


@dataclass(frozen=True, slots=True)
class Dialer:
    """Makes clients of the nodes behind `redis.url`; no connection is opened before a client's first command."""

    settings: RedisSettings
    address: RedisAddress
    read_timeout_s: float  # above the longest block of a command (redis-py 8 has 5 s if nothing is said)

    def client(self, node: Node, read_timeout_s: float = inf) -> "aioredis.Redis":
        """Make a client of a server that holds our data."""
        return self._client(node, min(self.read_timeout_s, read_timeout_s), db=self.address.db, **self._login())

    async def ask(self, node: Node, *words: Any) -> Any:
        """Ask a server one quick question, on a connection of its own."""
        return await _ask(self._client(node, self._quick_s, **self._login()), words)

    async def ask_sentinel(self, node: Node, *words: Any) -> Any:
        """Ask a Sentinel, where our user and password are others."""
        user, password = self.settings.sentinel_user, self.settings.sentinel_password.reveal()
        return await _ask(self._client(node, self._quick_s, username=user or None, password=password or None), words)

    @property
    def _quick_s(self) -> float:
        return min(_QUICK_S, self.read_timeout_s)

    def _login(self) -> dict[str, str | None]:
        return {"username": self.address.user or None, "password": self.address.password.reveal() or None}

    def _client(self, node: Node, read_timeout_s: float, **options: Any) -> "aioredis.Redis":
        kind, place = self._place(node, min(self.settings.connect_timeout_s, read_timeout_s))
        pool: aioredis.ConnectionPool = aioredis.ConnectionPool(
            connection_class=kind,
            socket_timeout=read_timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            decode_responses=False,
            protocol=2,
            **place,
            **options,
        )
        client: aioredis.Redis = aioredis.Redis.from_pool(pool)
        client.response_callbacks.clear()  # replies stay as they came: the callbacks would cost a dict an entry
        return client

    def _place(self, node: Node, connect_timeout_s: float) -> tuple[type[AbstractConnection], dict[str, Any]]:
        host, port = node
        if not port:
            return _SocketConnection, {"path": host, "socket_connect_timeout": connect_timeout_s}
        place = {
            "host": host, "port": port, "socket_connect_timeout": connect_timeout_s, "socket_keepalive": True,
        }  # fmt: skip
        return (_SSLConnection, place | self._tls()) if self.address.tls else (_Connection, place)

    def _tls(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "ssl_ca_certs": settings.tls_ca or None,
            "ssl_certfile": settings.tls_cert or None,
            "ssl_keyfile": settings.tls_key or None,
            "ssl_cert_reqs": "none" if settings.tls_verify == "none" else "required",
            "ssl_check_hostname": settings.tls_verify == "full",
        }


def dialer_of(settings: RedisSettings, read_timeout_s: float) -> Dialer:
    """Return what makes the clients of a deployment.

    Raises:
        ConfigError: redis.url is none.
    """
    try:
        return Dialer(settings, parse_redis_url(settings.url), read_timeout_s)
    except RedisUrlError as error:
        raise ConfigError([Fault("redis.url", error.what, error.instead)]) from None


def connect(url: Secret, connect_timeout_s: float, read_timeout_s: float) -> "aioredis.Redis":
    """Make a client of the first node that a URL names, whatever its kind."""
    dialer = dialer_of(RedisSettings(url=url, connect_timeout_s=connect_timeout_s), read_timeout_s)
    return dialer.client(dialer.address.nodes[0])


_NOT_RUN = exceptions.AskError | exceptions.TryAgainError | exceptions.ClusterDownError  # MOVED is an ASK to redis-py
# Codes that redis-py has no class for, and those that Redis 6.2 wraps: "Error running script …: -READONLY …".
_PASSING = re.compile(r"(?:^|[ :]-)(?:READONLY|MASTERDOWN|NOREPLICAS|CLUSTERDOWN|MISCONF|UNBLOCKED|BUSY) ")
_FORBIDDEN = re.compile(r"NOPERM|can't run this command|can't access at least one of the keys")


def translate(error: Exception) -> StreampollError | None:
    """Return our error for one of redis-py's, or None if it is a bug."""
    text = str(error).partition("\n")[0]
    if isinstance(error, exceptions.OutOfMemoryError) or "OOM command not allowed" in text:
        return RedisFull(f"Redis is over maxmemory and refuses writes: {text}")
    if isinstance(error, exceptions.NoPermissionError) or (
        isinstance(error, exceptions.ResponseError) and _FORBIDDEN.search(text)
    ):
        return RedisUnavailable(f"Redis refuses what its user may not (docs/security.md has the ACL): {text}")
    if isinstance(error, exceptions.AuthenticationError):
        return RedisUnavailable(f"Redis refuses the credentials of redis.url: {text}")
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return RedisUnavailable(f"Redis is not reachable: {text or type(error).__name__}")
    if isinstance(error, RuntimeError) and "closed=True" in text:  # uvloop's word for a connection reset while idle
        return RedisUnavailable("Redis is not reachable: the connection was reset")
    if isinstance(error, exceptions.ResponseError) and (not_run(error) or read_only(error) or _PASSING.search(text)):
        return RedisUnavailable(f"Redis can't serve now: {text}")
    return None


def not_run(error: object) -> bool:
    """Tell a Cluster's refusal to run a command here or now: it has changed nothing."""
    return isinstance(error, _NOT_RUN)


def read_only(error: object) -> bool:
    """Tell the answer of a replica that was asked to write: it is not the master, or not any more."""
    wrapped = isinstance(error, exceptions.ResponseError) and "-READONLY " in str(error)
    return wrapped or isinstance(error, exceptions.ReadOnlyError)


async def _ask(client: "aioredis.Redis", words: Sequence[Any]) -> Any:
    try:
        return await guarded(client.execute_command(*words))
    finally:
        await client.aclose()


async def guarded(call: Awaitable[Any]) -> Any:
    """Await a call of the client, its errors as ours.

    A cancellation is never lost in it: redis-py sends under `asyncio.wait_for`, which before Python 3.12 forgets one
    that comes as the send ends (cpython#86296); a loop that is told to end would then go on for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        return await call
    except (exceptions.RedisError, OSError, RuntimeError) as error:
        ours = translate(error)
        if ours is None:
            raise
        raise ours from error
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError


def raise_errors(replies: Iterable[Any]) -> list[Any]:
    """Return the replies, or raise the first that is an error."""
    answers = list(replies)
    for reply in answers:
        if isinstance(reply, Exception):
            raise translate(reply) or reply
    return answers
