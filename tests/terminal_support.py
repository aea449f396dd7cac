"""A command on a terminal of its own, as a person has it: what it draws is read, keys are typed, Ctrl-C is a key."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
SHOW_CURSOR = "\x1b[?25h"
CTRL_C = "\x03"


@dataclass(slots=True)
class OnTerminal:
    """The command and the master's side of its terminal."""

    process: "subprocess.Popen[bytes]"
    master: int
    slave: int
    before: list[Any]  # the terminal's attributes
    said: str = ""
    _read: int = field(default=0)  # how much of what it said was waited for

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())

    def draws(self, wanted: str, deadline_s: float = 30.0) -> str:
        """Wait until this is drawn after what was last waited for; return what was drawn up to there."""
        end = time.monotonic() + deadline_s
        while (at := self.said.find(wanted, self._read)) < 0:
            assert time.monotonic() < end, f"{wanted!r} is not in {self.said[self._read :]!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                self.said += os.read(self.master, 65536).decode(errors="replace")
        drawn, self._read = self.said[self._read : at], at + len(wanted)
        return drawn

    def ends(self) -> int:
        """Wait for its end and return the exit code; its terminal must be as it was."""
        self.draws(LEAVE_SCREEN)
        code = self.process.wait(timeout=20)
        while select.select([self.master], [], [], 0)[0]:
            self.said += os.read(self.master, 65536).decode(errors="replace")
        assert termios.tcgetattr(self.slave) == self.before
        assert self.said.rindex(SHOW_CURSOR) > self.said.rindex("\x1b[?25l")
        assert "Traceback" not in self.said
        return code


@contextmanager
def on_terminal(*arguments: str, columns: int = 80, **environ: str) -> Iterator[OnTerminal]:
    """Run `streampoll …` on a terminal that is its controlling one; it is killed if it is still there at the end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "streampoll", *arguments], stdin=slave, stdout=slave, stderr=slave,
        env={**plain, "TERM": "xterm-256color", **environ},
    )  # fmt: skip
    try:
        yield OnTerminal(process, master, slave, termios.tcgetattr(slave))
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)
