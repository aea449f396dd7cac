"""A profile of a custom poller: the poller is the protocol, and its options are a table that it alone understands.

protocol = "acme-ups"          # the name of an entry point; see docs/custom-pollers.md

[options]
port = 3493
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streampoll.config.convert import Place, read_table
from streampoll.config.overrides import is_secret
from streampoll.custom.entry import poller_names
from streampoll.custom.plan import CustomPlan


@dataclass(frozen=True, slots=True)
class _CustomTable:
    options: Any = field(default_factory=dict)


class CustomProfiles:
    """Reads and compiles profiles of one custom poller."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol

    def read(self, data: Mapping[str, Any], place: Place) -> Mapping[str, Any] | None:
        """Return one file's options, or None with faults."""
        before = len(place.report.faults)
        table = read_table(_CustomTable, data, place)
        if table is None:
            return None
        options = place.at("options").table(table.options)
        _refuse_secrets(options, place.at("options"))
        return options if len(place.report.faults) == before else None

    def compile(self, name: str, drafts: Sequence[Mapping[str, Any]], place: Place) -> CustomPlan:
        """Return the plan of drafts, the options of each over those before it."""
        return CustomPlan(name, self._protocol, {key: value for draft in drafts for key, value in draft.items()})


def custom_profiles(protocol: str) -> CustomProfiles | None:
    """Return the reader for a custom poller; None if no installed package has it."""
    return CustomProfiles(protocol) if protocol in poller_names() else None


def _refuse_secrets(options: Mapping[str, Any], place: Place) -> None:
    for key, value in options.items():
        if isinstance(value, Mapping):
            _refuse_secrets(value, place.at(key))
        elif isinstance(value, str) and is_secret(key):
            place.at(key).fault("a secret does not belong in a profile", "put it in credentials.toml")
