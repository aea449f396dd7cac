"""Keys of a terminal, one at a time and without Enter. The terminal is given back as it was, however it ends."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_NAMES = {"\x1b[A": "up", "\x1b[B": "down", "\x1b": "escape", "\r": "enter", "\n": "enter", " ": "space"}


@contextmanager
def keys(press: Callable[[str], None], file: int | None = None) -> Iterator[bool]:
    """Call `press` with the name of each key, from the running loop.

    Yields False, and does nothing, where there is no terminal. Ctrl-C stays what it is: a signal. Nothing that is
    typed is echoed meanwhile.
    """
    terminal = _stdin() if file is None else file
    if terminal is None or not os.isatty(terminal):
        yield False
        return
    loop = asyncio.get_running_loop()
    before = termios.tcgetattr(terminal)

    def ready() -> None:
        for key in named(_read(terminal)):
            press(key)

    try:
        tty.setcbreak(terminal)
        loop.add_reader(terminal, ready)
        yield True
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def named(typed: str) -> list[str]:
    """Return the names of the keys in what was read at once: an arrow comes as three characters."""
    if typed in _NAMES:
        return [_NAMES[typed]]
    return [_NAMES.get(letter, letter) for letter in typed if letter.isprintable() or letter in _NAMES]


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 64).decode(errors="ignore")
    except OSError:  # the terminal is gone; the signal for it is on its way
        return ""


def _stdin() -> int | None:
    try:
        return sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):  # closed, or not a file, as in tests
        return None
