"""A file that lines are appended to by several processes, renamed once it is long, and found again if it was renamed.

Each batch is one write with O_APPEND, which the kernel keeps in one piece. Whoever finds the file too long renames it,
under a lock on the file itself; the others notice by its inode before their next write. So does logrotate's `create`.
Calls block: they belong into a thread.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

STDOUT = "-"


class LineFile:
    """One process's hold on the file."""

    def __init__(self, path: str, rotate_bytes: int, keep: int) -> None:
        self._path = Path(path)
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._file = -1

    def write(self, data: bytes) -> None:
        """Append whole lines. Raises OSError."""
        if str(self._path) == STDOUT:
            _write_all(1, data)
            return
        self._open()
        if self._rotate_bytes and os.fstat(self._file).st_size + len(data) > self._rotate_bytes:
            self._rotate()
        _write_all(self._file, data)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        """Open the file, anew if the one that is open goes by another name by now."""
        if self._file >= 0 and not self._is_ours():
            self.close()
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _is_ours(self) -> bool:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        ours = os.fstat(self._file)
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)

    def _rotate(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            if self._is_ours() and os.fstat(self._file).st_size:  # nobody else did it, and there is something in it
                for number in range(self._keep - 1, 0, -1):
                    with suppress(FileNotFoundError):
                        self._numbered(number).rename(self._numbered(number + 1))
                self._path.rename(self._numbered(1))
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
