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
_CONTROL: Final = re.compile(r"[\x00-\x06\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
_ERASED, _BACK = "\x0b", "\x0e"  # stand for "erase from here" and "left by so many" once the sequences are gone
_MOVES: Final = re.compile(rf"[\r\b{_ERASED}{_BACK}]")
_REST: Final = re.compile(r"[\x07\x1b]")  # the bell also ends a sequence, so it is taken off after those
_NUMBERS: Final = 0x100  # where characters that stand for a number of columns begin: above all that mean something
_WIDEST: Final = 4_096  # columns that a cursor goes back by one sequence


def shown(data: bytes) -> list[str]:
    """Return the lines that a terminal of any width would show, without trailing blanks."""
    text = _CONTROL.sub("", _BREAK.sub("\n", data.decode("utf-8", "replace")))
    if "\x1b" in text:
        text = _LEFT.sub(_back, text)
        text = _START.sub("\r", _ERASE.sub(_ERASED, text))
        text = _ESCAPE.sub("", text)
    text = _REST.sub("", text)
    return [(_typed(line) if _MOVES.search(line) else line).rstrip() for line in text.split("\n")]


def _back(found: re.Match[str]) -> str:
    """Return a move to the left as two characters, whatever number it has: what comes must not grow."""
    return _BACK + chr(_NUMBERS + min(int(found[1][:6] or 1), _WIDEST))


def _typed(line: str) -> str:
    """Return what stands in a line after the cursor has moved about in it."""
    cells: list[str] = []
    at = 0
    chars = iter(line)
    for char in chars:
        if char == "\r":
            at = 0
        elif char == "\b":
            at = max(0, at - 1)
        elif char == _BACK:
            at = max(0, at - ord(next(chars, "\0")) + _NUMBERS)
        elif char == _ERASED:
            del cells[at:]
        else:
            cells[at : at + 1] = [char]
            at += 1
    return "".join(cells)
