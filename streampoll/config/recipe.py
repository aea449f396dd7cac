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


RecipeReader = Callable[[dict[str, Any], Place], Recipe | None]
"""Reads one table of credentials.toml, without its `protocol`; None with faults."""
