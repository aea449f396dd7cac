"""Credentials of a custom poller: any keys, the secret ones kept like every secret.

    [credentials.ups]
    protocol = "acme-ups"
    user = "monitor"
    password = { env = "UPS_PASSWORD" }

A key is a secret if it says where it is kept, or is called like one (password, token, …).
"""

from collections.abc import Mapping
from typing import Any

from streampoll.config.convert import Place
from streampoll.config.keeping import SecretSource, read_source
from streampoll.config.overrides import is_secret
from streampoll.config.recipe import Recipe
from streampoll.config.report import Report
from streampoll.config.secret import Secret
from streampoll.config.source import nowhere
from streampoll.custom.credential import CustomCredential
from streampoll.custom.entry import poller_names
from streampoll.model import Scalar


def read_custom(table: dict[str, Any], place: Place) -> Recipe | None:
    """Return the recipe of a custom poller's credential."""
    before = len(place.report.faults)
    values: dict[str, Scalar] = {}
    secrets: dict[str, SecretSource] = {}
    for key, value in table.items():
        if isinstance(value, Mapping) or is_secret(key) or _names_a_place(value):
            source = read_source(value, place.at(key))
            if source is not None:
                secrets[key] = source
        elif isinstance(value, str | int | float):
            values[key] = value
        else:
            place.at(key).fault("is neither a text, a number nor a secret", "write a value, or where a secret is kept")
    if len(place.report.faults) > before:
        return None

    def make(found: Mapping[str, Secret]) -> CustomCredential:
        return CustomCredential(values, found)

    return Recipe(secrets, make)


def is_custom(protocol: object) -> bool:
    """Tell whether a protocol is an installed custom poller."""
    return isinstance(protocol, str) and protocol in poller_names()


def _names_a_place(value: Any) -> bool:
    """Tell a text that says where a secret is kept, as "env:NAME"."""
    source = read_source(value, Place(nowhere(""), Report())) if isinstance(value, str) and ":" in value else None
    return source is not None and source.literal is None
