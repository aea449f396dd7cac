"""A scripted SNMPv3 agent: it behaves as RFC 3414 says, but for what a test changes."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from streampoll.config.secret import Secret
from streampoll.snmp import ber
from streampoll.snmp.credential import AuthProtocol, PrivProtocol, UsmUser
from streampoll.snmp.engine import Agent, Limits
from streampoll.snmp.message import PduType
from streampoll.snmp.message_v3 import AUTH, LEVEL, PRIV, HeadV3, ciphertext, read_head_v3, read_scoped
from streampoll.snmp.privacy import make_cipher
from streampoll.snmp.usm import LocalKeys, Signer, local_keys, master_key
from tests.snmp_peer_support import oids_of, varbind

KEY = Secret("a-long-passphrase")
USER = UsmUser("shaaes", AuthProtocol.SHA1, KEY, PrivProtocol.AES128, KEY)
SIGNER = UsmUser("shaonly", AuthProtocol.SHA1, KEY)
PLAIN = UsmUser("plain")
ENGINE_ID = bytes.fromhex("80001f8880a1b2c3d4")
OTHER_ID = bytes.fromhex("80001f8880ffffffff")

(UPTIME,) = oids_of(["1.3.6.1.2.1.1.3.0"])
SEVEN = varbind(UPTIME, ber.TIME_TICKS, b"\x07")

UNSUPPORTED_LEVEL, NOT_IN_TIME, UNKNOWN_USER, UNKNOWN_ENGINE, WRONG_DIGEST, DECRYPTION = range(1, 7)  # usmStats


@dataclass
class Asked:
    """A message as the peer got it."""

    data: bytes
    head: HeadV3
    source: tuple[str, int]
    request_id: int = 0  # once it was decrypted

    @property
    def is_discovery(self) -> bool:
        return not self.head.engine_id


def keys_of(user: UsmUser, engine_id: bytes) -> LocalKeys:
    if user.auth_protocol is AuthProtocol.NONE:
        return LocalKeys(b"", b"")
    auth, priv = (
        master_key(user.auth_protocol, key.reveal().encode() or b"-") for key in (user.auth_key, user.priv_key)
    )
    return local_keys(user, auth, priv, engine_id)


class V3Peer:
    """`async with V3Peer(user) as peer:`; `peer.script = …` answers in the place of the agent's own `behave`."""

    def __init__(self, user: UsmUser = USER, *, address: str = "127.0.0.1", port: int = 0) -> None:
        self.user = user
        self.engine_id = ENGINE_ID
        self.boots = 5
        self.time_s = 100_000
        self.asked: list[Asked] = []
        self.script: Callable[[V3Peer, Asked], None] = V3Peer.behave
        self._keys: dict[tuple[int, bytes], LocalKeys] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind((address, port))

    @property
    def address(self) -> tuple[str, int]:
        name = self._socket.getsockname()
        return name[0], name[1]

    @property
    def requests(self) -> list[Asked]:
        """What was asked beside discoveries."""
        return [asked for asked in self.asked if not asked.is_discovery]

    def agent(self, user: UsmUser | None = None, **limits: Any) -> Agent:
        """Return this peer as an agent to ask; by default impatient, and without retries."""
        return Agent(self.address, user or self.user, Limits(**{"timeout_s": 0.2, "retries": 0, **limits}))

    async def __aenter__(self) -> "V3Peer":
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _read(self) -> None:
        data, source = self._socket.recvfrom(65535)
        asked = Asked(data, read_head_v3(data), source)
        self.asked.append(asked)
        self.script(self, asked)

    # ---- the agent

    def behave(self, asked: Asked) -> None:
        """Answer as RFC 3414 3.2 says."""
        head, level = asked.head, asked.head.flags & LEVEL
        if head.engine_id != self.engine_id:
            self.report(asked, UNKNOWN_ENGINE)
        elif head.user != self.user.user.encode():
            self.report(asked, UNKNOWN_USER)
        elif level & PRIV and self.user.priv_protocol is PrivProtocol.NONE:
            self.report(asked, UNSUPPORTED_LEVEL)
        elif level & AUTH and not self._is_signed(asked):
            self.report(asked, WRONG_DIGEST)
        elif level & AUTH and (head.boots != self.boots or abs(head.time_s - self.time_s) > 150):
            self.report(asked, NOT_IN_TIME, level=AUTH)
        else:
            self.answer(asked)

    def answer(self, asked: Asked, varbinds: bytes = SEVEN, **changes: Any) -> None:
        """Send a response; see `message` for what can be changed."""
        asked.request_id = asked.request_id or self._open(asked)
        self.send(self.message(asked, PduType.RESPONSE, varbinds, **changes), asked)

    def report(self, asked: Asked, number: int, level: int = 0, **changes: Any) -> None:
        """Send a report of a usmStats counter."""
        counter = varbind(ber.encode_oid((1, 3, 6, 1, 6, 3, 15, 1, 1, number, 0)), ber.COUNTER32, b"\x01")
        self.send(self.message(asked, PduType.REPORT, counter, level=level, **changes), asked)

    def message(
        self,
        asked: Asked,
        pdu: int,
        varbinds: bytes,
        *,
        level: int | None = None,
        engine_id: bytes | None = None,
        request_id: int | None = None,
        msg_id: int | None = None,
        user: UsmUser | None = None,
        boots: int | None = None,
        time_s: int | None = None,
        context: bytes = b"",
    ) -> bytes:
        """Encode a message to whoever asked, signed and encrypted at `level`: as asked, if none is given."""
        level = asked.head.flags & LEVEL if level is None else level
        engine_id = self.engine_id if engine_id is None else engine_id
        user = user or self.user
        boots = self.boots if boots is None else boots
        time_s = self.time_s if time_s is None else time_s
        number = ber.encode_integer(asked.request_id if request_id is None else request_id)
        body = number + ber.encode_integer(0) * 2 + ber.encode_tlv(ber.SEQUENCE, varbinds)
        names = ber.encode_tlv(4, engine_id) + ber.encode_tlv(4, context)
        data, salt = ber.encode_tlv(ber.SEQUENCE, names + ber.encode_tlv(pdu, body)), b""
        keys = self._keys_of(user, engine_id)
        if level & PRIV:
            data, salt = make_cipher(user.priv_protocol, keys.priv).encrypt(data, boots, time_s, 77)
            data = ber.encode_tlv(4, data)
        signer = Signer(user.auth_protocol, keys.auth) if level & AUTH else None
        mac = bytes(signer.size) if signer else b""
        header = ber.encode_integer(asked.head.msg_id if msg_id is None else msg_id) + ber.encode_integer(65507)
        header += ber.encode_tlv(4, bytes((level,))) + ber.encode_integer(3)

        def whole(mac: bytes) -> bytes:
            inside = ber.encode_tlv(4, engine_id) + ber.encode_integer(boots) + ber.encode_integer(time_s)
            inside += ber.encode_tlv(4, user.user.encode()) + ber.encode_tlv(4, mac) + ber.encode_tlv(4, salt)
            parameters = ber.encode_tlv(4, ber.encode_tlv(ber.SEQUENCE, inside))
            version = ber.encode_integer(3)
            return ber.encode_tlv(ber.SEQUENCE, version + ber.encode_tlv(ber.SEQUENCE, header) + parameters + data)

        return whole(signer.sign(whole(mac))) if signer else whole(mac)

    def send(self, data: bytes, asked: Asked) -> None:
        """Send a datagram to whoever asked."""
        self._socket.sendto(data, asked.source)

    def _keys_of(self, user: UsmUser, engine_id: bytes) -> LocalKeys:
        key = id(user), engine_id
        if key not in self._keys:
            self._keys[key] = keys_of(user, engine_id)
        return self._keys[key]

    def _is_signed(self, asked: Asked) -> bool:
        if self.user.auth_protocol is AuthProtocol.NONE:
            return False
        signer = Signer(self.user.auth_protocol, self._keys_of(self.user, self.engine_id).auth)
        at, data = asked.head.mac_at, asked.data
        if asked.head.mac_bytes != signer.size:
            return False
        zeroed = data[:at] + bytes(signer.size) + data[at + signer.size :]
        return signer.sign(zeroed) == data[at : at + signer.size]

    def _open(self, asked: Asked) -> int:
        """Decrypt a message if need be; returns its request-id."""
        head = asked.head
        if not head.flags & PRIV:
            return read_scoped(asked.data, head.data_at).request_id
        cipher = make_cipher(self.user.priv_protocol, self._keys_of(self.user, head.engine_id).priv)
        plain = cipher.decrypt(ciphertext(asked.data, head.data_at), head.boots, head.time_s, head.salt)
        return read_scoped(plain, 0, 15).request_id


def in_turn(*scripts: Callable[[V3Peer, Asked], None]) -> Callable[[V3Peer, Asked], None]:
    """Answer the first message by the first script, and so on; the last goes on for ever."""
    line = list(scripts)

    def script(peer: V3Peer, asked: Asked) -> None:
        (line.pop(0) if len(line) > 1 else line[0])(peer, asked)

    return script


def silent(peer: V3Peer, asked: Asked) -> None:
    """Answer nothing."""


def after_discovery(script: Callable[[V3Peer, Asked], None]) -> Callable[[V3Peer, Asked], None]:
    """Answer discoveries as an agent does, the rest by a script."""

    def either(peer: V3Peer, asked: Asked) -> None:
        if asked.is_discovery:
            peer.behave(asked)
        else:
            script(peer, asked)

    return either
