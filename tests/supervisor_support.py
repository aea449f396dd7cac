"""Runs tests/supervisor_child.py as a program of its own: pytest itself never forks."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.waiting import eventually

DEADLINE_S = 20.0


def alive(pid: int) -> bool:
    """Say whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Supervised:
    """One running supervisor, its children's events and its log."""

    def __init__(self, tmp_path: Path, *options: str, stdin: int = subprocess.DEVNULL) -> None:
        self._events = tmp_path / "events"
        self._stderr = tmp_path / "stderr"
        self._orders = tmp_path / "orders"
        self._orders.mkdir(exist_ok=True)
        self._events.touch()
        root = Path(__file__).parents[1]
        with self._stderr.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, str(root / "tests/supervisor_child.py"), *options],
                env={**os.environ, "LOG": str(self._events), "DO": str(self._orders), "PYTHONPATH": str(root)},
                stdin=stdin, stderr=stderr, start_new_session=True,
            )  # fmt: skip

    def events(self, name: str) -> list[tuple[int, int]]:
        """Return (index, pid) of every event of this name, in order."""
        lines = (line.split() for line in self._events.read_text().splitlines())
        return [(int(index), int(pid)) for event, index, pid in lines if event == name]

    def wait_up(self, count: int) -> list[int]:
        """Wait until this many children have ever come up; return all their pids, in order."""
        eventually(lambda: len(self.events("up")) >= count, DEADLINE_S)
        return [pid for _, pid in self.events("up")]

    @property
    def log(self) -> str:
        return self._stderr.read_text()

    def wait_log(self, pattern: str, count: int = 1) -> list[str]:
        """Wait until the log has this many matches; return them."""
        eventually(lambda: len(re.findall(pattern, self.log)) >= count, DEADLINE_S)
        return re.findall(pattern, self.log)

    def order(self, name: str, text: str = "") -> None:
        (self._orders / name).write_text(text)

    def revoke(self, name: str) -> None:
        (self._orders / name).unlink()

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(DEADLINE_S)

    def end(self) -> None:
        """Leave nothing behind, whatever the test did; pytest shows the log of one that failed."""
        print(self.log)
        self.process.kill()
        self.process.wait()
        for pid in {pid for _, pid in self.events("up")}:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
