"""Credentials of protocol "http": a fixed proof (basic, digest, bearer, api_key), or a login.

[credentials.ups]
protocol = "http"
scheme = "digest"
user = "poller"
password = { file = "/etc/streampoll/ups.password" }

[credentials.redfish]
protocol = "http"
scheme = "login"
user = "poller"
password = { env = "BMC_PASSWORD" }
login = { path = "/redfish/v1/SessionService/Sessions", json = { UserName = "{user}", Password = "{password}" } }
token_header = "X-Auth-Token"                # or token = "data.token" (JMESPath), or cookie = "SESSIONID"
header = "X-Auth-Token"                      # where it goes; Authorization: Bearer … if nothing is said
logout = { method = "DELETE", path = "{location}" }
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from streampoll.config.convert import Place, read_table
from streampoll.config.keeping import SecretSource, read_source
from streampoll.config.profile_http_parts import check_expression, is_header, read_body
from streampoll.config.recipe import Recipe
from streampoll.config.report import nearest, shorten
from streampoll.config.secret import Secret
from streampoll.http.credential import (
    LOCATION,
    ApiKey,
    Basic,
    Bearer,
    Digest,
    HttpCredential,
    Login,
    Logout,
    Scheme,
)
from streampoll.http.expression import compile_expression
from streampoll.http.plan import Body
from streampoll.http.template import names_in_body
from streampoll.http.trust import fingerprint

Make = Callable[[Mapping[str, Secret]], Scheme]


@dataclass(frozen=True, slots=True)
class _UserTable:
    user: str
    password: Any


@dataclass(frozen=True, slots=True)
class _BearerTable:
    token: Any


@dataclass(frozen=True, slots=True)
class _KeyTable:
    header: str
    key: Any


@dataclass(frozen=True, slots=True)
class _LoginTable:
    user: str
    password: Any
    login: Any
    token: str = ""
    token_header: str = ""
    cookie: str = ""
    header: str = ""
    prefix: str = ""
    logout: Any = None
    expired: tuple[int, ...] = (401,)


@dataclass(frozen=True, slots=True)
class _PostTable:
    path: str
    json: Any = None
    form: Any = None


@dataclass(frozen=True, slots=True)
class _LogoutTable:
    path: str
    method: Literal["GET", "POST", "DELETE"] = "POST"


def read_http(table: dict[str, Any], place: Place) -> Recipe | None:
    """Return the recipe of a credential as `scheme` says; None with faults."""
    before = len(place.report.faults)
    word = table.pop("scheme", None)
    ca, pin = _ca(table.pop("tls_ca", ""), place), _pin(table.pop("tls_fingerprint", ""), place)
    reader = _SCHEMES.get(word) if isinstance(word, str) else None
    if reader is None:
        given = f"no scheme {shorten(word)}" if word is not None else "'scheme' is missing"
        place.at("scheme").fault(given, nearest(str(word), _SCHEMES))
        return None
    read = reader(table, place)
    if read is None or len(place.report.faults) > before:
        return None
    key, source, make = read
    return Recipe({key: source}, lambda secrets: HttpCredential(make(secrets), ca, pin))


_Read = tuple[str, SecretSource, Make]


def _basic(table: dict[str, Any], place: Place) -> _Read | None:
    read = read_table(_UserTable, table, place)
    return (
        _with_secret("password", read.password, place, lambda found: Basic(read.user, found["password"]))
        if read
        else None
    )


def _digest(table: dict[str, Any], place: Place) -> _Read | None:
    read = read_table(_UserTable, table, place)
    return (
        _with_secret("password", read.password, place, lambda found: Digest(read.user, found["password"]))
        if read
        else None
    )


def _bearer(table: dict[str, Any], place: Place) -> _Read | None:
    read = read_table(_BearerTable, table, place)
    return _with_secret("token", read.token, place, lambda found: Bearer(found["token"])) if read else None


def _api_key(table: dict[str, Any], place: Place) -> _Read | None:
    read = read_table(_KeyTable, table, place)
    if read:
        _check_header(read.header, place.at("header"))
    return _with_secret("key", read.key, place, lambda found: ApiKey(read.header, found["key"])) if read else None


def _login(table: dict[str, Any], place: Place) -> _Read | None:
    read = read_table(_LoginTable, table, place)
    post = read_table(_PostTable, read.login, place.at("login")) if read else None
    if read is None or post is None:
        return None
    body = _login_body(post, read.login, place.at("login"))
    logout = _logout(read.logout, place.at("logout"))
    if [bool(read.token), bool(read.token_header), bool(read.cookie)].count(True) != 1:
        place.fault("does not say in one way what a login gives", "write one of token, token_header, cookie")
    if read.token:
        check_expression(read.token, compile_expression, place.at("token"))
    if body is None:
        return None
    header = read.header or "Authorization"
    for name, value in (("header", header), ("token_header", read.token_header or header)):
        _check_header(value, place.at(name))
    if not (read.prefix.isascii() and read.prefix.isprintable()):
        place.at("prefix").fault("can't stand in a header", "write printable ASCII")
    prefix = read.prefix or ("" if read.header else "Bearer ")
    return _with_secret("password", read.password, place, lambda found: Login(
        read.user, found["password"], post.path, body, read.token, read.token_header, read.cookie,
        header, prefix, logout, read.expired,
    ))  # fmt: skip


def _login_body(post: _PostTable, data: Mapping[str, Any], place: Place) -> Body | None:
    """Return the body of a login, which has the password in it; its path has not."""
    if not post.path.startswith("/") or any(mark in post.path for mark in "?#{}"):
        place.at("path").fault(f"{shorten(post.path)} is not a path", "a path alone: secrets go into the body")
    body = read_body({key: data[key] for key in ("json", "form") if key in data}, place)
    if body is None:
        place.fault("has no body", 'write form = { username = "{user}", password = "{password}" }, or json')
        return None
    for name in sorted(names_in_body(body) - {"user", "password"}):
        place.fault(f"uses {{{name}}}", "a login knows {user} and {password}")
    if "password" not in names_in_body(body):
        place.fault("does not send the password", 'write "{password}" where it goes')
    return body


def _logout(data: Any, place: Place) -> Logout | None:
    table = read_table(_LogoutTable, data, place) if data is not None else None
    if table is None:
        return None
    if table.path != LOCATION and (not table.path.startswith("/") or any(mark in table.path for mark in "?#{}")):
        place.at("path").fault(f"{shorten(table.path)} is not a path", f'write a path, or "{LOCATION}"')
    return Logout(table.path, table.method)


def _with_secret(key: str, data: Any, place: Place, make: Make) -> _Read | None:
    source = read_source(data, place.at(key))
    return None if source is None else (key, source, make)


def _check_header(name: str, place: Place) -> None:
    if not is_header(name):
        place.fault(f"{shorten(name)} is not a header's name", 'as "X-API-Key"')


def _ca(path: Any, place: Place) -> str:
    """Return a file of authorities, which must be absolute: the worker's directory is not the configuration's."""
    if path and not (isinstance(path, str) and Path(path).is_absolute()):
        place.at("tls_ca").fault(f"{shorten(path)} is not an absolute path", "write the whole path of a PEM file")
        return ""
    return str(path)


def _pin(text: Any, place: Place) -> str:
    try:
        return fingerprint(text) if text else ""
    except (ValueError, AttributeError):
        hint = "openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE prints it"
        place.at("tls_fingerprint").fault("not a SHA-256 fingerprint", hint)
        return ""


_SCHEMES: Mapping[str, Callable[[dict[str, Any], Place], _Read | None]] = {
    "basic": _basic,
    "digest": _digest,
    "bearer": _bearer,
    "api_key": _api_key,
    "login": _login,
}
