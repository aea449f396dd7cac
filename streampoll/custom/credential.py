"""A credential of a custom poller: whatever its table in credentials.toml has, the secrets of it as `Secret`s."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streampoll.config.secret import Secret
from streampoll.model import Scalar


@dataclass(frozen=True, slots=True)
class CustomCredential:
    """One credential."""

    values: Mapping[str, Scalar] = field(default_factory=dict)  # what is no secret: user, realm, …
    secrets: Mapping[str, Secret] = field(default_factory=dict)  # `.reveal()` each only for the call that needs it
