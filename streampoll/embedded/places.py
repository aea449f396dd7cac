"""Where a local server listens: a TCP port nobody uses, and a Unix socket if its path fits."""

import socket
from collections.abc import Callable
from pathlib import Path

from streampoll.errors import UnavailableError

SOCKET_PATH_BYTES = 107  # sockaddr_un; a longer path is cut silently
TRIES = 5


def on_free_port(start: Callable[[int], None]) -> None:
    """Call `start` with a free port, and again with another if somebody took it before the server could."""
    for tries_left in reversed(range(TRIES)):
        port = free_port()
        try:
            start(port)
            break
        except UnavailableError:
            if not tries_left or _is_free(port):
                raise


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wanted_port(wanted: int) -> int:
    """Return a port if nobody uses it now, else one that is free."""
    return wanted if _is_free(wanted) else free_port()


def fits_socket(path: Path) -> bool:
    """Tell whether a Unix socket can have this path."""
    return len(bytes(path)) <= SOCKET_PATH_BYTES


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
