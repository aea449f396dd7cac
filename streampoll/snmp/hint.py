"""DISPLAY-HINT (RFC 2579 3.1): how a textual convention wants its values shown.

For integers a hint is one of `x o b d`, or `d-2` for an implied decimal point. For octets it is a sequence of
specifications, each `[*] length format [separator [terminator]]`; the last one is used again until no octets are left.
The RFC does not say how many digits hexadecimal has: two at least, as in every MAC address.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

_INTEGER = re.compile(r"[xob]|d(?:-(\d{1,3}))?")
_SPEC = re.compile(r"(\*?)(\d{0,5})([xdoat])", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Spec:
    """One octet-format specification."""

    counted: bool  # the first octet says how often it is used
    length: int  # octets for one use
    form: str  # x, d, o, a or t
    separator: str
    terminator: str


def valid_hint(hint: str) -> bool:
    """Tell whether a text is a DISPLAY-HINT, of either sort."""
    return _INTEGER.fullmatch(hint) is not None or _parse(hint) is not None


def show_integer(hint: str, number: int) -> str | None:
    """Format an integer; None if the hint is none for integers."""
    if not (found := _INTEGER.fullmatch(hint)):
        return None
    if hint[0] != "d":
        return format(number, hint)
    places = int(found[1] or 0)
    if not places:
        return str(number)
    digits = str(abs(number)).zfill(places + 1)
    return f"{'-' if number < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def show_octets(hint: str, octets: bytes) -> str | None:
    """Format octets; None if the hint is none for octets."""
    specs = _parse(hint)
    return None if specs is None else "".join(_format(specs, octets))


def _format(specs: Sequence[_Spec], octets: bytes) -> Iterator[str]:
    """Yield the parts of the text; a separator or terminator only where something follows it."""
    at, end, number = 0, len(octets), 0
    while at < end:
        spec = specs[min(number, len(specs) - 1)]
        start, number = at, number + 1
        times = 1
        if spec.counted:
            times, at = octets[at], at + 1
        for use in range(times):
            if at >= end:
                return
            yield _one(spec.form, octets[at : at + spec.length])
            at += spec.length
            ends = use == times - 1 and spec.terminator
            if at < end:
                yield spec.terminator if ends else spec.separator
        if at == start and number >= len(specs):
            return  # the last specification takes no octets: it would go on for ever


def _one(form: str, octets: bytes) -> str:
    """Format the octets of one use."""
    match form:
        case "a":
            return octets.decode("ascii", "replace")
        case "t":
            return octets.decode("utf-8", "replace")
        case "x":
            return f"{int.from_bytes(octets):02x}" if octets else ""
        case "o":
            return f"{int.from_bytes(octets):03o}" if octets else ""
        case _:
            return str(int.from_bytes(octets)) if octets else ""


@lru_cache(maxsize=256)
def _parse(hint: str) -> tuple[_Spec, ...] | None:
    """Take an octet hint apart; None if it is none. A length that is left out (MIBs do) takes all octets."""
    specs: list[_Spec] = []
    at = 0
    while at < len(hint):
        found = _SPEC.match(hint, at)
        if found is None:
            return None
        at = found.end()
        separator = _character(hint, at)
        at += len(separator)
        terminator = _character(hint, at) if found[1] and separator else ""
        at += len(terminator)
        length = int(found[2]) if found[2] else 1 << 16
        specs.append(_Spec(bool(found[1]), length, found[3], separator, terminator))
    return tuple(specs) or None


def _character(hint: str, at: int) -> str:
    """Return the character at a place if it may separate: no digit and no asterisk."""
    character = hint[at : at + 1]
    return "" if character == "*" or (character.isascii() and character.isdigit()) else character
