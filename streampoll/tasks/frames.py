"""What a worker and its task children say to each other: msgpack with its length before it, over pipes."""

import struct
from typing import Any, Final, Protocol

import msgpack

LENGTH: Final = struct.Struct(">I")


class Reader(Protocol):
    """Where bytes come from."""

    async def readexactly(self, n: int, /) -> bytes: ...


def frame(message: Any) -> bytes:
    """Make the bytes of a message."""
    packed: bytes = msgpack.packb(message)
    return LENGTH.pack(len(packed)) + packed


def parse(packed: bytes) -> Any:
    """Read a message without its length."""
    return msgpack.unpackb(packed, strict_map_key=False)


async def receive(reader: Reader) -> Any:
    """Read the next message; what the reader raises at its end is raised."""
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    return parse(await reader.readexactly(length))
