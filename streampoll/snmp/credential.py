"""How we prove to an agent who we are: a community (v1, v2c) or a user (v3).

The secrets in here are revealed in one place each: where a message's start is encoded, where a
passphrase becomes a key.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from streampoll.config.secret import Secret

_NONE = Secret("")


class Version(IntEnum):
    """The version of SNMP, as configurations write it."""

    V1 = 1
    V2C = 2
    V3 = 3


class AuthProtocol(StrEnum):
    """How v3 messages are signed (RFC 3414, RFC 7860)."""

    NONE = "none"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA224 = "sha224"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


class PrivProtocol(StrEnum):
    """How v3 messages are encrypted; the two ways to stretch a key for AES-192/256 are not compatible."""

    NONE = "none"
    DES = "des"
    AES128 = "aes128"
    AES192 = "aes192"  # Blumenthal's key extension (draft-blumenthal-aes-usm-04): net-snmp, most agents
    AES256 = "aes256"
    AES192C = "aes192c"  # Reeder's key extension: Cisco and those who follow it
    AES256C = "aes256c"


@dataclass(frozen=True, slots=True)
class Community:
    """The shared word of SNMP v1 and v2c."""

    community: Secret
    version: Version = Version.V2C

    def __post_init__(self) -> None:
        if self.version is Version.V3:
            raise ValueError("a community is for version 1 or 2; version 3 needs a user")


@dataclass(frozen=True, slots=True)
class UsmUser:
    """A user of SNMP v3 (RFC 3414). Passphrases have at least 8 characters."""

    user: str
    auth_protocol: AuthProtocol = AuthProtocol.NONE
    auth_key: Secret = _NONE
    priv_protocol: PrivProtocol = PrivProtocol.NONE
    priv_key: Secret = _NONE
    context: str = ""  # context name (RFC 3411); "" is the default context

    def __post_init__(self) -> None:
        if self.priv_protocol is not PrivProtocol.NONE and self.auth_protocol is AuthProtocol.NONE:
            raise ValueError("privacy needs authentication: name an auth_protocol")
        _check_key("auth_key", self.auth_protocol is AuthProtocol.NONE, self.auth_key)
        _check_key("priv_key", self.priv_protocol is PrivProtocol.NONE, self.priv_key)


def _check_key(name: str, unused: bool, key: Secret) -> None:
    """Refuse a passphrase too short for RFC 3414 (11.2), without showing it."""
    if not unused and len(key.reveal()) < 8:
        raise ValueError(f"{name} has fewer than 8 characters; SNMPv3 passphrases have at least 8")


Credential = Community | UsmUser


def has_bulk(credential: Credential) -> bool:
    """Tell whether there is GETBULK in what is spoken: not in SNMPv1."""
    return not (isinstance(credential, Community) and credential.version is Version.V1)
