"""IF-MIB (RFC 2863) of a made-up device: ifTable, ifXTable, and traffic that keeps to each interface's speed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from streampoll.embedded.fleet.ber import (
    COUNTER32,
    GAUGE32,
    OCTETS,
    TIMETICKS,
    Oid,
    encode,
    encode_integer,
    encode_oid,
    encode_text,
)
from streampoll.embedded.fleet.device import mix
from streampoll.embedded.fleet.values import Quantity, Value, counter32, counter64, octets, slow_counter32

IF_NUMBER: Oid = (1, 3, 6, 1, 2, 1, 2, 1, 0)
IF_ENTRY: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1)
IFX_ENTRY: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
IF_TABLE_LAST_CHANGE: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 5, 0)

UP, DOWN = 1, 2
ETHERNET, LOOPBACK = 6, 24
MAX_PACE = 255  # of Device.pace
MAX_USE = 0.6  # share of its speed that an interface at MAX_PACE carries
MEAN_PACKET_BYTES = 512
SPEEDS_MBPS = (1_000, 1_000, 1_000, 10_000, 10_000, 100_000)


@dataclass(frozen=True, slots=True)
class Interface:
    """A row of the interface tables."""

    index: int
    name: str
    type: int
    speed_mbps: int
    up: bool
    chance: int  # what its rates and starts are drawn from

    def rate(self, direction: int) -> int:
        """Return the octets it carries in a unit of TRAFFIC (0 for in, 1 for out)."""
        if not self.up:
            return 0
        most = self.speed_mbps * 1_000_000 / 8 / 100 / MAX_PACE * MAX_USE
        return 1 + int(most * (self.chance >> 8 * direction & 0xFF) / 0xFF)


def make_interfaces(count: int, name: Callable[[int], str]) -> list[Interface]:
    """Make a device's interfaces: a loopback, then Ethernet ports of which one in eight is down."""
    made = []
    for index in range(1, count + 1):
        chance = mix(index)
        loopback = index == 1
        speed = 10_000 if loopback else SPEEDS_MBPS[chance % len(SPEEDS_MBPS)]
        made.append(
            Interface(
                index=index,
                name="lo0" if loopback else name(index - 1),
                type=LOOPBACK if loopback else ETHERNET,
                speed_mbps=speed,
                up=loopback or chance >> 40 & 7 != 0,
                chance=chance,
            )
        )
    return made


def interface_variables(interfaces: list[Interface]) -> Iterator[tuple[Oid, Value]]:
    """Yield the variables of both tables."""
    yield IF_NUMBER, encode_integer(len(interfaces))
    yield IF_TABLE_LAST_CHANGE, encode_integer(0, TIMETICKS)
    for interface in interfaces:
        for column, value in _if_columns(interface):
            yield (*IF_ENTRY, column, interface.index), value
        for column, value in _ifx_columns(interface):
            yield (*IFX_ENTRY, column, interface.index), value


def _if_columns(interface: Interface) -> Iterator[tuple[int, Value]]:
    """Yield ifTable's columns; ifSpeed stands at its maximum above 4.29 Gb/s, as the MIB asks."""
    state = UP if interface.up else DOWN
    yield 1, encode_integer(interface.index)
    yield 2, encode_text(interface.name)
    yield 3, encode_integer(interface.type)
    yield 4, encode_integer(65_536 if interface.type == LOOPBACK else 1_500)
    yield 5, encode_integer(min(interface.speed_mbps * 1_000_000, 0xFFFF_FFFF), GAUGE32)
    yield 6, _mac(interface)
    yield 7, encode_integer(UP)
    yield 8, encode_integer(state)
    yield 9, encode_integer(0, TIMETICKS)
    for direction, first in enumerate((10, 16)):
        yield first, counter32(*_octets(interface, direction))
        yield first + 1, counter32(*_packets(interface, direction))
        yield first + 2, counter32(*_broadcasts(interface, direction))
        yield first + 3, encode_integer(0, COUNTER32)
        yield first + 4, slow_counter32(interface.chance) if interface.index % 5 == 0 else encode_integer(0, COUNTER32)
    yield 15, encode_integer(0, COUNTER32)
    yield 21, encode_integer(0, GAUGE32)
    yield 22, encode_oid((0, 0))


def _ifx_columns(interface: Interface) -> Iterator[tuple[int, Value]]:
    """Yield ifXTable's columns."""
    yield 1, encode_text(interface.name)
    for direction in (0, 1):
        yield 2 + 2 * direction, encode_integer(0, COUNTER32)
        yield 3 + 2 * direction, counter32(*_broadcasts(interface, direction))
        first = 6 + 4 * direction
        yield first, counter64(*_octets(interface, direction))
        yield first + 1, counter64(*_packets(interface, direction))
        yield first + 2, counter64(0, 0)
        yield first + 3, counter64(*_broadcasts(interface, direction))
    yield 14, encode_integer(1)
    yield 15, encode_integer(interface.speed_mbps, GAUGE32)
    yield 16, encode_integer(2)
    yield 17, encode_integer(2 if interface.type == LOOPBACK else 1)
    yield (
        18,
        encode_text(
            "" if interface.type == LOOPBACK else f"port {interface.index - 1} to rack {interface.chance % 40}"
        ),
    )
    yield 19, encode_integer(0, TIMETICKS)


def _mac(interface: Interface) -> Value:
    """Make ifPhysAddress: locally administered, the device's host bits, the interface."""
    if interface.type == LOOPBACK:
        return encode(OCTETS, b"")
    return octets(bytes((2, 0, 0, 0)) + interface.index.to_bytes(2, "big"), Quantity.ADDRESS, 2)


def _octets(interface: Interface, direction: int) -> tuple[int, int]:
    """Return where a counter of octets starts and how fast it is."""
    return interface.chance >> 24 & 0xFFFFFFFF, interface.rate(direction)


def _packets(interface: Interface, direction: int) -> tuple[int, int]:
    start, rate = _octets(interface, direction)
    return start // MEAN_PACKET_BYTES, -(-rate // MEAN_PACKET_BYTES)


def _broadcasts(interface: Interface, direction: int) -> tuple[int, int]:
    start, rate = _octets(interface, direction)
    return start // (MEAN_PACKET_BYTES * 64), -(-rate // (MEAN_PACKET_BYTES * 64))
