"""A scripted UDP peer: an agent that answers each request as a test says, or not at all."""

import asyncio
import select
import socket
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple

from streampoll.config.secret import Secret
from streampoll.snmp import ber
from streampoll.snmp.credential import Community, Version
from streampoll.snmp.engine import Agent, Limits

PUBLIC = Community(Secret("public"))
PUBLIC_V1 = Community(Secret("public"), Version.V1)


class Asked(NamedTuple):
    """A request as the peer got it."""

    request_id: bytes  # four bytes
    pdu: int
    data: bytes
    source: tuple[str, int]


Answer = Callable[["ScriptedPeer", Asked], None]


def answer(asked: Asked, varbinds: bytes, *, status: int = 0, index: int = 0, version: int = 1) -> bytes:
    """Encode a response to a request; `varbinds` are encoded already."""
    pdu = b"\x02\x04" + asked.request_id + bytes((2, 1, status, 2, 1, index)) + ber.encode_tlv(ber.SEQUENCE, varbinds)
    head = bytes((2, 1, version)) + ber.encode_tlv(ber.OCTET_STRING, b"public")
    return ber.encode_tlv(ber.SEQUENCE, head + ber.encode_tlv(0xA2, pdu))


def varbind(oid: bytes, tag: int, content: bytes) -> bytes:
    """Encode one variable binding."""
    return ber.encode_tlv(ber.SEQUENCE, ber.encode_tlv(ber.OBJECT_IDENTIFIER, oid) + ber.encode_tlv(tag, content))


class ScriptedPeer:
    """`async with ScriptedPeer(script) as peer:` calls `script(peer, asked)` for every datagram that comes."""

    def __init__(self, script: Answer, address: str = "127.0.0.1") -> None:
        self._script = script
        self._socket = socket.socket(
            socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        )
        self._socket.bind((address, 0))
        self.asked: list[Asked] = []

    @property
    def address(self) -> tuple[str, int]:
        name = self._socket.getsockname()
        return name[0], name[1]

    def agent(self, credential: Community = PUBLIC, **limits: float) -> Agent:
        """Return this peer as an agent to ask; by default impatient, and without retries."""
        return Agent(self.address, credential, Limits(**{"timeout_s": 0.1, "retries": 0, **limits}))  # type: ignore[arg-type]

    def send(self, data: bytes, asked: Asked) -> None:
        """Send a datagram to whoever asked."""
        self._socket.sendto(data, asked.source)

    async def __aenter__(self) -> "ScriptedPeer":
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def serve_now(self) -> None:
        """Serve the next request without the loop."""
        select.select([self._socket], [], [], 5)
        self._read()

    def _read(self) -> None:
        data, source = self._socket.recvfrom(65535)
        _, start, end = ber.read_tlv(data, 0, len(data))
        for _ in range(2):  # version, community
            _, _, start = ber.read_tlv(data, start, end)
        pdu, start, _ = ber.read_tlv(data, start, end)
        asked = Asked(data[start + 2 : start + 6], pdu, data, source[:2])
        self.asked.append(asked)
        self._script(self, asked)


def silent(peer: ScriptedPeer, asked: Asked) -> None:
    """Answer nothing."""


def in_turn(*scripts: Answer) -> Answer:
    """Answer the first request by the first script, and so on; the last goes on for ever."""
    line: list[Answer] = list(scripts)

    def script(peer: ScriptedPeer, asked: Asked) -> None:
        (line.pop(0) if len(line) > 1 else line[0])(peer, asked)

    return script


def always(varbinds: bytes, copies: int = 1) -> Answer:
    """Answer every request with the same varbinds."""

    def script(peer: ScriptedPeer, asked: Asked) -> None:
        for _ in range(copies):
            peer.send(answer(asked, varbinds), asked)

    return script


def raw(*datagrams: bytes) -> Answer:
    """Answer with bytes that need not be SNMP."""

    def script(peer: ScriptedPeer, asked: Asked) -> None:
        for data in datagrams:
            peer.send(data, asked)

    return script


def oids_of(texts: Sequence[str]) -> tuple[bytes, ...]:
    """Encode OIDs written as text."""
    return tuple(ber.encode_oid(tuple(map(int, text.split(".")))) for text in texts)
