"""Serves an application on a socket in the process's own loop, until told to stop. The adapter of uvicorn."""

import errno
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from streampoll.errors import ConfigError, Fault

_GRACE_S = 3  # for answers that are on their way when it stops
_BACKLOG = 512


class PortTakenError(ConfigError):
    """Something else listens there; it may be our own predecessor, which is about to end."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        PortTakenError: somebody does already.
        ConfigError: one can't listen there.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise _refused(host, port, error) from None
    listening.setblocking(False)
    return listening


def _refused(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return PortTakenError(
            [Fault("api.port", f"{port} of {host} is taken", "set another port, or stop what listens there")]
        )
    what = error.strerror or str(error)
    return ConfigError(
        [Fault("api.host", f"can't listen on {host} port {port}: {what}", "name an address of this host")]
    )


class Server:
    """One application on one socket."""

    def __init__(self, application: ASGIApp, listening: socket.socket, connections: int) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what matters is logged where it happens
        config = uvicorn.Config(
            application, loop="none", lifespan="off", log_config=None, access_log=False, ws="none",
            server_header=False, date_header=True, proxy_headers=False, limit_concurrency=connections,
            timeout_keep_alive=15, timeout_graceful_shutdown=_GRACE_S, backlog=_BACKLOG,
        )  # fmt: skip
        self._listening = listening
        self._server = _Quiet(config)

    async def serve(self) -> None:
        """Serve until stopped."""
        await self._server.serve(sockets=[self._listening])

    def stop(self) -> None:
        """Take no more requests, and end once those under way are answered."""
        self._server.should_exit = True


class _Quiet(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield
