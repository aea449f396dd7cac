"""A device's prompt, learned from what it shows when it waits.

It is what stands twice in a row after Enter was pressed. What varies of it is allowed for: the mode (`>` and `#`,
`(config)`), a mark for unsaved changes, a counter.
"""

import re
from typing import Final

_ENDS: Final = ">#$%\\]:~"
_CANDIDATE: Final = re.compile(rf"\S?.{{0,100}}[{_ENDS}]")
_NOT: Final = re.compile(r"(?i)(?:password|passphrase|passcode|pin|user ?name|user|login(?: as)?|\[y/n\]|\(y/n\)):?$")
_PARTS: Final = re.compile(rf"(?P<mark>[*!]?\s?)(?P<base>.*?)(?P<mode>\([^()]*\))?\s?(?P<end>[{_ENDS}])")
_DIGITS: Final = re.compile(r"\d+")


def may_be_prompt(line: str) -> bool:
    """Tell whether a device may be waiting for a command behind this line."""
    return bool(_CANDIDATE.fullmatch(line)) and not _NOT.search(line)


def learn(first: str, second: str) -> re.Pattern[str] | None:
    """Return what matches the prompt, given two lines it was seen in one after the other; None if they differ."""
    counts = first != second
    if counts and _DIGITS.sub("#", first) != _DIGITS.sub("#", second):
        return None
    found = _PARTS.fullmatch(second)
    if found is None:
        return None
    name = found["base"] or found["mode"] or ""
    if not name:  # a bare ">", as menus have it: then it is that one
        return re.compile(re.escape(found["end"]))
    base = re.escape(name)
    if counts:
        base = _DIGITS.sub(r"\\d+", base)
    return re.compile(rf"[*!]?\s?{base}(?:\([^()]{{0,60}}\))?\s?[{_ENDS}]")


def is_privileged(line: str) -> bool:
    """Tell whether a prompt is that of privileged mode (or of root)."""
    return line.endswith("#")
