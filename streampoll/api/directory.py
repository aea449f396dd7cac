"""The inventory as the API knows it: read when it is first asked for, and again when its files have changed.

A million devices take the process half a gigabyte, so one that is never asked for a device never reads them. Searching
goes through them in the order of their names and ends once a page is full; a long search is done off the loop.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from streampoll.api.problem import ProblemError
from streampoll.config.jobs import Job
from streampoll.config.report import nearest
from streampoll.errors import ConfigError
from streampoll.model import Device

_OFF_THE_LOOP = 5_000  # devices from which a search is left to a thread


@dataclass(frozen=True, slots=True)
class Inventory:
    """Devices and jobs, as the files have them."""

    devices: Sequence[Device]  # by name
    jobs: Sequence[Job]
    names: Sequence[str] = field(default_factory=list)

    @classmethod
    def of(cls, devices: Sequence[Device], jobs: Sequence[Job]) -> "Inventory":
        """Put devices in order."""
        ordered = sorted(devices, key=attrgetter("name"))
        return cls(ordered, tuple(jobs), [device.name for device in ordered])

    def find(self, name: str) -> Device | None:
        """Return the device of a name."""
        place = bisect_right(self.names, name) - 1
        return self.devices[place] if place >= 0 and self.names[place] == name else None


@dataclass(frozen=True, slots=True)
class Search:
    """Which devices are wanted; every text that is not empty must fit."""

    text: str = ""  # part of the name or the address, in whatever case
    site: str = ""
    role: str = ""
    vendor: str = ""
    profile: str = ""
    group: str = ""
    tag: str = ""
    after: str = ""  # begin behind this name
    limit: int = 100

    def fits(self, device: Device) -> bool:
        """Return True if a device is one of these."""
        return (
            (not self.site or device.site == self.site)
            and (not self.role or device.role == self.role)
            and (not self.vendor or device.vendor == self.vendor)
            and (not self.profile or device.profile == self.profile)
            and (not self.group or self.group in device.groups)
            and (not self.tag or self.tag in device.tags)
            and (not self.text or self.text in device.name.lower() or self.text in device.address.lower())
        )


class Directory:
    """Finds devices and jobs."""

    def __init__(self, load: Callable[[], Inventory]) -> None:
        """`load` reads the files; it may take seconds, and raise ConfigError."""
        self._load = load
        self._read: Inventory | None = None
        self._stale = True
        self._lock = asyncio.Lock()

    def changed(self) -> None:
        """Note that the files have changed."""
        self._stale = True

    async def inventory(self) -> Inventory:
        """Return the inventory; where the files are wrong now, the one before.

        Raises:
            ProblemError: there is none that could be read.
        """
        async with self._lock:
            if self._stale or self._read is None:
                self._stale = False
                try:
                    self._read = await asyncio.to_thread(self._load)
                except ConfigError as error:
                    if self._read is None:
                        self._stale = True
                        said = error.faults[0] if error.faults else error
                        raise ProblemError(503, f"the configuration can't be used: {said}") from None
            return self._read

    async def find(self, name: str) -> tuple[Device, Sequence[Job]]:
        """Return a device and all jobs.

        Raises:
            ProblemError: there is none of this name.
        """
        inventory = await self.inventory()
        device = inventory.find(name)
        if device is None:
            hint = await asyncio.to_thread(nearest, name, inventory.names)
            raise ProblemError(404, f"there is no device {name[:80]!r}" + (f"; {hint}" if hint else ""))
        return device, inventory.jobs

    async def search(self, wanted: Search) -> tuple[list[Device], int]:
        """Return a page of devices in the order of their names, and how many there are in the inventory."""
        inventory = await self.inventory()
        if len(inventory.devices) < _OFF_THE_LOOP:
            return _page(inventory, wanted), len(inventory.devices)
        return await asyncio.to_thread(_page, inventory, wanted), len(inventory.devices)


def _page(inventory: Inventory, wanted: Search) -> list[Device]:
    found: list[Device] = []
    for place in range(bisect_right(inventory.names, wanted.after), len(inventory.devices)):
        device = inventory.devices[place]
        if wanted.fits(device):
            found.append(device)
            if len(found) == wanted.limit:
                break
    return found
