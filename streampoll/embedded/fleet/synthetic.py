"""The made-up personalities: three roles, each with a few sizes.

Personalities are few however many the devices, since every reply layout is worked out once a personality.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from streampoll.embedded.fleet.ber import INTEGER, Oid, encode_integer, encode_oid, encode_text
from streampoll.embedded.fleet.chassis import chassis_variables
from streampoll.embedded.fleet.host import host_variables, ucd_variables
from streampoll.embedded.fleet.interfaces import interface_variables, make_interfaces
from streampoll.embedded.fleet.personality import Personality, make_view
from streampoll.embedded.fleet.values import NAME_BYTES, SITE_BYTES, Moving, Quantity, Value, octets, text, uptime

SYSTEM: Oid = (1, 3, 6, 1, 2, 1, 1)
ENGINE: Oid = (1, 3, 6, 1, 6, 3, 10, 2, 1)
SIZES = 8  # different numbers of interfaces in a fleet, at most


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of device: what differs beside the number of interfaces."""

    name: str
    vendor: str
    description: str
    object_id: Oid
    services: int
    share: int  # of all personalities, in tenths
    port: Callable[[int], str]  # name of the nth port, counted from 1


ENTERPRISES: Oid = (1, 3, 6, 1, 4, 1)
ROLES = (
    Role(
        name="switch",
        vendor="Arista",
        description="Arista Networks EOS version 4.28.3M running on a simulated DCS-7050",
        object_id=(*ENTERPRISES, 30065, 1, 3011, 7050),
        services=14,
        share=6,
        port=lambda number: f"Ethernet{number}",
    ),
    Role(
        name="router",
        vendor="Cisco",
        description="Cisco IOS Software, simulated ASR1000, Version 17.3(4a)",
        object_id=(*ENTERPRISES, 9, 1, 925),
        services=78,
        share=2,
        port=lambda number: f"GigabitEthernet0/0/{number}",
    ),
    Role(
        name="server",
        vendor="net-snmp",
        description="Linux simulated 6.1.0-18-amd64 x86_64",
        object_id=(*ENTERPRISES, 8072, 3, 2, 10),
        services=72,
        share=2,
        port=lambda number: f"eth{number - 1}",
    ),
)


def make_personalities(fewest: int, most: int) -> list[Personality]:
    """Make the personalities of a fleet whose devices have `fewest` to `most` interfaces.

    A role stands in the list as often as its share, so that a draw from the list is a fair one.
    """
    steps = min(SIZES, most - fewest + 1)
    sizes = [fewest + (most - fewest) * step // max(steps - 1, 1) for step in range(steps)]
    made = []
    for role in ROLES:
        for size in sizes:
            made += [make_personality(role, size)] * role.share
    return made


def make_personality(role: Role, interfaces: int) -> Personality:
    """Make a role with a number of interfaces."""
    variables = [*system_variables(role), *interface_variables(make_interfaces(interfaces, role.port))]
    if role.name == "server":
        variables += [*host_variables(), *ucd_variables()]
    else:
        variables += chassis_variables(role.vendor, role.description.split(",")[0])
    return Personality(f"{role.name}-{interfaces}", role.name, role.vendor, make_view(variables))


def system_variables(role: Role) -> Iterator[tuple[Oid, Value]]:
    """Yield the system group (RFC 3418) and snmpEngine (RFC 3411)."""
    system: dict[int, Value] = {
        1: encode_text(role.description),
        2: encode_oid(role.object_id),
        3: uptime(),
        4: encode_text("noc@example.net"),
        5: text("{}", Quantity.NAME, NAME_BYTES),
        6: text("{} rack 4", Quantity.SITE, SITE_BYTES),
        7: encode_integer(role.services),
        8: encode_integer(0, uptime().tag),
    }
    for group, value in system.items():
        yield (*SYSTEM, group, 0), value
    yield (*ENGINE, 1, 0), octets(bytes.fromhex("80001f8803 02 000000 0000"), Quantity.ADDRESS, 2)
    yield (*ENGINE, 2, 0), Moving(INTEGER, 1, ((Quantity.BOOTS, 1),), 0)
    yield (*ENGINE, 3, 0), Moving(INTEGER, 0, ((Quantity.SECONDS, 1),), 0)
    yield (*ENGINE, 4, 0), encode_integer(2048)
