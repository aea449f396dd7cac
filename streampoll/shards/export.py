"""The stream of another Redis that results are copied to, for programs of others."""

from collections.abc import Mapping, Sequence
from typing import Any

import redis.asyncio as aioredis
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from streampoll.config.settings import OutputSettings
from streampoll.errors import RedisUnavailable


class ExportStream:
    """Adds to one bounded stream; connects at first use, anew when user or password change."""

    def __init__(self, settings: OutputSettings) -> None:
        self._settings = settings
        self._client: aioredis.Redis | None = None
        self._login: tuple[str, str] = ("", "")

    async def add(self, entries: Sequence[Mapping[Any, Any]], login: tuple[str, str]) -> None:
        """Add entries, all in one transaction; none at all asks for a sign of life.

        Raises:
            RedisUnavailable: it can't be reached, or refuses.
        """
        settings = self._settings
        try:
            client = await self._connected(login)
            async with client.pipeline(transaction=True) as pipe:
                for entry in entries:
                    pipe.xadd(settings.stream, dict(entry), maxlen=settings.stream_max, approximate=True)
                await pipe.execute() if entries else await client.ping()
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            raise RedisUnavailable(f"redis: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _connected(self, login: tuple[str, str]) -> "aioredis.Redis":
        if self._client is None or login != self._login:
            await self.close()
            tls: dict[str, Any] = {"ssl_ca_certs": self._settings.tls_ca} if self._settings.tls_ca else {}
            self._client = aioredis.Redis.from_url(
                self._settings.url, username=login[0] or None, password=login[1] or None,
                socket_timeout=self._settings.timeout_s, socket_connect_timeout=self._settings.timeout_s,
                retry=Retry(NoBackoff(), 0), protocol=2, **tls,
            )  # fmt: skip
            self._login = login
        return self._client
