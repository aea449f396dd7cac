"""What this process knows of devices that are out of the ordinary, and what of it is to be kept for others.

A device as it should be (one credential or the first of several, requests of any size, not silent) has no place here,
so the memory is small and a poll of such a device costs a few look-ups. What changes is gathered, and `remember` writes
it to Redis once a second; what another process left there arrives the same way, and reaches a poller at the next poll.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from streampoll.model import Target
from streampoll.pollers.fallback import UNKNOWN, Standing, accepted
from streampoll.shards.device_record import DeviceRecord, Learned

_MOST: Final = 200_000  # devices with a record in one process; further ones are not kept
_REFRESH_S: Final = 86_400  # a record that is still true is written again after a day
_NOTHING: Final = DeviceRecord()

T = TypeVar("T")


@dataclass(slots=True)
class _Kept:
    """Records, and which of them are to be written."""

    records: dict[str, DeviceRecord] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)  # device -> its address
    arrived: dict[tuple[str, str], Learned] = field(default_factory=dict)  # (protocol, device), not yet recalled


class DeviceMemory:
    """The memory of one process."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now  # wall-clock seconds
        self._standings: dict[str, dict[str, Standing]] = {}
        self._kept = _Kept()

    # -- credentials

    def standing(self, protocol: str, device: str) -> Standing:
        """Return what is known of a device's credentials of a protocol."""
        standings = self._standings.get(protocol)
        return standings.get(device, UNKNOWN) if standings else UNKNOWN

    def stand(self, protocol: str, target: Target, standing: Standing, first: str) -> None:
        """Note what is known now; `first` is the credential that is tried first by default."""
        standings = self._standings.setdefault(protocol, {})
        if standing is UNKNOWN:
            standings.pop(target.device, None)
        else:
            standings[target.device] = standing
        name = standing.worked if standing.worked != first else ""
        record = self._kept.records.get(target.device, _NOTHING)
        if record.credential.get(protocol, "") != name or (name and self._old(record)):
            self._change(target, replace(record, credential=_with(record.credential, protocol, name)))

    # -- what pollers learned

    def note(self, protocol: str, target: Target, learned: Learned) -> None:
        """Note after a poll what its poller has learned of the device so far; nothing if it is as it should be."""
        record = self._kept.records.get(target.device)
        if record is None:
            if not learned:
                return
            record = _NOTHING
        said = record.learned.get(protocol, {})
        if _steps(said) == _steps(learned) and not (learned and self._old(record)):
            return
        since = record.since.get(protocol, int(self.now())) if "silent" in learned else 0
        all_learned, all_since = _with(record.learned, protocol, learned), _with(record.since, protocol, since)
        self._change(target, replace(record, learned=all_learned, since=all_since))

    def recall(self, protocol: str, device: str) -> Learned | None:
        """Return once what arrived of a device for its poller; None if nothing did."""
        return self._kept.arrived.pop((protocol, device), None) if self._kept.arrived else None

    # -- to and from the other processes

    def arrive(self, records: Mapping[str, DeviceRecord]) -> None:
        """Take over what other processes left; it is newer than what this one may still know."""
        for device, record in records.items():
            self._kept.records[device] = record
            for protocol, name in record.credential.items():
                self._standings.setdefault(protocol, {})[device] = accepted(name)
            for protocol, learned in record.learned.items():
                self._kept.arrived[protocol, device] = learned

    def changes(self) -> list[tuple[str, str, DeviceRecord | None]]:
        """Hand over what is to be written: (device, address, record; None: to be forgotten)."""
        changed, self._kept.changed = self._kept.changed, {}
        return [(device, address, self._kept.records.get(device)) for device, address in changed.items()]

    def put_back(self, changes: Iterable[tuple[str, str, DeviceRecord | None]]) -> None:
        """Take back what could not be written; it is handed over again as it is then."""
        for device, address, _ in changes:
            self._kept.changed[device] = address

    def _old(self, record: DeviceRecord) -> bool:
        return self.now() - record.at > _REFRESH_S

    def _change(self, target: Target, record: DeviceRecord) -> None:
        records = self._kept.records
        if record.empty:
            records.pop(target.device, None)
        elif target.device in records or len(records) < _MOST:
            records[target.device] = replace(record, at=int(self.now()))
        else:
            return
        self._kept.changed[target.device] = target.address


def _with(table: Mapping[str, T], key: str, value: T) -> Mapping[str, T]:
    """Return a map with a key set, or without it if the value is empty."""
    rest = {name: each for name, each in table.items() if name != key}
    return {**rest, key: value} if value else rest


def _steps(learned: Learned) -> dict[str, int]:
    """Return what is worth a write: a count of silent polls when it has doubled, anything else when it changed."""
    return {name: value.bit_length() if name == "silent" else value for name, value in learned.items()}
