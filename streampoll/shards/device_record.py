"""What is kept of a device that is out of the ordinary, as bytes, both ways: a value in the hash `sp:{07}:device`.

    {"at": seconds, "credential": {protocol: name}, "learned": {protocol: {name: number}}, "since": {protocol: seconds}}

Names and numbers only: never a secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgpack

from streampoll.errors import EntryError

Learned = Mapping[str, int]
"""What a poller learned of a device, by names of its own ("varbinds", "silent")."""


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """One device."""

    at: int = 0  # wall-clock seconds, when this was written
    credential: Mapping[str, str] = field(default_factory=dict)  # protocol -> the name that worked, if not the first
    learned: Mapping[str, Learned] = field(default_factory=dict)  # protocol -> what is not as usual
    since: Mapping[str, int] = field(default_factory=dict)  # protocol -> wall-clock seconds, first seen silent

    @property
    def empty(self) -> bool:
        """True if there is nothing to keep."""
        return not self.credential and not self.learned


def encode_record(record: DeviceRecord) -> bytes:
    """Pack a record."""
    said = {
        "at": record.at,
        "credential": dict(record.credential),
        "learned": {protocol: dict(each) for protocol, each in record.learned.items()},
        "since": dict(record.since),
    }
    packed: bytes = msgpack.packb({key: value for key, value in said.items() if value})
    return packed


def decode_record(packed: bytes) -> DeviceRecord:
    """Unpack a record; what another release has added is ignored.

    Raises:
        EntryError: it is none.
    """
    try:
        said = msgpack.unpackb(packed)
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise EntryError(f"a device's record: {error}") from None
    if not isinstance(said, dict):
        raise EntryError("a device's record is not a map")
    learned = _table(said.get("learned"), dict)
    return DeviceRecord(
        said["at"] if isinstance(said.get("at"), int) else 0,
        _table(said.get("credential"), str),
        {protocol: _table(each, int) for protocol, each in learned.items()},
        _table(said.get("since"), int),
    )


def _table(said: Any, kind: type) -> dict[str, Any]:
    """Return what of a map has names and values of a kind."""
    pairs = said.items() if isinstance(said, dict) else ()
    return {key: value for key, value in pairs if isinstance(key, str) and isinstance(value, kind)}
