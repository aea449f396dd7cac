"""Values that differ by device and move with time, as linear functions.

What a device is at a moment is a short vector of integers, its `Quantity`s. A moving value of a personality is a
constant plus a few quantities, each times a coefficient: a counter is `base + rate * TRAFFIC`, a MAC address is
`prefix + ADDRESS * 2**16`, a name in a text is `NAME * 256**n`. So one description serves all devices, a device needs
no state, and a whole reply is a linear function too, evaluated in a few operations on one large integer (reply.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from streampoll.embedded.fleet import ber


class Quantity(IntEnum):
    """What a device is at a moment; the numbers are places in the vector."""

    UPTIME = 0  # sysUpTime, hundredths of a second
    TRAFFIC = 1  # UPTIME times the device's own pace: what counters run on
    BOOTS = 2  # snmpEngineBoots
    SECONDS = 3  # snmpEngineTime
    LOAD = 4  # 0..99, another each half minute
    LOAD_DIGITS = 5  # LOAD as two digits of text
    BASE = 6  # where the device's counters start, below 2**32
    ADDRESS = 7  # the 24 host bits of its address
    NAME = 8  # sysName as text, 15 bytes
    SITE = 9  # site name as text, 11 bytes
    SERIAL = 10  # serial number as text, 8 bytes


NAME_BYTES, SITE_BYTES, SERIAL_BYTES = 15, 11, 8

UPTIME_MIN, UPTIME_MAX = 1 << 23, 1 << 31
"""Where UPTIME has exactly four bytes of content. Below (a day after a boot) replies take the slow path."""

Moment = Sequence[int]
"""The quantities of one device at one time, by place."""


@dataclass(frozen=True, slots=True)
class Moving:
    """A value that is computed for each device and moment."""

    tag: int
    constant: int
    terms: tuple[tuple[Quantity, int], ...]
    width: int  # bytes of content, the same at every moment with UPTIME in its bounds; 0: they vary

    def at(self, moment: Moment) -> bytes:
        """Encode the value at a moment, tag and length included; a 32-bit counter wraps."""
        number = self.constant
        for quantity, coefficient in self.terms:
            number += coefficient * moment[quantity]
        if self.tag == ber.OCTETS:
            return ber.encode(self.tag, number.to_bytes(self.width, "big"))
        if self.tag == ber.INTEGER:
            return ber.encode_integer(number)
        if self.tag != ber.COUNTER64:
            number &= 0xFFFF_FFFF
        size = number.bit_length() // 8 + 1
        return bytes((self.tag, size)) + number.to_bytes(size, "big")

    @property
    def max_bytes(self) -> int:
        """The most bytes that `at` returns."""
        if self.tag == ber.OCTETS:
            return len(ber.encode_length(self.width)) + 1 + self.width
        return 2 + (9 if self.tag == ber.COUNTER64 else 5)


Value = bytes | Moving
"""What stands beside an OID: encoded once for all, or moving."""


def uptime() -> Moving:
    """sysUpTime and its like."""
    return Moving(ber.TIMETICKS, 0, ((Quantity.UPTIME, 1),), 4)


def counter64(start: int, rate: int) -> Moving:
    """Make a Counter64 that gains `rate` a unit of TRAFFIC.

    It starts at 2**55 and stays below 2**63, so its content is always eight bytes.
    """
    return Moving(ber.COUNTER64, (1 << 55) + start, ((Quantity.TRAFFIC, rate), (Quantity.BASE, 1)), 8)


def counter32(start: int, rate: int) -> Moving:
    """Make a Counter32 with the low 32 bits of `counter64(start, rate)`: it really wraps, so its width varies."""
    return Moving(ber.COUNTER32, start, ((Quantity.TRAFFIC, rate), (Quantity.BASE, 1)), 0)


def slow_counter32(start: int) -> Moving:
    """Make a Counter32 of rare events, one a second at most, that keeps to four bytes and never wraps."""
    return Moving(ber.COUNTER32, UPTIME_MIN + start % UPTIME_MIN, ((Quantity.SECONDS, 1),), 4)


def percent(constant: int = 0, sign: int = 1) -> Moving:
    """Make an INTEGER that is the device's load, or what is left of it."""
    return Moving(ber.INTEGER, constant, ((Quantity.LOAD, sign),), 1)


def text(form: str, quantity: Quantity, width: int) -> Moving:
    """Make a text with a device's own text of `width` bytes where `form` has "{}"."""
    before, _, after = (part.encode() for part in form.partition("{}"))
    return octets(before + bytes(width) + after, quantity, len(after))


def octets(content: bytes, quantity: Quantity, from_end: int) -> Moving:
    """Make an OCTET STRING in which a quantity is added `from_end` bytes before its end."""
    return Moving(ber.OCTETS, int.from_bytes(content, "big"), ((quantity, 256**from_end),), len(content))
