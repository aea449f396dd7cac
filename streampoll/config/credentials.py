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

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from streampoll.config.convert import Place
from streampoll.config.credential_snmp import read_snmp
from streampoll.config.keeping import Keeping
from streampoll.config.recipe import Recipe, RecipeReader
from streampoll.config.report import Report, nearest, shorten
from streampoll.config.source import read_toml
from streampoll.errors import ConfigError, Fault

DEFAULT = "default"  # the name that a device without one uses

_READERS: Final[Mapping[str, RecipeReader]] = {"snmp": read_snmp}


class Credentials(Mapping[str, Any]):
    """Credentials by name, each resolved when it is first asked for and kept. "" is the default's name."""

    def __init__(self, recipes: Mapping[str, Recipe], keeping: Keeping) -> None:
        self._recipes = recipes
        self._keeping = keeping
        self._resolved: dict[str, Any] = {}

    @classmethod
    def of(cls, protocol: str, known: Mapping[str, Any]) -> "Credentials":
        """Return credentials of one protocol that are at hand."""
        made = cls({name: Recipe({}, dict, protocol) for name in known}, Keeping(Path(), {}))
        made._resolved.update(known)
        return made

    def __getitem__(self, name: str) -> Any:
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

    def names(self) -> list[str]:
        """Return all names, in the order of the file."""
        return list(self._recipes)

    def protocol(self, name: str) -> str:
        """Return what a credential is for, without a look at its secrets. Raises KeyError if there is none."""
        return self._recipes[name or DEFAULT].protocol

    def _resolve(self, name: str, recipe: Recipe) -> Any:
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


def _recipe(data: Any, place: Place) -> Recipe | None:
    """Return the recipe of one credential by its protocol."""
    table = dict(place.table(data))
    protocol = table.pop("protocol", "snmp")
    reader = _READERS.get(protocol) if isinstance(protocol, str) else None
    if reader is None:
        place.at("protocol").fault(f"no protocol {shorten(protocol)}", nearest(str(protocol), _READERS))
        return None
    recipe = reader(table, place)
    return None if recipe is None else replace(recipe, protocol=protocol)
