"""By what a device is known: an authority, or the fingerprint of its certificate.

A context costs memory (the system's authorities some megabytes) and time, so all devices that trust the same share one.
The fingerprint is compared inside the handshake, so before the first byte of a request is sent.
"""

import hashlib
import hmac
import re
import ssl
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from weakref import WeakValueDictionary


class Verify(StrEnum):
    """How much of a certificate is checked."""

    FULL = "full"  # authority and host name
    CHAIN = "chain"  # authority only: devices that are polled by address have names in their certificates
    NONE = "none"  # nothing: anybody may pose as the device


@dataclass(frozen=True, slots=True)
class Trust:
    """What a certificate must satisfy. A fingerprint stands for all the rest."""

    verify: Verify = Verify.FULL
    ca: str = ""  # file of authorities; "": the system's
    fingerprint: str = ""  # SHA-256 of the certificate, hexadecimal, see `fingerprint`


class WrongFingerprint(ssl.SSLCertVerificationError):
    """A device showed another certificate than the one that is pinned."""


def fingerprint(text: str) -> str:
    """Return a SHA-256 fingerprint in one form; "AB:CD…" (as openssl prints it) and "sha256:abcd…" are the same.

    Raises:
        ValueError: it is none.
    """
    digits = re.sub(r"^sha256[:/=]", "", text.strip().lower()).replace(":", "").replace(" ", "")
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("not a SHA-256 fingerprint: 64 hexadecimal digits, colons between them or not")
    return digits


class CaUnusable(Exception):  # noqa: N818 - reads as the state it is; becomes an outcome
    """A file of authorities can't be used; the text says why."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A context of authorities."""

    context: ssl.SSLContext
    stamp: tuple[int, ...]  # of the authorities' file


class Contexts:
    """TLS contexts, one for each trust (and ALPN, which the HTTP library sets on the context).

    Those of authorities are few and kept; those of fingerprints are as many as devices, and live as long as a session.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[Trust, bool], _Made] = {}
        self._of_pins: WeakValueDictionary[tuple[Trust, bool], ssl.SSLContext] = WeakValueDictionary()

    def get(self, trust: Trust, http2: bool) -> ssl.SSLContext:
        """Return the context of a trust: another one once its file of authorities has changed.

        A file that can't be used after a change, since it is being replaced, leaves the context as it was.

        Raises:
            CaUnusable: the file can't be read, or has no certificate.
        """
        key = trust, http2
        if trust.fingerprint:
            pinned = self._of_pins.get(key)
            return pinned if pinned is not None else self._of_pins.setdefault(key, _make(trust))
        made = self._made.get(key)
        try:
            stamp = _stamp(trust.ca)
            if made is None or made.stamp != stamp:
                made = self._made[key] = _Made(_make(trust), stamp)
        except OSError as error:  # an SSLError is one
            if made is None:
                raise CaUnusable(_why(trust.ca, error)) from None
        return made.context


def _stamp(path: str) -> tuple[int, ...]:
    """Return what changes with a file; of the system's authorities, which are not looked at again, nothing."""
    if not path:
        return ()
    found = Path(path).stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _why(path: str, error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"tls_ca: {path} has no certificate in it"
    return f"tls_ca: {path} can't be read: {error.strerror}"


def _make(trust: Trust) -> ssl.SSLContext:
    if trust.fingerprint or trust.verify is Verify.NONE:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cafile=trust.ca or None)
        context.check_hostname = trust.verify is Verify.FULL
        # Python 3.13 asks for every extension that RFC 5280 wants; devices' own authorities seldom have them all.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if trust.fingerprint:
        context.sslobject_class = _pinned(bytes.fromhex(trust.fingerprint))
    return context


def _pinned(digest: bytes) -> type[ssl.SSLObject]:
    """Return a class of TLS connections whose handshake fails for another certificate."""

    class Pinned(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            shown = hashlib.sha256(self.getpeercert(binary_form=True) or b"").digest()
            if not hmac.compare_digest(shown, digest):
                raise WrongFingerprint(f"its certificate has the fingerprint {shown.hex()}")

    return Pinned
