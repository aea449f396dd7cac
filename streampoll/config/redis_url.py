"""redis.url taken apart: one server, a master that Sentinels name, or a Cluster.

    redis://[user:password@]host:6379/0              rediss:// with TLS
    unix://[user:password@]/run/redis.sock?db=0
    sentinel://[user:password@]host1:26379,host2:26379/SERVICE?db=0      sentinels:// with TLS
    cluster://[user:password@]host1:6379,host2:6379                      clusters:// with TLS

User and password are those of the Redis servers, percent-encoded where they hold one of `:/@?#%`. No message repeats
any part of the text but a name of a parameter or scheme: the rest may be a password.
"""

from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import parse_qsl, unquote

from streampoll.config.secret import Secret

_NONE = Secret("")

Node = tuple[str, int]
"""Host and port; for a Unix socket its path and 0."""


class Kind(Enum):
    """How the servers behind a URL are found."""

    SERVER = auto()  # the one that is named
    SENTINEL = auto()  # the master that Sentinels name now
    CLUSTER = auto()  # by the slot of a key


_SCHEMES = {  # name -> (kind, TLS, port where none is written)
    "redis": (Kind.SERVER, False, 6379),
    "rediss": (Kind.SERVER, True, 6379),
    "unix": (Kind.SERVER, False, 0),
    "sentinel": (Kind.SENTINEL, False, 26379),
    "sentinels": (Kind.SENTINEL, True, 26379),
    "cluster": (Kind.CLUSTER, False, 6379),
    "clusters": (Kind.CLUSTER, True, 6379),
}
SCHEMES = tuple(f"{name}://" for name in _SCHEMES)


class RedisUrlError(ValueError):
    """The text is not a URL of Redis; says what is wrong with it, and what to write."""

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(f"{what}; {instead}")
        self.what = what
        self.instead = instead


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """What a URL of Redis says."""

    kind: Kind
    nodes: tuple[Node, ...]  # the server, the Sentinels, or some nodes of the Cluster to begin with
    tls: bool = False
    user: str = ""  # "": Redis' default user
    password: Secret = _NONE
    db: int = 0
    service: str = ""  # the master's name at the Sentinels


def parse_redis_url(url: Secret) -> RedisAddress:
    """Take a URL apart.

    Raises:
        RedisUrlError: it is none.
    """
    scheme, separator, rest = url.reveal().partition("://")
    if not separator or scheme not in _SCHEMES:
        raise RedisUrlError("not a URL of Redis", f"it begins with {', '.join(SCHEMES)}")
    kind, tls, port = _SCHEMES[scheme]
    rest, _, query = rest.partition("?")
    login, _, rest = rest.rpartition("@")
    user, _, password = login.partition(":")
    hosts, _, path = rest.partition("/")
    nodes = ((unquote(f"/{path}"), 0),) if scheme == "unix" else tuple(_node(each, port) for each in hosts.split(","))
    if kind is Kind.SERVER and len(nodes) > 1:
        raise RedisUrlError("names several servers", f"write sentinel://… or cluster://… instead of {scheme}://…")
    service = unquote(path) if kind is Kind.SENTINEL else ""
    if kind is Kind.SENTINEL and (not service or "/" in service):
        raise RedisUrlError("names no service", "write sentinel://HOST:26379,HOST:26379/SERVICE")
    written = path if kind is not Kind.SENTINEL and scheme != "unix" else ""
    return RedisAddress(kind, nodes, tls, unquote(user), Secret(unquote(password)), _db(kind, written, query), service)


def _node(text: str, port: int) -> Node:
    """Read host, host:port, [v6] or [v6]:port."""
    host, bracket, after = text.rpartition("]")
    if not bracket:
        host, colon, after = text.partition(":")
        after = colon + after
    host, written = host.removeprefix("["), after.removeprefix(":")
    if not host or (after and not written.isdecimal()) or int(written or port) > 65535:
        raise RedisUrlError("has a host or port that can't be read", "write HOST:PORT, several parted by commas")
    return unquote(host), int(written or port)


def _db(kind: Kind, path: str, query: str) -> int:
    """Return the number of the database, which may stand in the path or as `db=`."""
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    text = parameters.pop("db", "") or path or "0"
    if parameters:
        raise RedisUrlError(f"has an unknown parameter '{min(parameters)}'", "the only one is db")
    if not text.isdecimal():
        raise RedisUrlError("has a database that is not a number", "write /0, or ?db=0")
    if kind is Kind.CLUSTER and int(text):
        raise RedisUrlError("names a database, and a Redis Cluster has only 0", "leave it out")
    return int(text)
