"""How values are shown to people: enumerations by name, DISPLAY-HINTs, addresses, dates. The values stay what they are.

What a profile says comes first; then what a kind implies; what neither says anything of is None here, and the reader
shows the value itself.
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from streampoll.model import Value
from streampoll.snmp.hint import show_integer, show_octets
from streampoll.snmp.plan import CollectPlan, Kind, Metric

_UNKNOWN_ZONE = 8  # octets of a DateAndTime that does not say its time zone


def shown_as(metric: Metric) -> Callable[[Value], str | None]:
    """Return what shows this metric's values; it returns None for one that needs no showing."""
    form = _formatter(metric)
    if not metric.unit:
        return form
    unit = f" {metric.unit}"

    def with_unit(value: Value) -> str | None:
        if value is None:
            return None
        text = form(value)
        return (plain_text(value) if text is None else text) + unit

    return with_unit


def plain_text(value: Value) -> str:
    """Return a value as text when nothing is said of it: octets as text where they are printable, else as 0a:1b:2c."""
    if not isinstance(value, bytes):
        return "" if value is None else str(value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex(":")
    return text if text.isprintable() else value.hex(":")


def raw_text(metric: Metric) -> Callable[[Value], str]:
    """Return what gives a metric's value as text, without its unit: what a regex is searched in."""
    form = _formatter(metric)

    def text(value: Value) -> str:
        found = form(value)
        return plain_text(value) if found is None else found

    return text


def address_text(octets: bytes) -> str | None:
    """Write an address of 4 or 16 octets, or 8 or 20 with a zone (RFC 4001); None for another length."""
    size = len(octets)
    if size in (8, 20):
        address = address_text(octets[:-4])
        return f"{address}%{int.from_bytes(octets[-4:])}"
    if size == 4:
        return ".".join(map(str, octets))
    return str(ipaddress.IPv6Address(octets)) if size == 16 else None


def date_of(octets: bytes) -> datetime | None:
    """Read a DateAndTime (RFC 2579); without a time zone for 8 octets. None for one that is no date."""
    if len(octets) not in (_UNKNOWN_ZONE, 11):
        return None
    year = int.from_bytes(octets[:2])
    month, day, hour, minute, second, tenths = octets[2:8]
    try:
        zone = None
        if len(octets) == 11:
            offset = timedelta(hours=octets[9], minutes=octets[10])
            zone = timezone(-offset if octets[8:9] == b"-" else offset)
        return datetime(year, month, day, hour, minute, min(second, 59), min(tenths, 9) * 100_000, zone)
    except ValueError:
        return None


def ticks_text(ticks: int) -> str:
    """Write hundredths of a second: `12 d 3:04:05.67`."""
    seconds, hundredths = divmod(ticks, 100)
    days, seconds = divmod(seconds, 86_400)
    clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{hundredths:02}"
    return f"{days} d {clock}" if days else clock


@dataclass(frozen=True, slots=True)
class Looks:
    """How the values of one profile are shown."""

    scalars: Mapping[str, Callable[[Value], str | None]]
    tables: Mapping[str, Mapping[str, Callable[[Value], str | None]]]

    def of(self, table: str, name: str, value: Value) -> str | None:
        """Return what is shown in the place of a value; None: the value. `table` is "" for a scalar."""
        look = (self.tables.get(table, {}) if table else self.scalars).get(name)
        return None if look is None else look(value)


def looks_of(plan: CollectPlan) -> Looks:
    """Return how a profile wants its values shown."""
    scalars = {metric.name: shown_as(metric) for metric in plan.scalars}
    tables = {}
    for spec in plan.tables:
        metrics = (*(part.metric for part in spec.index), *spec.columns)
        tables[spec.name] = {metric.name: shown_as(metric) for metric in metrics}
    return Looks(scalars, tables)


def _formatter(metric: Metric) -> Callable[[Value], str | None]:
    """Return the formatting of a metric. By the value's type too: a transform may have made it another."""
    names = dict(metric.enum)
    hint, kind = metric.display, metric.kind

    def integer(value: int) -> str | None:
        if value in names:
            return names[value]
        if hint:
            return show_integer(hint, value)
        return ticks_text(value) if kind is Kind.TICKS and metric.change is None else None

    def octets(value: bytes) -> str | None:
        if kind is Kind.BITS:
            return " ".join(_bits(value, names))
        return show_octets(hint, value) if hint else _octets(kind, value)

    def show(value: Value) -> str | None:
        if isinstance(value, bytes):
            return octets(value)
        return integer(value) if isinstance(value, int) else None

    return show


def _octets(kind: Kind, octets: bytes) -> str | None:
    """Show octets by their kind."""
    match kind:
        case Kind.MAC:
            return octets.hex(":")
        case Kind.IP:
            return address_text(octets)
        case Kind.DATETIME:
            date = date_of(octets)
            return None if date is None else date.isoformat(sep=" ", timespec="seconds")
    return None


def _bits(octets: bytes, names: Mapping[int, str]) -> Iterator[str]:
    """Yield the names, else the numbers, of the bits that are set; bit 0 is the first of the first octet."""
    for number in range(8 * len(octets)):
        if octets[number // 8] >> (7 - number % 8) & 1:
            yield names.get(number, str(number))
