"""What the tests of outputs share: results, and a receiver over HTTP that does as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import structs

from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.model import Outcome, Result, Status, Table, Trace
from streampoll.outputs.port import Decoded
from streampoll.results.codec import encode_payload

PLANS = read_profiles(Path("/nonexistent"), "profiles", Report())
AT = 1_700_000_000.25
TRACE = Trace(AT - 1, AT - 1, AT - 1, AT, AT, 1, "w")
INTERFACES = Table(
    ("ifName", "ifAlias", "ifHCInOctets", "ifPhysAddress"),
    [("1", 'a "b"', "", 2**64 - 1, b"\x00\x1b\x21\x3c\x4d\xff"), ("2", "eth0", "x,y=z\n\\", 5, None)],
    key="ifName",
)
OUTCOME = Outcome(
    Status.OK, "", {"sysUpTime": 4_200, "load": 0.5, "sysName": "core 1", "odd": float("nan")},
    {"interfaces": INTERFACES}, at=AT, profile="interfaces",
)  # fmt: skip


def result(device: str = "core-1", slot: int = int(AT), outcome: Outcome = OUTCOME) -> Result:
    return Result("fast", device, slot, outcome.status, 250, encode_payload(outcome, TRACE))


def decoded(outcome: Outcome = OUTCOME) -> Decoded:
    return Decoded(result(outcome=outcome), outcome, TRACE)


def failed() -> Decoded:
    return decoded(structs.replace(OUTCOME, status=Status.TIMEOUT, error="no answer", values={}, tables={}, at=0.0))


@dataclass(slots=True)
class Receiver:
    """An HTTP server that notes what it is sent."""

    url: str = ""
    status: int = 204
    headers: str = ""
    hangs: bool = False
    bodies: list[bytes] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    asked: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests of one connection until it is closed."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                text = head.decode()
                length = next(
                    (int(line[15:]) for line in text.lower().splitlines() if line.startswith("content-length:")), 0
                )
                body = await reader.readexactly(length)
                self.asked += 1
                if self.hangs:
                    await reader.read()  # until the other side gives up
                    break
                if self.status < 300:
                    self.bodies.append(body)
                    self.heads.append(text)
                said = (
                    f"HTTP/1.1 {self.status} X\r\n{self.headers}Content-Length: 3\r\n\r\nno\n"
                    if self.status != 204
                    else ("HTTP/1.1 204 X\r\n\r\n")
                )
                writer.write(said.encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    receiver.url = f"http://{host}:{port}/write"
    try:
        yield receiver
    finally:
        server.close()
