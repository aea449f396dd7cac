"""A child server: tied to its parent, alone in its directory, and never left behind."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from streampoll.embedded.process import ServerCommand, ServerProcess, locked_directory
from streampoll.errors import UnavailableError
from tests.waiting import eventually

NEVER_READY = False


def shell(directory: Path, script: str) -> ServerCommand:
    return ServerCommand("Shell", ("/bin/sh", "-c", script), directory, signal.SIGTERM)


@contextmanager
def started(command: ServerCommand) -> Iterator[ServerProcess]:
    with locked_directory(command.directory) as lock:
        server = ServerProcess(command, lock)
    try:
        yield server
    finally:
        server.kill()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_stop_asks_first_and_the_server_ends_in_order(tmp_path: Path) -> None:
    script = (
        "trap 'echo ended in order; exit 0' TERM; touch ready; while :; do read -t 0.1 x < /dev/zero; sleep 0.05; done"
    )
    with started(shell(tmp_path, script)) as server:
        eventually((tmp_path / "ready").exists)
        server.stop()

        assert not server.running()
    assert "ended in order" in (tmp_path / "server.log").read_text()


def test_a_server_that_will_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    with started(shell(tmp_path, "trap '' TERM; sleep 1000 & echo $! > child; wait; sleep 1000")) as server:
        child = eventually(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().strip())
        server.stop(timeout_s=0.1)

        assert not server.running()
        eventually(lambda: gone(int(child)))


def test_a_server_that_exits_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        started(shell(tmp_path, "echo 'bind: address in use' >&2; exit 1")) as server,
        pytest.raises(UnavailableError, match="Shell did not start: bind: address in use"),
    ):
        server.wait_ready(lambda: NEVER_READY, timeout_s=10)


def test_a_server_that_is_never_ready_is_ended_at_the_deadline(tmp_path: Path) -> None:
    with started(shell(tmp_path, "exec sleep 1000")) as server:
        with pytest.raises(UnavailableError, match=r"not ready after 0\.05 s"):
            server.wait_ready(lambda: NEVER_READY, timeout_s=0.05)

        assert not server.running()


def test_ctrl_c_while_waiting_leaves_no_server(tmp_path: Path) -> None:
    def interrupt() -> bool:
        raise KeyboardInterrupt

    with started(shell(tmp_path, "exec sleep 1000")) as server:
        with pytest.raises(KeyboardInterrupt):
            server.wait_ready(interrupt, timeout_s=10)

        assert not server.running()


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    command = ServerCommand("Shell", ("/nowhere/sh",), tmp_path, signal.SIGTERM)
    with started(command) as server, pytest.raises(UnavailableError, match="/nowhere/sh: No such file"):
        server.wait_ready(lambda: NEVER_READY, timeout_s=10)


def test_a_server_sees_none_of_our_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", "redis://:secret@host")
    with started(shell(tmp_path, "env; touch ready; exec sleep 1000")):
        eventually((tmp_path / "ready").exists)

    assert "secret" not in (tmp_path / "server.log").read_text()


def test_the_lock_outlives_us_as_long_as_the_server_runs(tmp_path: Path) -> None:
    with (
        started(shell(tmp_path, "exec sleep 1000")),
        pytest.raises(UnavailableError, match="another server runs on this directory"),
        locked_directory(tmp_path, timeout_s=0),
    ):
        pass

    with locked_directory(tmp_path, timeout_s=0):
        pass


def test_a_thread_may_not_start_a_server(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def start() -> None:
        try:
            ServerProcess(shell(tmp_path, "exec sleep 1000"), -1)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert "main thread" in str(errors[0])


@contextmanager
def parent_of_servers(directory: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    program = [sys.executable, str(Path(__file__).parent / "embedded_parent.py"), str(directory)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        try:
            yield parent, pids
        finally:
            parent.kill()
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)


def test_no_server_outlives_a_killed_parent(open_directory: Path) -> None:
    with parent_of_servers(open_directory) as (parent, pids):
        assert len(pids) == 2
        backends = [child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)]
        parent.kill()

        eventually(lambda: all(gone(pid) for pid in pids + backends))
    assert "database system is shut down" in (open_directory / "postgres/server.log").read_text()


def test_ctrl_c_does_not_reach_the_servers(open_directory: Path) -> None:
    with parent_of_servers(open_directory) as (parent, pids):
        assert len(pids) == 2
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.stdin is not None
        assert not any(gone(pid) for pid in pids)

        parent.stdin.close()  # now it stops them itself
        assert parent.wait(10) == 0
        assert all(gone(pid) for pid in pids)
    assert "aborting any active transactions" in (open_directory / "postgres/server.log").read_text()
