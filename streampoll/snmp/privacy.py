"""The ciphers of SNMPv3 (RFC 3414 8, RFC 3826): DES in CBC, AES in CFB-128. Imported once a user with privacy is met.

Each message has its own initialization vector, and making a cipher object for it costs as much as sending the message.
So a key has two objects that serve all its messages, both in modes without an IV of the message in them:

- decrypting needs only single blocks: CFB's key stream is E(IV), E(C0), E(C1)…, CBC's plaintext is D(C0) ^ IV…;
- encrypting is a chain, and CBC's own: fed with IV, P0, P1… from an IV of zeros it gives E(IV), E(P0 ^ E(IV))…, which
  is CFB's key stream. A CBC object that has been used goes on from its last block, so that is taken out of the first.
"""

from typing import Final, Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher as Blocks
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from streampoll.errors import SnmpError
from streampoll.snmp.credential import PrivProtocol

SALT_BYTES: Final = 8


class Cipher(Protocol):
    """Encrypts and decrypts with one localized key."""

    def encrypt(self, plain: bytes, boots: int, time_s: int, salt: int) -> tuple[bytes, bytes]:
        """Return the ciphertext and msgPrivacyParameters. `salt`, 64 bits, must never come twice for a key."""

    def decrypt(self, data: bytes, boots: int, time_s: int, parameters: bytes) -> bytes:
        """Return the plaintext, with its padding if there is one. Raises SnmpError if it can't be such a ciphertext."""


def make_cipher(protocol: PrivProtocol, key: bytes) -> Cipher:
    """Make the cipher of a protocol for a localized key of the right length."""
    return DesCbc(key) if protocol is PrivProtocol.DES else AesCfb(key)


class _Chain:
    """A CBC encryptor that is used for one message after another, each under its own IV."""

    __slots__ = ("_encryptor", "_last", "_size")

    def __init__(self, algorithm: AES | TripleDES) -> None:
        self._size = algorithm.block_size // 8
        self._last = bytes(self._size)
        self._encryptor = Blocks(algorithm, CBC(self._last)).encryptor()

    def run(self, first: bytes, rest: bytes) -> bytes:
        """Encrypt `first`, one block, from an IV of zeros, and what follows; cut to whole blocks."""
        size = len(rest) // self._size * self._size
        out = self._encryptor.update(_xor(first, self._last) + rest[:size])
        self._last = out[-self._size :]
        return out


class AesCfb:
    """AES in CFB-128 (RFC 3826 for 128 bits, the drafts for 192 and 256); no padding."""

    __slots__ = ("_blocks", "_chain")

    def __init__(self, key: bytes) -> None:
        algorithm = AES(key)
        self._chain = _Chain(algorithm)
        self._blocks = Blocks(algorithm, ECB()).encryptor()  # noqa: S305 - single blocks, that CFB is made of

    def encrypt(self, plain: bytes, boots: int, time_s: int, salt: int) -> tuple[bytes, bytes]:
        """Encrypt; see `Cipher`."""
        parameters = salt.to_bytes(8)
        stream = self._chain.run(boots.to_bytes(4) + time_s.to_bytes(4) + parameters, plain)
        return _xor(plain, stream[: len(plain)]), parameters

    def decrypt(self, data: bytes, boots: int, time_s: int, parameters: bytes) -> bytes:
        """Decrypt; see `Cipher`."""
        if len(parameters) != SALT_BYTES:
            raise SnmpError(f"privacy parameters of {len(parameters)} bytes")
        fed = boots.to_bytes(4) + time_s.to_bytes(4) + parameters + data
        size = (len(data) + 15) // 16 * 16
        return _xor(data, self._blocks.update(fed[:size])[: len(data)])


class DesCbc:
    """DES in CBC (RFC 3414 8.1.1), padded to whole blocks; its IV is the key's second half and the salt."""

    __slots__ = ("_blocks", "_chain", "_pre_iv")

    def __init__(self, key: bytes) -> None:
        algorithm = TripleDES(key[:8] * 3)  # thrice with one key is once
        self._chain = _Chain(algorithm)
        self._blocks = Blocks(algorithm, ECB()).decryptor()  # noqa: S305 - single blocks, that CBC is made of
        self._pre_iv = key[8:16]

    def encrypt(self, plain: bytes, boots: int, time_s: int, salt: int) -> tuple[bytes, bytes]:
        """Encrypt; see `Cipher`. Half of the salt is the engine's boots (RFC 3414 8.1.1.1)."""
        parameters = boots.to_bytes(4) + (salt & 0xFFFFFFFF).to_bytes(4)
        padded = plain + bytes(-len(plain) % 8)
        first = _xor(_xor(self._pre_iv, parameters), padded[:8])
        return self._chain.run(first, padded[8:]), parameters

    def decrypt(self, data: bytes, boots: int, time_s: int, parameters: bytes) -> bytes:
        """Decrypt; see `Cipher`."""
        if len(parameters) != SALT_BYTES or len(data) % 8:
            raise SnmpError(f"{len(data)} bytes encrypted, privacy parameters of {len(parameters)}")
        before = _xor(self._pre_iv, parameters) + data[:-8]
        return _xor(self._blocks.update(data), before[: len(data)])


def _xor(left: bytes, right: bytes) -> bytes:
    """Combine two byte strings of one length."""
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(len(left))
