"""The network between hosts and servers, as a process of its own: it can drop, delay, reset, half-open, lose replies.

Each *link* (host A to Redis, host B to PostgreSQL, …) is a port of its own, so one host can be cut off alone. Orders
come as lines of JSON on standard input and are answered on standard output; at the end of the input the process ends,
so nothing is left of it however its parent dies.

    {"do": "link", "name": "a-redis", "port": 6379}          -> {"port": 40001}   a new link
    {"do": "upstream", "kind": "redis", "port": 6380}        the server has moved (kind: a name's second part)
    {"do": "mode", "name": "a-redis", "mode": "hold"}        see `Mode`
    {"do": "delay", "name": "a-redis", "seconds": 0.2}       each piece of data is held up for so long
    {"do": "reset", "name": "a-redis"}                       every connection ends with RST
    {"do": "half_open", "name": "a-redis"}                   the server's ends are gone, and no client is told
    {"do": "lose", "name": "a-redis", "pattern": "434f4d4d4954", "count": 1, "least": 0}
                                                             the next requests that have this (hex) are carried out;
                                                             the reply of each, if of `least` bytes, is lost with
                                                             its connection
    {"do": "lost", "name": "a-redis"}                        -> {"lost": 1}       how many replies were lost so far
"""

import asyncio
import json
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

BLOCK_BYTES = 1 << 16
_LINGER_NOT = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close() sends RST


class Mode(StrEnum):
    """What a link does with data and new connections."""

    PASS = "pass"  # forwards
    HOLD = "hold"  # as if packets were dropped: nothing passes, nobody is told; it flows on when the link passes again
    REFUSE = "refuse"  # new connections end with RST


@dataclass(slots=True)
class Loss:
    """Replies that are to be lost."""

    pattern: bytes
    left: int
    least: int


@dataclass(slots=True, eq=False)
class Line:
    """One connection through a link."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    muted: bool = False  # half open: what the client sends goes nowhere
    losing: Loss | None = None  # a request was passed on whose reply is to be lost

    def reset(self) -> None:
        """End both ends with RST."""
        for writer in (self.client, self.server):
            _reset(writer)


def _reset(writer: asyncio.StreamWriter | None) -> None:
    if writer is None:
        return
    end: socket.socket | None = writer.get_extra_info("socket")
    if end is not None:
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    writer.transport.abort()


@dataclass(slots=True, eq=False)
class Link:
    """One way from a host to a server."""

    upstream: int  # port on 127.0.0.1
    mode: Mode = Mode.PASS
    delay_s: float = 0.0
    loss: Loss | None = None
    lost: int = 0
    lines: set[Line] = field(default_factory=set)
    passing: asyncio.Event = field(default_factory=asyncio.Event)
    server: "asyncio.Server | None" = None

    async def open(self) -> int:
        """Listen; return the port."""
        self.passing.set()
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    def close(self) -> None:
        """Listen no more, and end every connection."""
        assert self.server is not None
        self.server.close()
        self.reset()

    def turn(self, mode: Mode) -> None:
        """Change the mode."""
        self.mode = mode
        if mode is Mode.HOLD:
            self.passing.clear()
        else:
            self.passing.set()

    def reset(self) -> None:
        """End every connection with RST."""
        for line in tuple(self.lines):
            line.reset()

    def half_open(self) -> None:
        """Take the server's end away from every connection without a word to the client."""
        for line in self.lines:
            line.muted = True
            _reset(line.server)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(writer)
        self.lines.add(line)
        with suppress(OSError, asyncio.CancelledError):
            if self.mode is not Mode.REFUSE:
                await self._serve(reader, line)
        line.reset()
        self.lines.discard(line)

    async def _serve(self, reader: asyncio.StreamReader, line: Line) -> None:
        await self.passing.wait()
        answers, line.server = await asyncio.open_connection("127.0.0.1", self.upstream)
        back = asyncio.ensure_future(self._replies(answers, line))
        there = asyncio.ensure_future(self._requests(reader, line))
        try:
            await asyncio.wait({back, there}, return_when=asyncio.FIRST_COMPLETED)
            if line.muted:
                await there  # the client's end lives on until the client gives up
        finally:
            back.cancel()
            there.cancel()
            await asyncio.gather(back, there, return_exceptions=True)

    async def _requests(self, reader: asyncio.StreamReader, line: Line) -> None:
        assert line.server is not None
        while block := await reader.read(BLOCK_BYTES):
            await self._passage()
            if line.muted:
                continue
            if self.loss is not None and self.loss.left > 0 and self.loss.pattern in block:
                line.losing = self.loss
            line.server.write(block)
            await line.server.drain()

    async def _replies(self, reader: asyncio.StreamReader, line: Line) -> None:
        while block := await reader.read(BLOCK_BYTES):
            await self._passage()
            if line.losing is not None and self._loses(line.losing, block):
                return
            line.losing = None
            line.client.write(block)
            await line.client.drain()

    def _loses(self, loss: Loss, reply: bytes) -> bool:
        """Say whether this reply, of a request that has been carried out, is lost, and count it."""
        if loss.left <= 0 or len(reply) < loss.least:
            return False
        loss.left -= 1
        self.lost += 1
        return True

    async def _passage(self) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        await self.passing.wait()


class Network:
    """All links, and the orders for them."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}

    async def order(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order."""
        if order["do"] == "link":
            link = self._links[order["name"]] = Link(order["port"])
            return {"port": await link.open()}
        if order["do"] == "upstream":
            for name, link in self._links.items():
                if name.endswith(f"-{order['kind']}"):
                    link.upstream = order["port"]
            return {}
        return self._change(self._links[order["name"]], order)

    def _change(self, link: Link, order: dict[str, Any]) -> dict[str, Any]:
        match order["do"]:
            case "mode":
                link.turn(Mode(order["mode"]))
            case "delay":
                link.delay_s = order["seconds"]
            case "reset":
                link.reset()
            case "half_open":
                link.half_open()
            case "lose":
                link.loss = Loss(bytes.fromhex(order["pattern"]), order["count"], order["least"])
            case "lost":
                return {"lost": link.lost}
            case unknown:
                raise ValueError(unknown)
        return {}


async def main() -> None:
    """Serve orders until there are no more."""
    network = Network()
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        print(json.dumps(await network.order(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
