"""Signals as something to wait for, with a time-out, that nothing can take for another.

A signalfd, since `signal.sigtimedwait` may answer with garbage where its process was stopped (SIGSTOP, a frozen cgroup)
for longer than the time-out: in CPython 3.11 it is interrupted, finds its time over, and reads a record nobody wrote.
"""

import ctypes
import os
import select
from collections.abc import Iterable

_SIGSET_BYTES = 128  # sizeof(sigset_t)
_RECORD_BYTES = 128  # sizeof(struct signalfd_siginfo); its first four bytes are the signal's number


class SignalQueue:
    """The signals of these numbers, which the caller keeps blocked, one at a time."""

    def __init__(self, numbers: Iterable[int]) -> None:
        mask = sum(1 << (number - 1) for number in numbers).to_bytes(_SIGSET_BYTES, "little")
        self._fd = ctypes.CDLL(None, use_errno=True).signalfd(-1, mask, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "signalfd")

    def wait(self, timeout_s: float) -> int:
        """Return the next signal's number; 0 if none comes in time."""
        if not select.select([self._fd], [], [], timeout_s)[0]:
            return 0
        try:
            return int.from_bytes(os.read(self._fd, _RECORD_BYTES)[:4], "little")
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Give the descriptor back; signals stay blocked."""
        os.close(self._fd)
