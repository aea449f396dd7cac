"""`[channels.NAME]` of notifications.toml: services that apprise speaks to, and webhooks.

[channels.mail]
type = "apprise"
url = "mailtos://noc:{password}@smtp.example.com?to=oncall@example.com"
parts = { password = { systemd = "smtp.password" } }     # put in escaped; or the whole url is kept as a secret

[channels.tickets]
type = "webhook"
url = "https://tickets.example.com/hook"
key = { file = "tickets.key" }                           # requests are signed with it
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

from msgspec import Meta

from streampoll.config.convert import Place, read_table
from streampoll.config.credential_book import Credentials
from streampoll.config.keeping import Keeping, SecretSource, read_source
from streampoll.config.recipe import Recipe
from streampoll.config.report import nearest, shorten
from streampoll.config.secret import Secret
from streampoll.http.template import names_in
from streampoll.http.trust import Trust, fingerprint
from streampoll.notifications.channel import AppriseTarget, Channel, Terms, WebhookTarget
from streampoll.notifications.pace import Rate, parse_rate

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NO_SECRET: Final = Secret("")


@dataclass(frozen=True, slots=True)
class _Common:
    """What channels of all types have."""

    rate: str = ""
    give_up: Annotated[float, Meta(gt=0, extra={"unit": "s"})] = 86_400.0
    timeout: Annotated[float, Meta(gt=0, le=120, extra={"unit": "s"})] = 20.0
    subject: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class _AppriseTable(_Common):
    url: Any = None
    parts: Any = None


@dataclass(frozen=True, slots=True)
class _WebhookTable(_Common):
    url: Any = None
    key: Any = None
    token: Any = None
    tls_ca: str = ""
    tls_fingerprint: str = ""


def read_channels(
    data: Any, place: Place, path: Path, environ: Mapping[str, str]
) -> tuple[Credentials, dict[str, Terms]]:
    """Return the channels, whose secrets are read when they are first used, and what is known of each without."""
    recipes: dict[str, Recipe] = {}
    terms: dict[str, Terms] = {}
    for name, table in place.table(data).items():
        read = _channel(_Being(name, path.parent), table, place.at(name))
        terms[name] = read[1] if read else Terms()  # a faulty one is there: routes that name it are not to blame
        if read:
            recipes[name] = read[0]
    keeping = Keeping(path.parent, environ)
    if any(_is_secret(key, each) for recipe in recipes.values() for key, each in recipe.secrets.items()):
        keeping.check_mode(path, place.source.name, place.report)
    return Credentials(recipes, keeping, word="channel"), terms


def _is_secret(key: str, source: SecretSource) -> bool:
    """Tell whether a secret stands in the file itself; the plain address of a webhook is none."""
    if source.literal is None:
        return False
    parts = urlsplit(source.literal.reveal()) if key == "webhook" else None
    return parts is None or bool(parts.query or parts.username or parts.password)


@dataclass(frozen=True, slots=True)
class _Being:
    """The channel that is read, and where relative paths start."""

    name: str
    base: Path

    def made(self, target: AppriseTarget | WebhookTarget, table: _Common) -> Channel:
        """Return the channel."""
        return Channel(self.name, target, table.timeout, table.subject, table.body)


def _channel(being: _Being, data: Any, place: Place) -> tuple[Recipe, Terms] | None:
    before = len(place.report.faults)
    if not NAME.fullmatch(being.name):
        place.fault(f"{shorten(being.name)} is not a channel's name", "letters, digits, _ . - only, at most 63")
    table = dict(place.table(data))
    word = table.pop("type", None)
    reader = _TYPES.get(word) if isinstance(word, str) else None
    if reader is None:
        given = f"no type {shorten(word)}" if word is not None else "'type' is missing"
        place.at("type").fault(given, nearest(str(word), _TYPES))
        return None
    read = reader(being, table, place)
    if read is None or len(place.report.faults) > before:
        return None
    recipe, common = read
    rate = _rate(common.rate, place.at("rate"))
    for key in ("subject", "body"):
        _check_template(getattr(common, key), place.at(key))
    if len(place.report.faults) > before:
        return None
    written = hashlib.blake2b(repr(data).encode()).digest()
    return replace(recipe, protocol=word, written=written), Terms(rate, common.give_up)


_Read = tuple[Recipe, _Common]


def _apprise(being: _Being, data: Mapping[str, Any], place: Place) -> _Read | None:
    table = read_table(_AppriseTable, data, place)
    if table is None:
        return None
    if table.parts is not None:
        return _apprise_of_parts(being, table, place)
    source = read_source(table.url, place.at("url"))
    if source is None:
        return None
    return Recipe({"url": source}, lambda found: being.made(AppriseTarget(_checked(found["url"])), table)), table


def _apprise_of_parts(being: _Being, table: _AppriseTable, place: Place) -> _Read | None:
    """Return a channel whose address is put together of a text and secrets."""
    parts = place.at("parts").table(table.parts)
    sources = {key: read_source(where, place.at("parts", key)) for key, where in parts.items()}
    if not isinstance(table.url, str) or "://" not in table.url:
        place.at("url").fault("is not an address", 'with parts, write it as text: "mailtos://{user}:{password}@host"')
        return None
    try:
        names = names_in(table.url)
    except ValueError as error:
        place.at("url").fault(str(error), "write {{ and }} for braces")
        return None
    for key in sorted(names ^ parts.keys()):
        what = "is not in parts" if key in names else "is in parts and not in url"
        place.at("url").fault(f"{{{key}}} {what}", nearest(key, parts.keys() if key in names else names))
    known = {key: source for key, source in sources.items() if source is not None}
    url = table.url
    return Recipe(known, lambda found: being.made(AppriseTarget(_filled(url, found)), table)), table


def _filled(url: str, found: Mapping[str, Secret]) -> Secret:
    values = {key: quote(secret.reveal(), safe="") for key, secret in found.items()}
    return Secret(url.format_map(values))


def _checked(url: Secret) -> Secret:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", url.reveal()):
        raise ValueError("its url is not an address of apprise: SERVICE://…")
    return url


def _webhook(being: _Being, data: Mapping[str, Any], place: Place) -> _Read | None:
    table = read_table(_WebhookTable, data, place)
    if table is None:
        return None
    url = read_source(table.url, place.at("url"))
    sources = {"webhook": url}  # called so, since it is no secret where nothing but a path is in it
    for key in ("key", "token"):
        if getattr(table, key) is not None:
            sources[key] = read_source(getattr(table, key), place.at(key))
    if table.key is None:
        place.notice("its requests are not signed", 'write key = { file = "…" }, so that others can\'t pose as us')
    trust = _trust(table, being.base, place)
    known = {key: source for key, source in sources.items() if source is not None}

    def make(found: Mapping[str, Secret]) -> Channel:
        url = _web_address(found["webhook"])
        key, token = found.get("key", _NO_SECRET), found.get("token", _NO_SECRET)
        return being.made(WebhookTarget(url, key, token, trust), table)

    return Recipe(known, make), table


def _trust(table: _WebhookTable, base: Path, place: Place) -> Trust:
    pin = ""
    if table.tls_fingerprint:
        try:
            pin = fingerprint(table.tls_fingerprint)
        except ValueError as error:
            place.at("tls_fingerprint").fault(str(error))
    ca = str(base.absolute() / table.tls_ca) if table.tls_ca else ""
    return Trust(ca=ca, fingerprint=pin)


def _web_address(url: Secret) -> Secret:
    try:
        parts = urlsplit(url.reveal())
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise ValueError("its url is not an address: https://HOST/PATH")
    if parts.username or parts.password:
        raise ValueError("its url has a password in it; write token, or basic authentication is not there")
    return url


def _rate(text: str, place: Place) -> Rate | None:
    if not text:
        return None
    try:
        return parse_rate(text)
    except ValueError as error:
        place.fault(str(error), 'write messages per time, as "10/m", "100/h" or "5/10s"')
        return None


def _check_template(source: str, place: Place) -> None:
    """Note a template that can't be compiled. Jinja2 is loaded only where there is one."""
    if not source:
        return
    from streampoll.notifications.template import Template, TemplateFails

    try:
        Template(source)
    except TemplateFails as error:
        place.fault(f"is not a template: {error}", "docs/notifications.md has what templates may use")


_TYPES: Final = {"apprise": _apprise, "webhook": _webhook}
