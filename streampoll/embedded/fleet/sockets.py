"""The one UDP socket that is every device.

It is bound to 0.0.0.0 with IP_PKTINFO, so the kernel says to which address a datagram went; the same control message,
handed back with the reply, makes that address its source.
"""

import socket
import struct
from typing import Any

from streampoll.errors import ConfigError, Fault

IP_PKTINFO = 8  # Linux; Python's socket module has it from 3.13 on
SO_MEMINFO, MEMINFO_DROPS = 55, 8  # Linux; unsigned 32-bit words, of which the ninth counts drops
CONTROL_BYTES = socket.CMSG_SPACE(12)  # room for one struct in_pktinfo
DESTINATION = slice(8, 12)  # of struct in_pktinfo
BUFFER_BYTES = 16 << 20  # asked; the system gives what rmem_max and wmem_max allow
REQUEST_BYTES = 4096  # a longer request is malformed

Control = list[tuple[int, int, bytes]]
Peer = Any  # what recvmsg says and sendmsg takes


def open_socket(port: int) -> socket.socket:
    """Open the socket on a port; 0 takes one that is free.

    Raises:
        ConfigError: the port is taken or not allowed.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        opened.bind(("0.0.0.0", port))  # noqa: S104 - what is not for 127.0.0.0/8 is dropped (responder.py)
    except OSError as error:
        opened.close()
        fault = Fault("--port", f"UDP port {port} can't be used: {error.strerror}", "0 takes one that is free")
        raise ConfigError([fault]) from None
    return opened


def dropped(opened: socket.socket) -> int:
    """Return how many datagrams the system dropped because the socket's buffer was full."""
    words = opened.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (MEMINFO_DROPS + 1))
    count: int = struct.unpack("=9I", words)[MEMINFO_DROPS]
    return count
