"""The keys and signatures of SNMPv3's user-based security model (RFC 3414, RFC 7860); pure.

    passphrase --master_key--> Ku --localize(engine ID)--> Kul --extend--> key of the cipher
               (hashes 1 MB)      (two hashes)                (AES-192/256 under a short hash)

A master key belongs to a passphrase and a hash, a localized key to one engine as well: an agent that leaks its own
gives away no other. What AES-192 and AES-256 need beyond a short hash was never standardized; there are two ways, which
do not understand each other.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from streampoll.snmp.credential import AuthProtocol, PrivProtocol, UsmUser

_STRETCHED_BYTES: Final = 1 << 20  # RFC 3414 A.2: what a passphrase is repeated to before it is hashed

_HASHES: Final = {
    AuthProtocol.MD5: ("md5", 12),
    AuthProtocol.SHA1: ("sha1", 12),
    AuthProtocol.SHA224: ("sha224", 16),
    AuthProtocol.SHA256: ("sha256", 24),
    AuthProtocol.SHA384: ("sha384", 32),
    AuthProtocol.SHA512: ("sha512", 48),
}
"""The hash, and to how many bytes its HMAC is cut in a message (RFC 3414 6 and 7, RFC 7860 4.2.2)."""

_KEY_BYTES: Final = {
    PrivProtocol.NONE: 0,
    PrivProtocol.DES: 16,  # eight of the key, eight of the "pre-IV"
    PrivProtocol.AES128: 16,
    PrivProtocol.AES192: 24,
    PrivProtocol.AES256: 32,
    PrivProtocol.AES192C: 24,
    PrivProtocol.AES256C: 32,
}
_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))  # RFC 2104
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))
_REEDER: Final = frozenset({PrivProtocol.AES192C, PrivProtocol.AES256C})


@dataclass(frozen=True, slots=True)
class LocalKeys:
    """One user's keys on one engine; b"" where the user's level has no use for one."""

    auth: bytes
    priv: bytes

    def __repr__(self) -> str:
        return "LocalKeys(…)"


def master_key(protocol: AuthProtocol, passphrase: bytes) -> bytes:
    """Make a passphrase to a key, Ku (RFC 3414 A.2). It takes two milliseconds, most of them without the GIL."""
    repeated = passphrase * (_STRETCHED_BYTES // len(passphrase) + 1)
    return hashlib.new(_HASHES[protocol][0], memoryview(repeated)[:_STRETCHED_BYTES]).digest()


def localize(protocol: AuthProtocol, master: bytes, engine_id: bytes) -> bytes:
    """Make a master key to one that only one engine knows, Kul (RFC 3414 2.6)."""
    return hashlib.new(_HASHES[protocol][0], master + engine_id + master).digest()


def is_slow(user: UsmUser) -> bool:
    """Tell whether localizing a user's keys hashes another megabyte for each engine, as Reeder's extension does."""
    if user.priv_protocol not in _REEDER:
        return False
    return hashlib.new(_HASHES[user.auth_protocol][0]).digest_size < _KEY_BYTES[user.priv_protocol]


def local_keys(user: UsmUser, auth_master: bytes, priv_master: bytes, engine_id: bytes) -> LocalKeys:
    """Localize a user's master keys (b"" where there is none) to an engine, at the length that its cipher needs."""
    protocol = user.auth_protocol
    if protocol is AuthProtocol.NONE:
        return LocalKeys(b"", b"")
    auth = localize(protocol, auth_master, engine_id)
    if user.priv_protocol is PrivProtocol.NONE:
        return LocalKeys(auth, b"")
    size = _KEY_BYTES[user.priv_protocol]
    extend = _extend_reeder if user.priv_protocol in _REEDER else _extend_blumenthal
    return LocalKeys(auth, extend(protocol, localize(protocol, priv_master, engine_id), engine_id, size)[:size])


def _extend_blumenthal(protocol: AuthProtocol, key: bytes, _engine_id: bytes, size: int) -> bytes:
    """Append the hash of the key so far (draft-blumenthal-aes-usm-04 3.1.2.1)."""
    while len(key) < size:
        key += hashlib.new(_HASHES[protocol][0], key).digest()
    return key


def _extend_reeder(protocol: AuthProtocol, key: bytes, engine_id: bytes, size: int) -> bytes:
    """Append what the key's last part becomes as a passphrase (draft-reeder-snmpv3-usm-3desede-00 2.1)."""
    part = key
    while len(key) < size:
        part = localize(protocol, master_key(protocol, part), engine_id)
        key += part
    return key


class Signer:
    """Signs with one localized key: HMAC, whose two states after the key's blocks are kept and copied."""

    __slots__ = ("_inner", "_outer", "size")

    def __init__(self, protocol: AuthProtocol, key: bytes) -> None:
        name, self.size = _HASHES[protocol]  # bytes of a signature in a message
        block = hashlib.new(name).block_size
        padded = key.ljust(block, b"\0")
        self._inner = hashlib.new(name, padded.translate(_INNER_PAD))
        self._outer = hashlib.new(name, padded.translate(_OUTER_PAD))

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message whose signature is zeros."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()[: self.size]


def signature_bytes(protocol: AuthProtocol) -> int:
    """Return how long a signature is in a message; 0 without authentication."""
    return _HASHES[protocol][1] if protocol in _HASHES else 0
