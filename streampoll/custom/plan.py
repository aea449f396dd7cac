"""What a profile says of a custom poller: which one, and the options that are handed to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CustomPlan:
    """One profile, ready to be polled."""

    profile: str
    protocol: str  # the poller's name: that of its entry point
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
