"""What a terminal would show for the bytes that a device sent, line by line.

Escape sequences for colours and the like go; those that move within a line (carriage return, backspace, cursor left,
erase) are carried out, since that is how devices wipe their pager's text away. Lines that nothing moves in, nearly all
of them, are not looked at twice.
"""

import re
from typing import Final

_BREAK: Final = re.compile(r"\r*\n|\r\x00")
_LEFT: Final = re.compile(r"\x1b\[(\d*)D")  # cursor left by n
_ERASE: Final = re.compile(r"\x1b\[[0-2]?K")  # of the line, from the cursor on
_START: Final = re.compile(r"\x1b\[\d*(?:;\d*)?[GHf]")  # to a column or place: a new beginning for us
_ESCAPE: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~])|\x1b$"
)
_CONTROL: Final = re.compile(r"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")
_MOVES: Final = re.compile(r"[\r\b\x0b]")
_ERASED: Final = "\x0b"  # stands for "erase from here" once the sequences are gone


def shown(data: bytes) -> list[str]:
    """Return the lines that a terminal of any width would show, without trailing blanks."""
    text = _BREAK.sub("\n", data.decode("utf-8", "replace")).replace("\x0b", "").replace("\x0c", "")
    if "\x1b" in text:
        text = _LEFT.sub(lambda found: "\b" * min(int(found[1] or 1), 1000), text)
        text = _START.sub("\r", _ERASE.sub(_ERASED, text))
        text = _ESCAPE.sub("", text)
    text = _CONTROL.sub("", text)
    return [(_typed(line) if _MOVES.search(line) else line).rstrip() for line in text.split("\n")]


def _typed(line: str) -> str:
    """Return what stands in a line after the cursor has moved about in it."""
    cells: list[str] = []
    at = 0
    for char in line:
        if char == "\r":
            at = 0
        elif char == "\b":
            at = max(0, at - 1)
        elif char == _ERASED:
            del cells[at:]
        else:
            cells[at : at + 1] = [char]
            at += 1
    return "".join(cells)
