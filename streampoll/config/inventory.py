"""The inventory: files of devices, checked line by line.

There may be a hundred thousand lines, so a right one takes one call of msgspec and a wrong one, of which there are few,
is read again slowly to say what is wrong with it. Texts and lists that many devices share are kept once.
"""

import dataclasses
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from streampoll.config.bulk import collection_paused
from streampoll.config.convert import Place, from_text, read_table
from streampoll.config.overrides import Overrides
from streampoll.config.report import SHOWN, Report, shorten
from streampoll.config.rows import READERS, Rows, read_rows
from streampoll.config.table import settings_of
from streampoll.config.units import parse_duration
from streampoll.model import Device

Port = Annotated[int, Meta(ge=1, le=65_535)]
Name = Annotated[
    str,
    Meta(
        pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,253}[^\s\x00-\x1f\x7f])?$",
        title="text of at most 255 characters, in quotes, without spaces around it",
    ),
]
Interval = Annotated[int, Meta(ge=1, extra={"unit": "s"})]

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*(?!\d+\.?$){_LABEL}\.?")  # 10.0.0.300 is a mistake, not a name


@dataclass(slots=True)
class _DeviceTable:
    """A device as a file has it. Keys that are not here are overrides, as `snmp.timeout_s`."""

    name: Name
    address: str
    port: Port = 0
    profile: str = ""
    credential: str = ""
    groups: tuple[str, ...] = ()
    site: str = ""
    role: str = ""
    vendor: str = ""
    tags: tuple[str, ...] = ()
    interval: Interval = 0
    parent: str = ""
    enabled: bool = True


_SETTINGS = settings_of(_DeviceTable)
_KEYS = frozenset(_SETTINGS)
_FIELDS = [
    (name, setting.kind) if setting.default is dataclasses.MISSING else (name, setting.kind, setting.default)
    for name, setting in _SETTINGS.items()
]
# The same table, which msgspec makes of a row in half the time of a dataclass; and with nothing else in it.
_Row: Any = msgspec.defstruct("_Row", _FIELDS, gc=False)
_PLAIN_ROW: "msgspec.json.Decoder[Any]" = msgspec.json.Decoder(
    msgspec.defstruct("_PlainRow", _FIELDS, gc=False, forbid_unknown_fields=True)
)


@dataclass(slots=True)
class _Found:
    """What was read so far, over all files: for duplicates, and for texts that are kept once."""

    overrides: Overrides = field(default_factory=Overrides)
    devices: list[Device] = field(default_factory=list)
    names: dict[str, tuple[Rows, int]] = field(default_factory=dict)
    addresses: dict[tuple[str, int], str] = field(default_factory=dict)
    lists: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)


def read_inventory(patterns: Sequence[str], base: Path, report: Report) -> tuple[Device, ...]:
    """Return the devices of all files that match, in order; wrong ones are left out, with faults."""
    found = _Found()
    with collection_paused():
        for path in _paths(patterns, base, report):
            shown = str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
            rows = read_rows(path, shown, report)
            if rows is not None:
                _read(rows, shown, found, report)
        _check_parents(found, report)
    return tuple(found.devices)


def _paths(patterns: Sequence[str], base: Path, report: Report) -> list[Path]:
    """Return the files that the patterns name, each once."""
    paths: dict[Path, None] = {}
    for pattern in patterns:
        if any(char in pattern for char in "*?["):
            start, parts = (Path("/"), pattern.lstrip("/")) if pattern.startswith("/") else (base, pattern)
            paths.update((path, None) for path in sorted(start.glob(parts)) if path.suffix.lower() in READERS)
        else:
            paths[base / pattern] = None
    if not paths:
        report.fault("paths.inventory", f"no file matches {', '.join(patterns)}", f"known: {', '.join(READERS)}")
    return list(paths)


def _read(rows: Rows, shown: str, found: _Found, report: Report) -> None:
    """Add one file's devices. After `SHOWN` faults the rest is counted, not explained."""
    before, more = len(report.faults), 0
    if not found.overrides.check_header(rows.header, _SETTINGS, f"{shown}:1", report):
        return
    for index, row in enumerate(rows.rows):
        explain = len(report.faults) - before < SHOWN
        device = _device(rows, index, row, found, explain)
        if device is not None and _is_new(device, rows, index, found, explain):
            found.devices.append(device)
        elif not explain:
            more += 1
    if more:
        report.fault(shown, f"… and {more:,} more lines are wrong")


def _device(rows: Rows, index: int, row: Any, found: _Found, explain: bool) -> Device | None:
    """Return a row's device, or None with faults (none if they are not to be explained)."""
    if isinstance(row, msgspec.Raw):
        device = _plain(row, found)
        if device is not None:
            return device
        row = msgspec.json.decode(row)
    overrides: Mapping[str, Any] | None = {}
    try:
        interval = row.get("interval")
        known = row if not isinstance(interval, str) else {**row, "interval": _seconds(interval)}
        if isinstance(known.get("credential"), list):
            known = {**known, "credential": _in_turn(known["credential"])}
        table = msgspec.convert(known, _Row, strict=not rows.header)
        address = canonical_address(table.address)
    except (msgspec.ValidationError, AttributeError):
        table, address = None, None
    if table is not None and not row.keys() <= _KEYS:
        overrides = found.overrides.read(row, sorted(row.keys() - _KEYS, key=str))
    if table is None or address is None or overrides is None:
        return _explained(rows.place(index), row, bool(rows.header), found) if explain else None
    return _made(table, address, overrides, found)


def _plain(row: msgspec.Raw, found: _Found) -> Device | None:
    """Return the device of a row of JSON that is right and without overrides, as nearly all are."""
    try:
        table = _PLAIN_ROW.decode(row)
    except msgspec.DecodeError:
        return None
    address = canonical_address(table.address)
    return _made(table, address, {}, found) if address is not None else None


def _explained(place: Place, row: Any, text: bool, found: _Found) -> Device | None:
    """Read a row that was refused again, key by key, and say what is wrong; the device after all if nothing is."""
    before = len(place.report.faults)
    data = dict(place.table(row))
    if len(place.report.faults) > before:
        return None
    if text:
        data = {key: _typed(key, value) for key, value in data.items()}
    if isinstance(data.get("credential"), list):
        data["credential"] = _in_turn(data["credential"])
    overrides = found.overrides.explain(data, _SETTINGS, place)
    table = read_table(_DeviceTable, {key: data[key] for key in data if key in _SETTINGS}, place)
    address = canonical_address(table.address) if table is not None else None
    if table is not None and address is None:
        place.at("address").fault(f"{shorten(table.address)} is no address", _address_hint(table.address))
    if table is None or address is None or len(place.report.faults) > before:
        return None
    return _made(table, address, overrides, found)


def _typed(key: str, value: Any) -> Any:
    return from_text(_SETTINGS[key], value) if key in _SETTINGS and isinstance(value, str) else value


def _made(table: Any, address: str, overrides: Mapping[str, Any], found: _Found) -> Device:
    once, keep = sys.intern, found.lists
    return Device(
        table.name, address, table.port, once(table.profile), once(table.credential),
        keep.setdefault(table.groups, table.groups), once(table.site), once(table.role), once(table.vendor),
        keep.setdefault(table.tags, table.tags), table.interval, table.parent, table.enabled, overrides,
    )  # fmt: skip


def _is_new(device: Device, rows: Rows, index: int, found: _Found, explain: bool) -> bool:
    """Return True for a name that is new; the second of a name is a fault, the second of an address a notice."""
    if device.name in found.names:
        if explain:
            first, number = found.names[device.name]
            there, place = first.place(number), rows.place(index)
            place.fault(f"the name '{device.name}' is used by {there.source.where(there.path)}", "a name is used once")
        return False
    found.names[device.name] = rows, index
    if device.enabled:
        other = found.addresses.setdefault((device.address, device.port), device.name)
        if other != device.name and explain:
            rows.place(index).notice(f"'{device.name}' has the address and port of '{other}'")
    return True


def _check_parents(found: _Found, report: Report) -> None:
    """Refuse a parent that is no device, or the device itself."""
    wrong = [
        each for each in found.devices if each.parent and (each.parent not in found.names or each.parent == each.name)
    ]
    for device in wrong[:SHOWN]:
        rows, index = found.names[device.name]
        rows.place(index).at("parent").fault(f"no other device is called {shorten(device.parent)}")
    if len(wrong) > SHOWN:
        report.fault("parent", f"… and {len(wrong) - SHOWN:,} more")


def _in_turn(names: list[Any]) -> Any:
    """Return a list of credentials as the one text that travels; anything else in it is for msgspec to refuse."""
    return ", ".join(names) if all(isinstance(name, str) for name in names) else names


@lru_cache(maxsize=1024)
def _seconds(text: str) -> Any:
    """Return a duration's whole seconds, or the text for the slow path to refuse."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        return text
    return int(seconds) if seconds.is_integer() else text


def canonical_address(text: str) -> str | None:
    """Return an IPv4 or IPv6 address or a host name in its one spelling (it is hashed), or None if it is none."""
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return _other_address(text)
    return text


def _other_address(text: str) -> str | None:
    if ":" in text:
        try:
            return str(IPv6Address(text))
        except ValueError:
            return None
    return text.lower().rstrip(".") if _HOST.fullmatch(text) else None


def _address_hint(text: str) -> str:
    host, _, port = text.rpartition(":")
    if port.isdigit() and canonical_address(host.strip("[]")):
        return f"write the port as port = {port}"
    return "write an IPv4 or IPv6 address or a host name"
