"""SNMPv3 as the fleet's devices speak it (RFC 3412, RFC 3414, RFC 7860, RFC 3826): one user, SHA-256 and AES-128.

A v3 request is checked, decrypted, and handed on as the v2c request that it would be; the reply is taken apart again,
encrypted and signed. Each device is an engine of its own: its ID holds its address, boots and time are those of its
cycle of reboots. On purpose not shared with `streampoll.snmp`, as `ber`; plain, and fast enough.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from streampoll.embedded.fleet import ber
from streampoll.embedded.fleet.ber import MalformedError

USER = b"fleet"
AUTH, PRIV = 1, 2  # msgFlags
MAC_BYTES = 24
WINDOW_S = 150
KEPT = 1 << 14  # devices whose keys are kept
LEVEL, NOT_IN_TIME, UNKNOWN_USER, UNKNOWN_ENGINE, WRONG_DIGEST, DECRYPTION = 1, 2, 3, 4, 5, 6  # usmStats
REPORT = 0xA8

Respond = Callable[[bytes], bytes | None]
"""Answers a v2c request with a v2c reply; None: not at all."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A device's engine at a moment."""

    address: int  # the 24 host bits of the device's
    boots: int
    time_s: int

    @property
    def engine_id(self) -> bytes:
        """An ID of the form "IPv4 address" (SnmpEngineID of RFC 3411), under an enterprise number that nobody has."""
        return b"\x80\x00\x00\x63\x01\x7f" + self.address.to_bytes(3, "big")


@dataclass(frozen=True, slots=True)
class Message:
    """A request, not yet checked."""

    whole: bytes
    number: bytes  # msgID, encoded
    level: int
    engine_id: bytes
    boots: int
    time_s: int
    user: bytes
    mac_at: int
    mac: bytes
    salt: bytes
    data: bytes  # the scoped PDU or the element of its ciphertext


class Usm:
    """The user's keys on every device, and what is said with them."""

    def __init__(self, passphrase: str, community: bytes) -> None:
        self._head = ber.encode_integer(1) + ber.encode(ber.OCTETS, community)  # of the v2c request inside
        text = passphrase.encode()
        self._master = sha256((text * ((1 << 20) // len(text) + 1))[: 1 << 20]).digest()
        self._key = lru_cache(maxsize=KEPT)(self._localize)

    def reply(self, data: bytes, clock: Clock, respond: Respond) -> bytes | None:
        """Answer a v3 request to the device whose clock that is; None: not at all.

        Raises:
            MalformedError: it is none.
        """
        asked = parse(data)
        refusal = self._refusal(asked, clock)
        if refusal:
            return self._refuse(asked, clock, refusal)
        scoped = self._open(asked, clock)
        try:
            begin, end = ber.decode(scoped, 0, ber.SEQUENCE)
            _, at = ber.decode(scoped, begin, ber.OCTETS)
            _, at = ber.decode(scoped, at, ber.OCTETS)
        except MalformedError:
            return self._refuse(asked, clock, DECRYPTION)
        answer = respond(ber.encode(ber.SEQUENCE, self._head + scoped[at:end]))
        if answer is None:
            return None
        names = scoped[begin:at]
        pdu = answer[ber.decode(answer, 0)[0] + len(self._head) :]
        return self._seal(asked, clock, asked.level, ber.encode(ber.SEQUENCE, names + pdu))

    def _localize(self, engine_id: bytes) -> bytes:
        return sha256(self._master + engine_id + self._master).digest()

    def _refusal(self, asked: Message, clock: Clock) -> int:
        """Return the number of the counter that a request raises; 0 if it is in order (RFC 3414 3.2)."""
        if asked.engine_id != clock.engine_id:
            return UNKNOWN_ENGINE
        if asked.user != USER:
            return UNKNOWN_USER
        if not asked.level & AUTH:
            return LEVEL
        blank = asked.whole[: asked.mac_at] + bytes(MAC_BYTES) + asked.whole[asked.mac_at + MAC_BYTES :]
        if not hmac.compare_digest(self._mac(blank, clock), asked.mac):
            return WRONG_DIGEST
        is_in_time = asked.boots == clock.boots and abs(asked.time_s - clock.time_s) <= WINDOW_S
        return 0 if is_in_time else NOT_IN_TIME

    def _refuse(self, asked: Message, clock: Clock, counter: int) -> bytes:
        oid = ber.encode_oid((1, 3, 6, 1, 6, 3, 15, 1, 1, counter, 0))
        bindings = ber.encode(ber.SEQUENCE, ber.encode(ber.SEQUENCE, oid + ber.encode_integer(1, ber.COUNTER32)))
        pdu = ber.encode(REPORT, ber.encode_integer(0) * 3 + bindings)
        names = ber.encode(ber.OCTETS, clock.engine_id) + ber.encode(ber.OCTETS, b"")
        level = AUTH if counter == NOT_IN_TIME else 0
        return self._seal(asked, clock, level, ber.encode(ber.SEQUENCE, names + pdu))

    def _open(self, asked: Message, clock: Clock) -> bytes:
        if not asked.level & PRIV:
            return asked.data
        begin, end = ber.decode(asked.data, 0, ber.OCTETS)
        return _cfb(
            self._key(clock.engine_id)[:16], asked.boots, asked.time_s, asked.salt, asked.data[begin:end], False
        )

    def _seal(self, asked: Message, clock: Clock, level: int, scoped: bytes) -> bytes:
        """Put a message together, encrypted and signed as the level says."""
        salt = b""
        if level & PRIV:
            salt = bytes(byte ^ 0xFF for byte in asked.salt)  # as new as the request's
            key = self._key(clock.engine_id)[:16]
            scoped = ber.encode(ber.OCTETS, _cfb(key, clock.boots, clock.time_s, salt, scoped, True))
        header = asked.number + ber.encode_integer(65_507) + bytes((ber.OCTETS, 1, level)) + ber.encode_integer(3)
        mac = bytes(MAC_BYTES) if level & AUTH else b""
        inside = ber.encode(ber.OCTETS, clock.engine_id)
        inside += ber.encode_integer(clock.boots) + ber.encode_integer(clock.time_s)
        inside += ber.encode(ber.OCTETS, asked.user) + ber.encode(ber.OCTETS, mac)
        end = ber.encode(ber.OCTETS, salt)
        parameters = ber.encode(ber.OCTETS, ber.encode(ber.SEQUENCE, inside + end))
        whole = ber.encode_integer(3) + ber.encode(ber.SEQUENCE, header) + parameters + scoped
        whole = ber.encode(ber.SEQUENCE, whole)
        if not mac:
            return whole
        at = len(whole) - len(scoped) - len(end) - MAC_BYTES
        return whole[:at] + self._mac(whole, clock) + whole[at + MAC_BYTES :]

    def _mac(self, blank: bytes, clock: Clock) -> bytes:
        return hmac.digest(self._key(clock.engine_id), blank, "sha256")[:MAC_BYTES]


def is_v3(data: bytes) -> bool:
    """Tell whether a message says that it is SNMPv3."""
    at = 2 if len(data) > 1 and data[1] < 128 else 2 + (data[1] & 127 if len(data) > 1 else 0)
    return data[at : at + 3] == b"\x02\x01\x03"


def parse(data: bytes) -> Message:
    """Read a message up to its scoped PDU.

    Raises:
        MalformedError: it is not an SNMPv3 message of the user-based model.
    """
    at, end = ber.decode(data, 0, ber.SEQUENCE)
    _, at = ber.decode_integer(data, at)
    number, at = ber.decode(data, at, ber.SEQUENCE)
    _, size = ber.decode_integer(data, number)
    _, flags = ber.decode_integer(data, size)
    level, model = ber.decode(data, flags, ber.OCTETS)
    outer, rest = ber.decode(data, at, ber.OCTETS)
    inner, _ = ber.decode(data, outer, ber.SEQUENCE)
    engine, engine_end = ber.decode(data, inner, ber.OCTETS)
    boots, at = ber.decode_integer(data, engine_end)
    time_s, at = ber.decode_integer(data, at)
    user, user_end = ber.decode(data, at, ber.OCTETS)
    mac, mac_end = ber.decode(data, user_end, ber.OCTETS)
    salt, salt_end = ber.decode(data, mac_end, ber.OCTETS)
    is_sound = end == len(data) and salt_end == rest and model - level == 1 and ber.decode_integer(data, model)[0] == 3
    if not is_sound or not 0 <= boots < 1 << 31 or not 0 <= time_s < 1 << 31 or salt_end - salt not in (0, 8):
        raise MalformedError("not a message of SNMPv3's user-based model")
    return Message(
        data, data[number:size], data[level] & (AUTH | PRIV), data[engine:engine_end], boots, time_s,
        data[user:user_end], mac, data[mac:mac_end], data[salt:salt_end], data[rest:],
    )  # fmt: skip


def _cfb(key: bytes, boots: int, time_s: int, salt: bytes, data: bytes, encrypts: bool) -> bytes:
    """Encrypt or decrypt with AES-128 in CFB (RFC 3826)."""
    cipher = _cipher(key, boots.to_bytes(4, "big") + time_s.to_bytes(4, "big") + salt.rjust(8, b"\0"))
    one_way = cipher.encryptor() if encrypts else cipher.decryptor()
    return bytes(one_way.update(data))


def _cipher(key: bytes, iv: bytes) -> Any:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB  # loaded by the first device that is asked in v3
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    return Cipher(AES(key), CFB(iv))
