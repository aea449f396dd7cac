"""Whether a host key is the one we know, and what is said if it isn't; by the rules of OpenSSH."""

import base64
import hashlib
from enum import Enum, auto

from streampoll.model import Status
from streampoll.ssh.port import Endpoint, HostKeys, SshFailure, Trust, known_name


class Verdict(Enum):
    """What a host key is to us."""

    KNOWN = auto()
    FIRST = auto()  # nothing is known of the host yet
    CHANGED = auto()
    REVOKED = auto()


def judge(trust: Trust, key: str) -> Verdict:
    """Compare a key with what is known of its host."""
    if key in trust.revoked:
        return Verdict.REVOKED
    if key in trust.keys:
        return Verdict.KNOWN
    return Verdict.CHANGED if trust else Verdict.FIRST


def refusal(verdict: Verdict, endpoint: Endpoint, key: str, trust: Trust, keys: HostKeys) -> SshFailure:
    """Return the failure of a key that is not accepted; no credential was sent, and none must be tried after it."""
    name, shown = known_name(endpoint.host, endpoint.port), fingerprint(key)
    if verdict is Verdict.REVOKED:
        return SshFailure(Status.REFUSED, f"host key {shown} is marked as revoked in {keys.where}")
    if verdict is Verdict.FIRST:
        remedy = f'add it ("ssh-keyscan"), or set ssh.host_keys = "first-use"; it offers {shown}'
        return SshFailure(Status.REFUSED, f"no host key of {name} in {keys.where}: {remedy}")
    known = ", ".join(sorted(map(fingerprint, trust.keys or trust.authorities)))
    remedy = f"if that is meant: ssh-keygen -R '{name}' -f {keys.where}"
    return SshFailure(Status.REFUSED, f"host key has changed: known is {known}, it offers {shown}; {remedy}")


def fingerprint(key: str) -> str:
    """Return a key as ssh-keygen -l shows it: its type and the hash of its bytes."""
    kind, _, text = key.partition(" ")
    try:
        digest = hashlib.sha256(base64.b64decode(text)).digest()
    except ValueError:
        return f"an unreadable key ({kind})"
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')} ({kind})"
