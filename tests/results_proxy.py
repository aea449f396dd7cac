"""A TCP proxy before PostgreSQL that can be away, or lose a request or the answer to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

BLOCK = 65536


class Proxy:
    """Forwards bytes until it is told to misbehave."""

    def __init__(self, dsn: str) -> None:
        self._upstream = urlsplit(dsn)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.away = False  # new connections are closed at once
        self.losing = b""  # the connection of the next request that has this is cut …
        self.carried_out = True  # … once the request was passed on; or before
        self.dsn = ""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        parts = self._upstream
        self.dsn = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Cut every connection."""
        for task in self._tasks:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.CancelledError):
            if not self.away:
                await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        try:
            answers = asyncio.create_task(self._forward(up_reader, writer))
            try:
                await self._requests(reader, up_writer, answers)
            finally:
                answers.cancel()
        finally:
            up_writer.close()

    async def _requests(
        self, reader: asyncio.StreamReader, up_writer: asyncio.StreamWriter, answers: asyncio.Task[None]
    ) -> None:
        while block := await reader.read(BLOCK):
            if losing := bool(self.losing) and self.losing in block:
                self.losing = b""
                answers.cancel()
            if not losing or self.carried_out:
                up_writer.write(block)
                await up_writer.drain()
            if losing:
                return

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while block := await reader.read(BLOCK):
            writer.write(block)
            await writer.drain()


@asynccontextmanager
async def proxied(dsn: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(dsn)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
