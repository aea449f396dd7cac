"""One user's v3 messages to one engine: signed, encrypted, checked (RFC 3414 3.1 and 3.2).

The checks of a reply, in this order, and the first that fails drops it: the signature, if it has one (nothing of a
message is believed before); the level, which for anything but a report is that of the request; engine ID, user and
request-id; boots and time, from which the engine's clock is learned. msgID and address were matched before.
"""

from collections import deque
from collections.abc import Callable
from hmac import compare_digest
from typing import Any, Final, NamedTuple

from streampoll.errors import SnmpError
from streampoll.model import Status
from streampoll.snmp.authority import Learned, RemoteEngine
from streampoll.snmp.credential import AuthProtocol, PrivProtocol, UsmUser
from streampoll.snmp.engine import Failure, Reply
from streampoll.snmp.exchange import Drop
from streampoll.snmp.message import Form, PduType, Request
from streampoll.snmp.message_v3 import (
    AUTH,
    LEVEL,
    PRIV,
    Envelope,
    HeadV3,
    Pdu,
    ciphertext,
    encode_ciphertext,
    encode_moment,
    read_scoped,
)
from streampoll.snmp.reports import Cause, Report, cause_of, reason_for, status_for
from streampoll.snmp.usm import LocalKeys, Signer, signature_bytes

_PADDING: Final = 15  # bytes that a cipher may have filled up with
_REPORT: Final = int(PduType.REPORT)
_RESPONSE: Final = int(PduType.RESPONSE)


class Kit(NamedTuple):
    """What signs and encrypts: three kilobytes, made of a session's keys in ten microseconds."""

    signer: Signer
    cipher: Any  # privacy.Cipher, whose import loads `cryptography`; None without privacy

    def __repr__(self) -> str:
        return "Kit(…)"


class Kits:
    """The kits of the sessions that were used lately; a worker knows more agents than it talks to at a time."""

    def __init__(self, most: int = 2048) -> None:
        self._most = most
        self._owners: deque[Session] = deque()

    def lend(self, session: "Session", user: UsmUser, keys: LocalKeys) -> Kit:
        """Make a kit for a session, and take that of another back if there are too many."""
        if len(self._owners) >= self._most:
            self._owners.popleft().kit = None
        self._owners.append(session)
        return Kit(Signer(user.auth_protocol, keys.auth), _cipher(user, keys))


def _cipher(user: UsmUser, keys: LocalKeys) -> Any:
    if user.priv_protocol is PrivProtocol.NONE:
        return None
    from streampoll.snmp.privacy import make_cipher  # loads `cryptography`: only where somebody encrypts

    return make_cipher(user.priv_protocol, keys.priv)


class Session:
    """One user on one engine; a `Speech`. Its keys are shown nowhere."""

    __slots__ = (
        "_clock", "_envelope", "_keys", "_kits", "_moment", "_new_salt", "_user_bytes", "engine", "has_answered", "kit",
        "level", "user"
    )  # fmt: skip

    def __init__(
        self, user: UsmUser, engine: RemoteEngine, keys: LocalKeys, kits: Kits, new_salt: Callable[[], int]
    ) -> None:
        self.user = user
        self.engine = engine
        self.level = level_of(user)
        self.has_answered = False  # the agent, to this user
        self.kit: Kit | None = None
        self._keys = keys
        self._kits = kits
        self._new_salt = new_salt
        self._user_bytes = user.user.encode()
        self._envelope = Envelope(
            engine.engine_id, self._user_bytes, user.context.encode(), self.level, signature_bytes(user.auth_protocol)
        )
        self._clock = (0, 0)
        self._moment = encode_moment(0, 0)

    def encode(self, request: Request, request_id: int, now: float) -> bytes:
        """Encode a request; see `Speech`."""
        scoped = self._envelope.scoped(request.pdu, request_id, request.tail)
        if not self.level:
            return self._envelope.seal(request_id, self._moment, b"", scoped)[0]
        signer, cipher = self.kit or self._equip()
        clock = self.engine.clock(now)
        if clock != self._clock:
            self._clock, self._moment = clock, encode_moment(*clock)
        salt = b""
        if cipher is not None:
            encrypted, salt = cipher.encrypt(scoped, *clock, self._new_salt())
            scoped = encode_ciphertext(encrypted)
        message, at = self._envelope.seal(request_id, self._moment, salt, scoped)
        return message[:at] + signer.sign(message) + message[at + signer.size :]

    def read(self, data: bytes, head: HeadV3, request: Request, sent: int, now: float, at: float) -> Reply | Failure:
        """Read an answer; see `Speech`."""
        if head[1] != 3:
            return Drop(Status.DECODE, "the reply can't be read: it is not SNMPv3")
        level = head.flags & LEVEL
        if level & AUTH and not self._is_signed_by_agent(data, head):
            return Drop(Status.AUTH, "the reply's signature is wrong: it was damaged on the way, or is not the agent's")
        try:
            pdu = self._open(data, head, request.form if level == self.level else None)
        except SnmpError as error:
            kind = Failure if level == self.level else Drop
            return kind(Status.DECODE, f"the reply can't be read: {error}", sent)
        if pdu.kind == _REPORT:
            cause = cause_of(pdu.varbinds)
            return self._report(cause, reason_for(cause, self.user), head, sent)
        wrong = self._mismatch(pdu, head)
        if wrong:
            return Drop(Status.AUTH, wrong)
        if level and self.engine.learn(head.boots, head.time_s, now) is Learned.BACK:
            return self._report(Cause.TIME_WENT_BACK, Cause.TIME_WENT_BACK.value, head, sent)
        return Reply(pdu.plain or pdu.varbinds, pdu.error_status, pdu.error_index, at, sent)

    def _equip(self) -> Kit:
        self.kit = self._kits.lend(self, self.user, self._keys)
        return self.kit

    def _is_signed_by_agent(self, data: bytes, head: HeadV3) -> bool:
        """Tell whether a message was signed with our key: whether its engine is ours, and it is what was sent."""
        if not self.level or head.engine_id != self.engine.engine_id:
            return False
        signer, _ = self.kit or self._equip()
        if head.mac_bytes != signer.size:
            return False
        at, end = head.mac_at, head.mac_at + signer.size
        return compare_digest(signer.sign(data[:at] + bytes(signer.size) + data[end:]), data[at:end])

    def _open(self, data: bytes, head: HeadV3, form: Form | None) -> Pdu:
        """Read a message's PDU, decrypted if it has to be."""
        if not head.flags & PRIV:
            return read_scoped(data, head.data_at, form=form)
        _, cipher = self.kit or self._equip()
        if cipher is None:
            raise SnmpError("encrypted, though we don't encrypt")
        plain = cipher.decrypt(ciphertext(data, head.data_at), head.boots, head.time_s, head.salt)
        return read_scoped(plain, 0, _PADDING, form)

    def _mismatch(self, pdu: Pdu, head: HeadV3) -> str:
        """Say why a message that is no report does not answer the request; "" if it does."""
        if pdu.kind != _RESPONSE:
            return f"a PDU of type 0x{pdu.kind:02x} in answer"
        if head.flags & LEVEL != self.level:
            return "the reply is not signed and encrypted as the request was"
        if head.engine_id != self.engine.engine_id or head.user != self._user_bytes:
            return "the reply is from another engine or for another user"
        return "" if pdu.request_id == head.msg_id else "the reply's request-id is not the request's"

    def _report(self, cause: Cause, reason: str, head: HeadV3, sent: int) -> Report:
        is_authentic = bool(head.flags & AUTH)
        return Report(
            status_for(cause), reason, sent, cause, is_authentic, head.engine_id, head.boots, head.time_s
        )  # fmt: skip


def level_of(user: UsmUser) -> int:
    """Return the flags of a user's security level."""
    if user.auth_protocol is AuthProtocol.NONE:
        return 0
    return AUTH if user.priv_protocol is PrivProtocol.NONE else AUTH | PRIV


class Discovery:
    """The question who an agent is: no engine ID, no user, nothing asked (RFC 3414 4). A `Speech`."""

    def __init__(self) -> None:
        self._envelope = Envelope(b"", b"", b"", 0, 0)
        self._moment = encode_moment(0, 0)

    def encode(self, request: Request, request_id: int, _now: float) -> bytes:
        """Encode the question; see `Speech`."""
        scoped = self._envelope.scoped(request.pdu, request_id, request.tail)
        return self._envelope.seal(request_id, self._moment, b"", scoped)[0]

    def read(self, data: bytes, head: HeadV3, _request: Request, sent: int, _now: float, _at: float) -> Reply | Failure:
        """Read an answer: any report is one, for what it carries; see `Speech`."""
        if head[1] != 3 or head.flags & LEVEL or not head.engine_id:
            return Drop(Status.DECODE, "the reply can't be read: no engine ID in answer to the question for it")
        try:
            pdu = read_scoped(data, head.data_at)
        except SnmpError as error:
            return Drop(Status.DECODE, f"the reply can't be read: {error}")
        if pdu.kind != _REPORT:
            return Drop(Status.DECODE, f"the reply can't be read: a PDU of type 0x{pdu.kind:02x} in answer")
        return Report(
            Status.AUTH, "", sent, cause_of(pdu.varbinds), False, head.engine_id, head.boots, head.time_s
        )  # fmt: skip
