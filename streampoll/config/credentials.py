"""Credentials by name. credentials.toml says where each secret is kept; the secret is read when it is first needed.

    [credentials.default]
    protocol = "snmp"
    version = "2c"
    community = { env = "SNMP_COMMUNITY" }        # or { file = "/etc/…" }, { systemd = "name" }, or the text itself

    [credentials.core]
    protocol = "snmp"
    version = "3"
    user = "poller"
    auth_protocol = "sha256"
    auth_key = { file = "/etc/streampoll/core.auth" }
    priv_protocol = "aes128"
    priv_key = { systemd = "core.priv" }

A file with a secret in it must be its owner's alone, and so must credentials.toml if a secret stands in it. A
coordinator never resolves one; a worker does at the first poll that names it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streampoll.config.convert import Place, read_table
from streampoll.config.keeping import Keeping, SecretSource, read_source
from streampoll.config.report import Report, nearest, shorten
from streampoll.config.secret import Secret
from streampoll.config.source import read_toml
from streampoll.errors import ConfigError, Fault
from streampoll.snmp.credential import AuthProtocol, Community, Credential, PrivProtocol, UsmUser, Version

DEFAULT = "default"  # the name that a device without one uses

_VERSIONS = {"1": Version.V1, "2c": Version.V2C, "2": Version.V2C, "3": Version.V3}


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How a credential is made once its secrets are read."""

    secrets: Mapping[str, SecretSource]
    make: Callable[[Mapping[str, Secret]], Credential]


class Credentials(Mapping[str, Credential]):
    """Credentials by name, each resolved when it is first asked for and kept. "" is the default's name."""

    def __init__(self, recipes: Mapping[str, _Recipe], keeping: Keeping) -> None:
        self._recipes = recipes
        self._keeping = keeping
        self._resolved: dict[str, Credential] = {}

    def __getitem__(self, name: str) -> Credential:
        """Return a credential.

        Raises:
            KeyError: there is none of that name.
            ConfigError: its secret can't be read, or is refused.
        """
        name = name or DEFAULT
        if name not in self._resolved:
            self._resolved[name] = self._resolve(name, self._recipes[name])
        return self._resolved[name]

    def __contains__(self, name: object) -> bool:
        return (name or DEFAULT) in self._recipes

    def __iter__(self) -> Iterator[str]:
        return iter(self._recipes)

    def __len__(self) -> int:
        return len(self._recipes)

    def __repr__(self) -> str:
        return f"Credentials({', '.join(self._recipes)})"

    def _resolve(self, name: str, recipe: _Recipe) -> Credential:
        secrets = {key: self._keeping.fetch(source, f"credential '{name}'") for key, source in recipe.secrets.items()}
        try:
            return recipe.make(secrets)
        except ValueError as error:
            raise ConfigError([Fault(f"credential '{name}'", str(error))]) from None


def read_credentials(path: Path, shown: str, environ: Mapping[str, str], report: Report) -> Credentials:
    """Return the credentials of a file; wrong ones are left out, with faults. No file is no credentials."""
    keeping = Keeping(path.parent, environ)
    source = read_toml(path, shown, report) if path.exists() else None
    if source is None:
        return Credentials({}, keeping)
    place = Place(source, report)
    for key in source.data.keys() - {"credentials"}:
        place.at(key).fault("unknown section", f"write [credentials.{key}]")
    tables = place.at("credentials").table(source.data.get("credentials", {}))
    recipes = {name: _recipe(table, place.at("credentials", name)) for name, table in tables.items()}
    found = {name: recipe for name, recipe in recipes.items() if recipe is not None}
    if any(each.literal for recipe in found.values() for each in recipe.secrets.values()):
        keeping.check_mode(path, shown, report)
    return Credentials(found, keeping)


def _recipe(data: Any, place: Place) -> _Recipe | None:
    """Return the recipe of one credential by its protocol."""
    table = dict(place.table(data))
    protocol = table.pop("protocol", "snmp")
    reader = _PROTOCOLS.get(protocol) if isinstance(protocol, str) else None
    if reader is None:
        place.at("protocol").fault(f"no protocol {shorten(protocol)}", nearest(str(protocol), _PROTOCOLS))
        return None
    return reader(table, place)


def _snmp(table: dict[str, Any], place: Place) -> _Recipe | None:
    """Return the recipe of a community (v1, v2c) or a user (v3), as `version` says."""
    version = _VERSIONS.get(str(table.pop("version", "2c")).lower().removeprefix("v"))
    if version is None:
        place.at("version").fault("not a version of SNMP", 'write "1", "2c" or "3"')
        return None
    return _user(table, place) if version is Version.V3 else _community(table, version, place)


@dataclass(frozen=True, slots=True)
class _CommunityTable:
    community: Any


def _community(table: dict[str, Any], version: Version, place: Place) -> _Recipe | None:
    read = read_table(_CommunityTable, table, place)
    if read is None:
        return None
    source = read_source(read.community, place.at("community"))
    if source is None:
        return None
    return _Recipe({"community": source}, lambda secrets: Community(secrets["community"], version))


@dataclass(frozen=True, slots=True)
class _UserTable:
    user: str
    auth_protocol: AuthProtocol = AuthProtocol.NONE
    auth_key: Any = None
    priv_protocol: PrivProtocol = PrivProtocol.NONE
    priv_key: Any = None
    context: str = ""


def _user(table: dict[str, Any], place: Place) -> _Recipe | None:
    read = read_table(_UserTable, table, place)
    if read is None:
        return None
    before = len(place.report.faults)
    secrets = {}
    for key, used in (("auth_key", read.auth_protocol != "none"), ("priv_key", read.priv_protocol != "none")):
        value = getattr(read, key)
        if used != (value is not None):
            protocol = key.replace("key", "protocol")
            place.at(key).fault(f"{key} and {protocol} go together", f'set both, or neither: {protocol} = "…"')
        source = read_source(value, place.at(key)) if value is not None else None
        if source is not None:
            secrets[key] = source
    if read.priv_protocol != "none" and read.auth_protocol == "none":
        place.at("priv_protocol").fault("privacy needs authentication", 'name an auth_protocol, as "sha256"')
    if len(place.report.faults) > before:
        return None
    return _Recipe(secrets, lambda found: UsmUser(
        read.user, read.auth_protocol, found.get("auth_key", Secret("")),
        read.priv_protocol, found.get("priv_key", Secret("")), read.context,
    ))  # fmt: skip


_PROTOCOLS: dict[str, Callable[[dict[str, Any], Place], _Recipe | None]] = {"snmp": _snmp}
