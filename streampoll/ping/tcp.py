"""A TCP connect as a question: a host that accepts or refuses is there."""

import asyncio
import time
from typing import Final

from streampoll.errors import want_of
from streampoll.ping.port import Echo


class TcpPinger:
    """Asks by connecting to several ports at once; the first answer counts, and nothing is sent over it."""

    method: Final = "tcp"

    def __init__(self, ports: tuple[int, ...]) -> None:
        self._ports = ports

    async def ask(self, address: str, timeout_s: float) -> Echo:
        """Ask a numeric IPv4 or IPv6 address once. Raises OSError: this host has no means left to ask with."""
        began = time.monotonic()
        tries = [asyncio.create_task(_connect(address, port), name=f"tcp {address}:{port}") for port in self._ports]
        cause = ""
        try:
            async with asyncio.timeout(timeout_s):
                for each in asyncio.as_completed(tries):
                    cause = await each
                    if not cause:
                        return Echo(time.monotonic() - began)
        except TimeoutError:
            return Echo(None)
        finally:
            for task in tries:
                task.cancel()
            await asyncio.gather(*tries, return_exceptions=True)
        return Echo(None, cause)

    async def close(self) -> None:
        """Nothing is kept open."""


async def _connect(address: str, port: int) -> str:
    """Return "" if the host answered, with a connection or a refusal; else why not."""
    try:
        _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return ""
    except OSError as error:
        if want_of(error):
            raise
        return error.strerror or str(error)
    writer.transport.abort()
    return ""
