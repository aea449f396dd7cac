"""Serves an application on a host and port until a signal; uvicorn's only door."""

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import uvicorn
from starlette.types import ASGIApp

from streampoll.errors import ConfigError, Fault

_DRAIN_S = 3


def read_address(where: str, text: str) -> tuple[str, int]:
    """Return host and port of "HOST:PORT"; "[::1]:9585" for IPv6.

    Raises:
        ConfigError: it is not that.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ConfigError([Fault(where, f"'{text[:80]}' is not an address to listen on", "write 127.0.0.1:9585")])
    return host.strip("[]"), int(port)


async def serve(app: ASGIApp, address: tuple[str, int], ready: Callable[[str], None]) -> None:
    """Answer until SIGTERM or SIGINT; `ready` is told the URL once it is answered on (port 0: one that is free).

    Raises:
        ConfigError: the address can't be listened on.
    """
    opened = _listen(*address)
    host, port = opened.getsockname()[:2]
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_DRAIN_S,
            h11_max_incomplete_event_size=16_384,
            limit_concurrency=256,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    await server.serve(sockets=[opened])


class _Server(uvicorn.Server):
    """A server that a signal stops, and that then ends as any function does: uvicorn would raise the signal again."""

    def stop(self) -> None:
        self.should_exit = True

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # it is a generator there
        """Leave the signals to whoever serves."""
        return nullcontext()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        fault = Fault(f"{host}:{port}", f"can't be listened on: {error.strerror or error}", "choose another address")
        raise ConfigError([fault]) from None
