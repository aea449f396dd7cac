"""Which devices a job is about: every key that is given must match, a list matches if one of its texts does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import chain
from operator import attrgetter
from typing import Any

from streampoll.config.convert import Place, read_table
from streampoll.config.report import nearest, shorten
from streampoll.model import Device

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Selector:
    """A question to ask of a device; one with nothing in it matches them all."""

    groups: frozenset[str] = field(default_factory=frozenset)
    site: frozenset[str] = field(default_factory=frozenset)
    role: frozenset[str] = field(default_factory=frozenset)
    vendor: frozenset[str] = field(default_factory=frozenset)
    tags: frozenset[str] = field(default_factory=frozenset)
    cidr: tuple[Network, ...] = ()  # a device known by a host name is in no network: nothing is resolved here
    devices: frozenset[str] = field(default_factory=frozenset)

    def matches(self, device: Device) -> bool:
        """Return True if the device is one of these. `enabled` is not looked at."""
        return (
            (not self.groups or not self.groups.isdisjoint(device.groups))
            and (not self.tags or not self.tags.isdisjoint(device.tags))
            and (not self.site or device.site in self.site)
            and (not self.role or device.role in self.role)
            and (not self.vendor or device.vendor in self.vendor)
            and (not self.devices or device.name in self.devices)
            and (not self.cidr or _inside(device.address, self.cidr))
        )

    def strangers(self, devices: Sequence[Device]) -> list[tuple[str, str, str]]:
        """Return (key, text, hint) for each text that no device has: a spelling mistake, most often."""
        found: list[tuple[str, str, str]] = []
        for name in [name for name in _LISTS if getattr(self, name)]:
            known = _texts(name, devices)
            found += [(name, text, nearest(text, known - {""})) for text in sorted(getattr(self, name) - known)]
        return found


def _texts(key: str, devices: Iterable[Device]) -> set[str]:
    """Return every text that a device has under a selector's key."""
    of_device = attrgetter("name" if key == "devices" else key)
    found = map(of_device, devices)
    return set(chain.from_iterable(found)) if key in ("groups", "tags") else set(found)


_LISTS = ("groups", "site", "role", "vendor", "tags", "devices")


@dataclass(frozen=True, slots=True)
class _SelectTable:
    """A selector as streampoll.toml has it."""

    all: bool = False
    groups: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    role: tuple[str, ...] = ()
    vendor: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cidr: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


def read_selector(data: Any, place: Place) -> Selector | None:
    """Return a job's selector, or None with faults. An empty list is refused: it would select nothing, or all."""
    table = read_table(_SelectTable, data, place)
    if table is None:
        return None
    given = sorted(data)
    before = len(place.report.faults)
    for name in given:
        if not getattr(table, name):
            place.at(name).fault(f"{shorten(data[name])} selects nothing", "leave the key out, or write all = true")
    if table.all and len(given) > 1:
        place.fault("all = true beside other keys", f"leave out all, or {', '.join(set(given) - {'all'})}")
    if not given:
        place.fault("selects nothing", "write all = true, or leave select out, for every device")
    networks = [_network(text, place.at("cidr")) for text in table.cidr]
    if len(place.report.faults) > before:
        return None
    lists = {name: frozenset(getattr(table, name)) for name in _LISTS}
    return Selector(**lists, cidr=tuple(each for each in networks if each is not None))


def _network(text: str, place: Place) -> Network | None:
    try:
        return ip_network(text)
    except ValueError as error:
        place.fault(f"{shorten(text)} is not a network: {error}", 'write one as "10.0.0.0/8"')
        return None


def _inside(address: str, networks: Iterable[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
