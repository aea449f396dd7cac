"""A server as our direct child: started, waited for, stopped, and never left behind.

- It ends when we end, however we end: the kernel sends it its stop signal when its parent dies (PDEATHSIG, set by
  `launch.py`). The kernel means the *thread* that started it, so servers are started from the main thread only.
- It is in a session of its own: Ctrl-C reaches us, and we stop the servers in order.
- It inherits a lock on its directory and nothing else. The lock is held by the server itself (and its children), not by
  us: two servers never write one directory, even while a killed parent's server is still shutting down.
- It gets a bare environment: no variable of ours, which may hold secrets, reaches it.
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from streampoll.embedded import launch
from streampoll.embedded.owner import Owner
from streampoll.errors import UnavailableError

POLL_INTERVAL_S = 0.01
LOCK_TIMEOUT_S = 10.0  # a server whose parent was killed may still be writing its last checkpoint


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """What to run, where and as whom."""

    name: str  # for messages: "Redis"
    argv: tuple[str, ...]  # absolute program and its arguments; never a secret
    directory: Path  # exists; working directory, lock and log
    stop_signal: signal.Signals  # asks for an orderly end
    owner: Owner | None = None  # the user to become; None: stay who we are

    @property
    def log(self) -> Path:
        """The file that has the server's stdout and stderr."""
        return self.directory / "server.log"


class ServerProcess:
    """One running server; `lock` is the descriptor from `locked_directory`, which the server goes on holding."""

    def __init__(self, command: ServerCommand, lock: int) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(f"{command.name} must be started from the main thread: it ends when its thread does")
        self._command = command
        self._our_pid = os.getpid()
        with command.log.open("ab") as log:
            self._popen = subprocess.Popen(
                launcher_argv(command),
                cwd=command.directory,
                env=bare_environment(command.directory),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock,),
            )

    @property
    def pid(self) -> int:
        """The server's process id, which is also its process group."""
        return self._popen.pid

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Return when `ready()`; UnavailableError if it exits or is not ready in time. Only a ready server is left."""
        try:
            self._wait_ready(ready, timeout_s)
        except BaseException:  # Ctrl-C while a large file is loaded, too
            self.stop()
            raise

    def _wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        name, log = self._command.name, self._command.log
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.running():
                raise UnavailableError(f"{name} did not start: {last_line(log)}")
            if time.monotonic() > deadline:
                raise UnavailableError(f"{name} was not ready after {timeout_s:g} s; see {log}")
            time.sleep(POLL_INTERVAL_S)

    def running(self) -> bool:
        """Tell whether the server still runs."""
        return self._popen.poll() is None

    def stop(self, timeout_s: float = 20.0) -> None:
        """End the server in order, and by force after `timeout_s`; a no-op in a forked child and when it is ended."""
        if os.getpid() != self._our_pid or not self.running():
            return
        self._popen.send_signal(self._command.stop_signal)
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server and its children at once, as a crash would."""
        if os.getpid() != self._our_pid or not self.running():
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()


def launcher_argv(command: ServerCommand) -> list[str]:
    """Return the argv that becomes the server by way of launch.py."""
    owner = f"{command.owner.uid}:{command.owner.gid}" if command.owner else "-"
    return tied_argv(command.argv, command.stop_signal, owner)


def tied_argv(argv: Sequence[str], stop_signal: signal.Signals = signal.SIGTERM, owner: str = "-") -> list[str]:
    """Return the argv of a command that gets the signal when this process ends, however it does."""
    launcher = [sys.executable, "-I", "-S", launch.__file__]
    return [*launcher, str(os.getpid()), str(int(stop_signal)), owner, *argv]


def run_to_end(command: ServerCommand, stdin: bytes = b"", timeout_s: float = 60.0) -> None:
    """Run a one-off program of a server (initdb) with the same care; UnavailableError unless it exits with 0."""
    with command.log.open("ab") as log:
        try:
            done = subprocess.run(
                launcher_argv(command),
                cwd=command.directory,
                env=bare_environment(command.directory),
                input=stdin,
                stdout=log,
                stderr=log,
                start_new_session=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"{command.name} took more than {timeout_s:g} s; see {command.log}") from None
    if done.returncode != 0:
        raise UnavailableError(f"{command.name} failed ({done.returncode}): {last_line(command.log)}")


@contextmanager
def locked_directory(directory: Path, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[int]:
    """Hold the directory's lock; a process that inherits the descriptor goes on holding it."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + timeout_s
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise UnavailableError(f"{directory}: another server runs on this directory; stop it, or use another")
            time.sleep(POLL_INTERVAL_S)
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def bare_environment(home: Path) -> dict[str, str]:
    """Return the whole environment of a server."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC"}


def last_line(log: Path) -> str:
    """Return the last line a server wrote: most often its reason."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"{lines[-1].strip()} ({log})" if lines else f"no word in {log}"
