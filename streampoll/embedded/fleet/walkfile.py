"""The text that net-snmp's `snmpwalk -On` prints, taken apart. Pure.

A record begins with ".1.3.6… = "; what follows until the next one belongs to it, since strings span lines.
"""

import re
from collections.abc import Callable, Iterator

from streampoll.embedded.fleet import ber

_BEGIN = re.compile(r"^(\.?\d+(?:\.\d+)+) = ?", re.MULTILINE)
_TYPE = re.compile(r"(Wrong Type \(should be .*?\): )?([A-Za-z][A-Za-z0-9-]*(?: Address)?): ?(.*)", re.DOTALL)
_NUMBER = re.compile(r"-?\d+")
_BRACKETED = re.compile(r"\((-?\d+)\)")


def records(content: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield (line, OID, type, text) of each record; the notes that end a walk ("No more variables…") are left out.

    Text before the first record comes out as a record that can't be converted, so that a wrong file is refused.
    """
    begins = list(_BEGIN.finditer(content))
    before = content[: begins[0].start()] if begins else content
    if before.strip():
        yield 1, before.strip(), "", ""
    ends = [match.start() for match in begins[1:]] + [len(content)]
    line, counted = 1, 0
    for match, end in zip(begins, ends, strict=True):
        line, counted = line + content.count("\n", counted, match.start()), match.start()
        text = content[match.end() : end].rstrip("\r\n")
        if text.startswith(("No more variables", "No Such")):
            continue
        typed = _TYPE.fullmatch(text)
        yield line, match[1], *((typed[2], typed[3]) if typed else ("", text))


def convert(type_name: str, text: str) -> tuple[int, str]:
    """Return the tag of a type's name, and its text without what is only for people (bytes as Latin-1).

    Raises:
        ValueError: not a type of net-snmp's, or not its text.
    """
    if not type_name:
        return _untyped(text)
    known = _TYPES.get(type_name.upper())
    if known is None:
        raise ValueError(f"{type_name!r} is not a type that snmpwalk prints")
    return known[0], known[1](text)


def _untyped(text: str) -> tuple[int, str]:
    if text in ('""', "NULL"):
        return (ber.OCTETS, "") if text == '""' else (ber.NULL, "")
    raise ValueError("no type before the value")


def _number(text: str) -> str:
    """Read 6, "up(1)", "(123) 0:00:01.23", "1500 octets"."""
    found = _BRACKETED.search(text) or _NUMBER.match(text)
    if found is None:
        raise ValueError(f"no number in {text[:30]!r}")
    return found[found.lastindex or 0]


def _string(text: str) -> str:
    """Take quotes and their escapes away."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text


def _hex(text: str) -> str:
    """Read pairs of digits up to the note for people ("00 1B  [..]", "80 0(1)")."""
    pairs = re.match(r"(?:[0-9A-Fa-f]{2}(?:\s+|$))*|(?:[0-9A-Fa-f]{2})+", text.strip())
    return bytes.fromhex(pairs[0] if pairs else "").decode("latin-1")


def _network(text: str) -> str:
    """Read C0:00:02:01."""
    return ".".join(str(int(part, 16)) for part in text.split(":"))


def _same(text: str) -> str:
    return text.strip()


_TYPES: dict[str, tuple[int, Callable[[str], str]]] = {
    "STRING": (ber.OCTETS, _string),
    "HEX-STRING": (ber.OCTETS, _hex),
    "BITS": (ber.OCTETS, _hex),
    "INTEGER": (ber.INTEGER, _number),
    "UINTEGER32": (ber.GAUGE32, _number),
    "UNSIGNED32": (ber.GAUGE32, _number),
    "GAUGE32": (ber.GAUGE32, _number),
    "COUNTER32": (ber.COUNTER32, _number),
    "COUNTER64": (ber.COUNTER64, _number),
    "TIMETICKS": (ber.TIMETICKS, _number),
    "OID": (ber.OBJECT_ID, _same),
    "IPADDRESS": (ber.IP_ADDRESS, _same),
    "NETWORK ADDRESS": (ber.IP_ADDRESS, _network),
    "OPAQUE": (ber.OPAQUE, _hex),
}
