"""How a credential is made once its secrets are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from streampoll.config.convert import Place
from streampoll.config.keeping import SecretSource
from streampoll.config.secret import Secret


@dataclass(frozen=True, slots=True)
class Recipe:
    """A credential of which everything is known but its secrets."""

    secrets: Mapping[str, SecretSource]
    make: Callable[[Mapping[str, Secret]], Any]  # raises ValueError if a secret can't be one
    protocol: str = ""
    written: bytes = b""  # a hash of what stands in credentials.toml; b"" is equal to nothing

    @property
    def may_change(self) -> bool:
        """True if reading its secrets again may bring others while the process runs."""
        return any(source.may_change for source in self.secrets.values())

    def same(self, other: "Recipe") -> bool:
        """Tell whether another file says the same of it."""
        return bool(self.written) and self.written == other.written


RecipeReader = Callable[[dict[str, Any], Place], Recipe | None]
"""Reads one table of credentials.toml, without its `protocol`; None with faults."""
