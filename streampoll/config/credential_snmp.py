"""Credentials of protocol "snmp": communities and v3 users."""

from dataclasses import dataclass
from typing import Any

from streampoll.config.convert import Place, read_table
from streampoll.config.keeping import read_source
from streampoll.config.recipe import Recipe
from streampoll.config.secret import Secret
from streampoll.snmp.credential import AuthProtocol, Community, PrivProtocol, UsmUser, Version

_VERSIONS = {"1": Version.V1, "2c": Version.V2C, "2": Version.V2C, "3": Version.V3}


def read_snmp(table: dict[str, Any], place: Place) -> Recipe | None:
    """Return the recipe of a community (v1, v2c) or a user (v3), as `version` says."""
    version = _VERSIONS.get(str(table.pop("version", "2c")).lower().removeprefix("v"))
    if version is None:
        place.at("version").fault("not a version of SNMP", 'write "1", "2c" or "3"')
        return None
    return _user(table, place) if version is Version.V3 else _community(table, version, place)


@dataclass(frozen=True, slots=True)
class _CommunityTable:
    community: Any


def _community(table: dict[str, Any], version: Version, place: Place) -> Recipe | None:
    read = read_table(_CommunityTable, table, place)
    if read is None:
        return None
    source = read_source(read.community, place.at("community"))
    if source is None:
        return None
    return Recipe({"community": source}, lambda secrets: Community(secrets["community"], version))


@dataclass(frozen=True, slots=True)
class _UserTable:
    user: str
    auth_protocol: AuthProtocol = AuthProtocol.NONE
    auth_key: Any = None
    priv_protocol: PrivProtocol = PrivProtocol.NONE
    priv_key: Any = None
    context: str = ""


def _user(table: dict[str, Any], place: Place) -> Recipe | None:
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
    return Recipe(secrets, lambda found: UsmUser(
        read.user, read.auth_protocol, found.get("auth_key", Secret("")),
        read.priv_protocol, found.get("priv_key", Secret("")), read.context,
    ))  # fmt: skip
