"""credentials.toml: which credentials there are, and where the secrets of each are kept (secret_source.py).

    [credentials.default]
    protocol = "snmp"
    version = "2c"
    community = { env = "SNMP_COMMUNITY" }

    [credentials.core]
    protocol = "snmp"
    version = "3"
    user = "poller"
    auth_protocol = "sha256"
    auth_key = { file = "/etc/streampoll/core.auth" }
    priv_protocol = "aes128"
    priv_key = { systemd = "core.priv" }

A file with a secret in it must be its owner's alone, and so must credentials.toml if a secret stands in it. A
coordinator never reads one; a worker does at the first poll that names it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from streampoll.config.convert import Place
from streampoll.config.credential_book import DEFAULT as DEFAULT
from streampoll.config.credential_book import Credentials as Credentials
from streampoll.config.credential_book import names_of as names_of
from streampoll.config.credential_custom import is_custom, read_custom
from streampoll.config.credential_http import read_http
from streampoll.config.credential_snmp import read_snmp
from streampoll.config.credential_ssh import read_ssh
from streampoll.config.keeping import Keeping
from streampoll.config.recipe import Recipe, RecipeReader
from streampoll.config.report import Report, nearest, shorten
from streampoll.config.source import read_toml

_READERS: Final[Mapping[str, RecipeReader]] = {"snmp": read_snmp, "http": read_http, "ssh": read_ssh}


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


def _recipe(data: Any, place: Place) -> Recipe | None:
    """Return the recipe of one credential by its protocol."""
    if names_of(place.path[-1]) != (place.path[-1],):
        place.fault(f"{shorten(place.path[-1])} is not a credential's name", "write it without blanks and commas")
    table = dict(place.table(data))
    written = hashlib.blake2b(repr(data).encode()).digest()
    protocol = table.pop("protocol", "snmp")
    reader = _READERS.get(protocol) if isinstance(protocol, str) else None
    if reader is None and is_custom(protocol):
        reader = read_custom
    if reader is None:
        place.at("protocol").fault(f"no protocol {shorten(protocol)}", nearest(str(protocol), _READERS))
        return None
    recipe = reader(table, place)
    return None if recipe is None else replace(recipe, protocol=protocol, written=written)
