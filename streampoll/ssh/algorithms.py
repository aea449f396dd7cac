"""Which algorithms are offered to a device: those that are safe, and for a device that is too old for them the others.

What SHA-1 signs (key exchange, host keys, user keys) is off; OpenSSH dropped it in 8.2 to 8.8. `ssh.legacy` brings it
back for one device, with CBC ciphers and short MACs. A leading "-" or "+" changes the library's defaults.
"""

from collections.abc import Iterable
from typing import Final

_HOST_KEYS: Final = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256",
)  # fmt: skip
_LEGACY_HOST_KEYS: Final = ("ssh-rsa", "ssh-dss")
_RSA: Final = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")  # all sign with a key of type ssh-rsa
_CERTIFIED: Final = "-cert-v01@openssh.com"

# AES-GCM first: asyncssh's ChaCha20 takes several contexts a packet, and a third more CPU for a poll.
_CIPHERS: Final = (
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr"
)

SAFE: Final[dict[str, str]] = {
    "kex_algs": "-*sha1*",
    "signature_algs": "-ssh-rsa",
    "encryption_algs": _CIPHERS,
}
LEGACY: Final[dict[str, str]] = {
    "kex_algs": "+diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1",
    "encryption_algs": f"{_CIPHERS},aes256-cbc,aes192-cbc,aes128-cbc,3des-cbc",
    "mac_algs": "+hmac-sha1-96,hmac-md5,hmac-md5-96",
}


def host_key_algorithms(known: Iterable[str], certified: bool, legacy: bool) -> list[str]:
    """Return the host key algorithms to offer, those of key types that are `known` first.

    A device may have several host keys. It is to show one that was recorded; only if it has none left is it changed.
    """
    offered = (*_HOST_KEYS, *_LEGACY_HOST_KEYS) if legacy else _HOST_KEYS
    types = set(known)
    ordered = sorted(offered, key=lambda name: ("ssh-rsa" if name in _RSA else name) not in types)
    return [*(name + _CERTIFIED for name in _HOST_KEYS), *ordered] if certified else ordered
