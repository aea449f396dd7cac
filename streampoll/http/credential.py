"""How we prove to a device's HTTP server who we are, and by what we know the device.

Secrets go into headers and bodies, never into a URL. A secret that can't stand where it goes is refused when it is
read: a library's own complaint about it would show it.
"""

from dataclasses import dataclass
from typing import Final

from streampoll.config.secret import Secret
from streampoll.http.plan import Body

LOCATION: Final = "{location}"  # as a logout's path: the Location that the login answered (Redfish)


@dataclass(frozen=True, slots=True)
class Basic:
    """User and password in every request (RFC 7617)."""

    user: str
    password: Secret

    def __post_init__(self) -> None:
        if ":" in self.user:
            raise ValueError("a user's name can't have a colon in HTTP Basic")


@dataclass(frozen=True, slots=True)
class Digest:
    """User and password, proven by a hash of the server's challenge (RFC 7616)."""

    user: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that was issued beforehand (RFC 6750)."""

    token: Secret

    def __post_init__(self) -> None:
        check_header_value("token", self.token.reveal())


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key in a header of the maker's choice."""

    header: str
    key: Secret

    def __post_init__(self) -> None:
        check_header_value("key", self.key.reveal())


@dataclass(frozen=True, slots=True)
class Logout:
    """The request that ends a session."""

    path: str  # or LOCATION
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Login:
    """A session: credentials are sent once, what comes back is sent with every request.

    Of `token`, `token_header` and `cookie` one says where the proof is.
    """

    user: str
    password: Secret
    path: str
    body: Body  # `{user}` and `{password}` in it
    token: str = ""  # JMESPath of the token in the answer
    token_header: str = ""  # the header of the answer that has it (Redfish: X-Auth-Token)
    cookie: str = ""  # the cookie that a login sets
    header: str = "Authorization"  # where the token goes
    prefix: str = "Bearer "  # what stands before it
    logout: Logout | None = None
    expired: tuple[int, ...] = (401,)  # statuses by which the device says that the session is over


Scheme = Basic | Digest | Bearer | ApiKey | Login


@dataclass(frozen=True, slots=True)
class HttpCredential:
    """A scheme, and what is known of the certificates of the devices that it is for."""

    scheme: Scheme
    tls_ca: str = ""  # file of authorities; "": the device's or the setting's
    tls_fingerprint: str = ""  # SHA-256 of the device's certificate; "": none


def check_header_value(what: str, text: str) -> None:
    """Refuse a text that can't be a header's value, without showing it.

    Raises:
        ValueError: it has characters beyond printable ASCII.
    """
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ValueError(f"the {what} has characters that can't stand in a header (printable ASCII can)")
