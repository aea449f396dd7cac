"""What to write into the inventory for what was found. Pure.

The profile is the one that suits the longest part of the device's sysObjectID, the vendor follows from its enterprise
number (IANA), the name from sysName. A device that answered at several addresses (a router does at each of its own) is
one device: engine IDs are unique to an agent (RFC 3411, 5), unless a vendor ships them all alike, hence sysName too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from streampoll.config.profile_port import PollPlan
from streampoll.discovery.probe import Found
from streampoll.discovery.vendors import VENDORS
from streampoll.snmp.plan import CollectPlan, Oid

FALLBACK: Final = "interfaces"

_ENTERPRISES: Final = (1, 3, 6, 1, 4, 1)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One line of an inventory, and where else the device answered."""

    name: str
    found: Found
    profile: str
    vendor: str
    also: tuple[str, ...] = ()


def propose(found: Iterable[Found], profiles: Mapping[str, PollPlan], taken: Iterable[str] = ()) -> list[Proposal]:
    """Return a proposal a device, by address; `taken` are names that are used already."""
    suits = _suits(profiles)
    names = {name.lower() for name in taken}
    proposals = []
    for each, also in _devices(found):
        name = _unique(_name(each), each.address, names)
        names.add(name.lower())
        object_id = _numbers(each.object_id)
        proposals.append(Proposal(name, each, profile_for(object_id, suits), vendor_of(object_id), also))
    return proposals


def profile_for(object_id: Oid, suits: Mapping[Oid, str]) -> str:
    """Return the profile with the longest prefix of a sysObjectID, or the one that fits any device."""
    for length in range(len(object_id), 0, -1):
        if (name := suits.get(object_id[:length])) is not None:
            return name
    return FALLBACK


def vendor_of(object_id: Oid) -> str:
    """Return the vendor by its enterprise number; "" for one that is not in our list."""
    return VENDORS.get(object_id[6], "") if object_id[:6] == _ENTERPRISES and len(object_id) > 6 else ""


def _suits(profiles: Mapping[str, PollPlan]) -> dict[Oid, str]:
    """Return profiles by the sysObjectIDs that they are made for."""
    return {
        prefix: name
        for name, plan in sorted(profiles.items())
        if isinstance(plan, CollectPlan)
        for prefix in plan.suits
    }


def _devices(found: Iterable[Found]) -> list[tuple[Found, tuple[str, ...]]]:
    """Bring the addresses of one device together: the lowest, and the others."""
    groups: dict[tuple[object, ...], list[Found]] = {}
    for each in sorted(found, key=lambda each: (ip_address(each.address).version, int(ip_address(each.address)))):
        same = (each.engine_id, each.name) if each.engine_id and each.name else (each.address,)
        groups.setdefault(same, []).append(each)
    return [(group[0], _addresses(group[1:])) for group in groups.values()]


def _addresses(group: Sequence[Found]) -> tuple[str, ...]:
    return tuple(each.address for each in group)


def _name(found: Found) -> str:
    """Return sysName as a name: without what an inventory's name must not have."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", found.name).strip()[:255] or found.address


def _unique(name: str, address: str, taken: set[str]) -> str:
    return name if name.lower() not in taken else f"{name[:200]}-{address}"


def _numbers(text: str) -> Oid:
    return tuple(int(part) for part in text.strip(".").split(".") if part.isdigit())
