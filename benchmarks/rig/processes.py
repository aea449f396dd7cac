"""Child processes of a benchmark: started in a session of their own, ended together with whatever they started."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.rig.environments import TOP
from streampoll.embedded.process import tied_argv

_END_S = 20.0


class Ended(Exception):  # noqa: N818 - reads as what it is
    """A process that had to stay has ended; the text has the end of its log."""


@contextmanager
def running(
    command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None, cwd: Path = TOP
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command as long as the block; what it says goes to a file."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            tied_argv(command), env={**os.environ, **(environ or {})}, cwd=cwd, stdin=subprocess.DEVNULL, stdout=file,
            stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]", limit_s: float = _END_S) -> None:
    """Ask a process to end; after the limit kill it, and in any case whatever it started and left behind."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(limit_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(done: Callable[[], object], limit_s: float, what: str) -> float:
    """Look until something is so; return the seconds that it took.

    Raises:
        Ended: it is not so within the limit.
    """
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > limit_s:
            raise Ended(f"{what}: not within {limit_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - began


def tail(log: Path, lines: int = 8) -> str:
    """Return the end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
