"""Recordings of real devices as personalities: `.snmprec` (snmpsim) and `.snmpwalk` (net-snmp's `snmpwalk -On`).

Both may be compressed (`.bz2`, `.gz`). Values are served as they were recorded. Of snmpsim's variation modules only the
running uptime (`67:numeric|rate=100`) moves; the others are served as the value that they start with.
"""

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from streampoll.embedded.fleet import ber, walkfile
from streampoll.embedded.fleet.ber import Oid
from streampoll.embedded.fleet.personality import RECORDING, Personality, make_view
from streampoll.embedded.fleet.values import Value, uptime
from streampoll.errors import ConfigError, Fault

OPENERS: dict[str, Callable[..., IO[str]]] = {".bz2": bz2.open, ".gz": gzip.open}


def load_recording(path: Path) -> Personality:
    """Read a recording; its format is told by its name.

    Raises:
        ConfigError: the file can't be read, or a line of it.
    """
    packed = path.suffix in OPENERS
    name = path.stem if packed else path.name
    reader = _READERS.get(Path(name).suffix)
    if reader is None:
        raise _fault(str(path), "is neither .snmprec nor .snmpwalk", "both may end in .bz2 or .gz")
    try:  # line by line: some have millions
        with OPENERS.get(path.suffix, open)(path, "rt", encoding="latin-1", newline="\n") as file:
            view = make_view(reader(str(path), file))
    except (OSError, EOFError, zlib.error) as error:
        raise _fault(str(path), f"can't be read: {error}") from None
    if not view.oids:
        raise _fault(str(path), "has no variable")
    return Personality(Path(name).stem, RECORDING, RECORDING, view)


def _snmprec(where: str, lines: Iterable[str]) -> Iterator[tuple[Oid, Value]]:
    """Yield the variables of a .snmprec file: lines of OID|TAG|VALUE; those that begin with # are comments."""
    for number, line in enumerate(lines, 1):
        line = line.strip("\r\n ")
        if not line or line[0] == "#":
            continue
        try:
            oid, tag, text = line.split("|", 2)
            yield tuple(map(int, oid.strip(".").split("."))), recorded_value(tag, text)
        except (ValueError, OverflowError) as error:
            raise _fault(f"{where}:{number}", f"{line[:60]!r} can't be served: {error}", "OID|TAG|VALUE") from None


def recorded_value(tag: str, text: str) -> Value:
    """Encode a value: TAG is decimal, "x" after it says that VALUE is hexadecimal, ":name" that it is a variation.

    Raises:
        ValueError, OverflowError: VALUE is not of that type, or there is no such type.
    """
    tag, variation, _ = tag.partition(":")
    if variation:
        options = dict(option.partition("=")[::2] for option in text.split(","))
        if tag == "67" and options.get("rate") == "100" and "initial" not in options:
            return uptime()
        text = options.get("initial") or options.get("value") or ("0" if tag in _NUMBERS else "")
    if tag.endswith("x"):
        return ber.encode(int(tag[:-1]), bytes.fromhex(text))
    return _encode(int(tag), text)


_NUMBERS = ("2", "65", "66", "67", "70")


def _encode(tag: int, text: str) -> bytes:
    """Encode the text of a value by its tag.

    Raises:
        ValueError: no such tag, or the text is not of that type.
    """
    match tag:
        case ber.OCTETS | ber.OPAQUE:
            return ber.encode(tag, text.encode("latin-1"))
        case ber.OBJECT_ID:
            return ber.encode_oid(tuple(map(int, text.strip(".").split("."))))
        case ber.IP_ADDRESS:
            return ber.encode(tag, _ip_address(text))
        case ber.NULL:
            return b"\x05\x00"
        case ber.INTEGER | ber.COUNTER32 | ber.GAUGE32 | ber.TIMETICKS | ber.COUNTER64:
            return ber.encode_integer(int(text or "0"), tag)
    raise ValueError(f"tag {tag} is not one of SNMP's types")


def _ip_address(text: str) -> bytes:
    """Read an IpAddress: dotted, or its four bytes as they are."""
    if text.count(".") == 3:
        return bytes(map(int, text.split(".")))
    if len(text) == 4:
        return text.encode("latin-1")
    raise ValueError(f"{text[:20]!r} is not an IpAddress")


def _snmpwalk(where: str, file: IO[str]) -> Iterator[tuple[Oid, Value]]:
    """Yield the variables of the output of `snmpwalk -On`."""
    for number, oid, type_name, text in walkfile.records(file.read()):
        try:
            tag, text = walkfile.convert(type_name, text)
            yield tuple(map(int, oid.strip(".").split("."))), _encode(tag, text)
        except (ValueError, OverflowError) as error:
            line = f"{oid} = {type_name}: {text}"
            raise _fault(
                f"{where}:{number}", f"{line[:80]!r} can't be served: {error}", "record it with snmpwalk -On"
            ) from None


_READERS: dict[str, Callable[[str, IO[str]], Iterator[tuple[Oid, Value]]]] = {
    ".snmprec": _snmprec,
    ".snmpwalk": _snmpwalk,
}


def _fault(where: str, what: str, instead: str = "") -> ConfigError:
    return ConfigError([Fault(where, what, instead)])
