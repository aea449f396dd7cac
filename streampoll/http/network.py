"""The network as httpcore sees it, but for one thing: a connection that is cut off in its TLS handshake is closed.

httpcore closes it for its own time-outs alone, and not where a poll ends; a device that hangs in handshakes would cost
an open file a poll.
"""

import ssl
from typing import Any

import httpcore


class Network(httpcore.AnyIOBackend):
    """Makes connections."""

    async def connect_tcp(self, *place: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        """Connect; see httpcore."""
        return _Plain(await super().connect_tcp(*place, **options))


class _Plain(httpcore.AsyncNetworkStream):
    """A connection without TLS, or before it."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
