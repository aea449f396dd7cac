"""ENTITY-MIB (RFC 6933) and ENTITY-SENSOR-MIB (RFC 3433) of a made-up router or switch."""

from collections.abc import Iterator
from dataclasses import dataclass

from streampoll.embedded.fleet.ber import GAUGE32, INTEGER, TIMETICKS, Oid, encode_integer, encode_oid, encode_text
from streampoll.embedded.fleet.values import SERIAL_BYTES, Moving, Quantity, Value, text

PHYSICAL: Oid = (1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1)
LAST_CHANGE: Oid = (1, 3, 6, 1, 2, 1, 47, 1, 4, 1, 0)
SENSOR: Oid = (1, 3, 6, 1, 2, 1, 99, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Part:
    """A row of entPhysicalTable."""

    index: int
    inside: int  # index of the part that it is in, 0: none
    kind: int  # entPhysicalClass
    position: int
    name: str
    field_replaceable: bool


CHASSIS, POWER, FAN, TEMPERATURE, MODULE = 3, 6, 7, 8, 9
PARTS = (
    Part(1, 0, CHASSIS, 1, "Chassis", False),
    Part(2, 1, POWER, 1, "Power supply 1", True),
    Part(3, 1, POWER, 2, "Power supply 2", True),
    Part(4, 1, FAN, 1, "Fan tray", True),
    Part(5, 1, MODULE, 1, "Supervisor", True),
    Part(6, 5, TEMPERATURE, 1, "Inlet temperature", False),
    Part(7, 5, TEMPERATURE, 2, "Outlet temperature", False),
)
CELSIUS, UNITS, OK = 8, 9, 1  # EntitySensorDataType, EntitySensorDataScale, EntitySensorStatus


def chassis_variables(vendor: str, model: str) -> Iterator[tuple[Oid, Value]]:
    """Yield the variables of both MIBs."""
    yield LAST_CHANGE, encode_integer(0, TIMETICKS)
    for part in PARTS:
        for column, value in _physical(part, vendor, model).items():
            yield (*PHYSICAL, column, part.index), value
        if part.kind == TEMPERATURE:
            for column, value in _sensor(part).items():
                yield (*SENSOR, column, part.index), value


def _physical(part: Part, vendor: str, model: str) -> dict[int, Value]:
    """Return the columns of entPhysicalTable; each replaceable part and the chassis have a serial number."""
    serial = part.field_replaceable or part.kind == CHASSIS
    return {
        2: encode_text(part.name), 3: encode_oid((0, 0)), 4: encode_integer(part.inside), 5: encode_integer(part.kind),
        6: encode_integer(part.position), 7: encode_text(part.name), 8: encode_text("1.0"), 9: encode_text(""),
        10: encode_text("7.3(1)" if part.kind == CHASSIS else ""),
        11: text(f"SN{part.index:02d}{{}}", Quantity.SERIAL, SERIAL_BYTES) if serial else encode_text(""),
        12: encode_text(vendor), 13: encode_text(model if part.kind == CHASSIS else ""), 14: encode_text(""),
        15: encode_text(""), 16: encode_integer(1 if part.field_replaceable else 2),
    }  # fmt: skip


def _sensor(part: Part) -> dict[int, Value]:
    """Return the columns of entPhySensorTable: the temperature follows the load, 15 degrees and up."""
    return {
        1: encode_integer(CELSIUS), 2: encode_integer(UNITS), 3: encode_integer(0),
        4: Moving(INTEGER, 10 + part.position * 5, ((Quantity.LOAD, 1),), 1), 5: encode_integer(OK),
        6: encode_text("degrees C"), 7: encode_integer(0, TIMETICKS), 8: encode_integer(60_000, GAUGE32),
    }  # fmt: skip
