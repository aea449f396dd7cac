"""auths as a skeleton for credentials.toml, commented out: where each secret may be kept, never the secret."""

import re
from collections.abc import Iterator, Sequence

from streampoll.config.exporter.words import Auth
from streampoll.config.toml_text import toml_key, toml_value

_VERSIONS = {1: "1", 2: "2c", 3: "3"}
_AUTH = {"MD5": "md5", "SHA": "sha1", "SHA224": "sha224", "SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}
_PRIV = {
    "DES": "des",
    "AES": "aes128",
    "AES192": "aes192",
    "AES192C": "aes192c",
    "AES256": "aes256",
    "AES256C": "aes256c",
}


def credentials_text(auths: Sequence[Auth]) -> str:
    """Return lines for credentials.toml; "" if there are no auths."""
    if not auths:
        return ""
    head = [
        "# For credentials.toml: take the # away, and keep each secret where the line says, or elsewhere.",
        "# No secret of snmp.yml was copied.",
    ]
    return "\n".join([*head, *(line for auth in auths for line in ("#", *_lines(auth)))]) + "\n"


def _lines(auth: Auth) -> Iterator[str]:
    yield f"# [credentials.{toml_key(auth.name)}]"
    for key, value in _table(auth).items():
        yield f"# {key} = {toml_value(value)}"


def _table(auth: Auth) -> dict[str, object]:
    table: dict[str, object] = {"protocol": "snmp", "version": _VERSIONS.get(auth.version, "2c")}
    if auth.version != 3:
        return table | {"community": _kept(auth, "community")}
    table["user"] = auth.username
    if auth.security_level in ("authNoPriv", "authPriv"):
        table |= {"auth_protocol": _AUTH.get(auth.auth_protocol, "md5"), "auth_key": _kept(auth, "auth_key")}
    if auth.security_level == "authPriv":
        table |= {"priv_protocol": _PRIV.get(auth.priv_protocol, "des"), "priv_key": _kept(auth, "priv_key")}
    return table | ({"context": auth.context_name} if auth.context_name else {})


def _kept(auth: Auth, key: str) -> str:
    """Return where a secret could be: a variable of the environment."""
    return "env:" + re.sub(r"\W", "_", f"SNMP_{auth.name}_{key}").upper()
