"""`streampoll up` and `streampoll demo`: everything on one machine, and nothing of it left when it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.embedded.fleet import FleetSettings
from tests.e2e_support import START_S, Deployment, Running, deployed
from tests.waiting import eventually

DEMO_KEYS = {
    "devices", "expected", "ok", "partial", "failed", "failed_by_status", "expired", "skipped", "lost", "missing",
    "duplicates", "executed_twice", "devices_per_s", "requests_per_s", "varbinds_per_s", "lateness_p50_s",
    "lateness_p99_s", "cycle_p50_s", "cycle_p99_s", "lateness_one_of", "worker_rss_mb_max", "cpu_s",
}  # fmt: skip


def processes_in(directory: Path) -> list[str]:
    """Return the command lines of processes that work in a directory, or name it."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            said = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = os.readlink(process / "cwd")
        except OSError:  # gone
            continue
        if str(directory) in said or where.startswith(str(directory)):
            found.append(f"{process.name} {said}")
    return found


@pytest.fixture
def at_home(open_directory: Path) -> Iterator[Deployment]:
    """Five devices, and no server named."""
    with deployed(open_directory, "", "", every="1s", fleet=FleetSettings(devices=5)) as deployment:
        deployment.environ["STREAMPOLL_COORDINATOR_GRACE_S"] = "0"
        yield deployment


def up(system: Deployment) -> Running:
    """Start it, and find its servers."""
    running = system.start("up")
    endpoints = system.where / "data" / "endpoints.json"
    eventually(endpoints.exists, START_S)
    said = json.loads(endpoints.read_text())
    system.redis_url, system.dsn = said["redis"], said["postgres"]
    return running


def test_up_polls_ends_in_order_keeps_its_data_and_goes_on(at_home: Deployment) -> None:
    running = up(at_home)
    eventually(lambda: at_home.polled(10), START_S)
    assert running.stop() == 0
    assert processes_in(at_home.where) == []

    running = up(at_home)
    kept = at_home.count()
    assert kept >= 10
    eventually(lambda: at_home.polled(kept + 10), START_S)
    figures = at_home.audit()
    assert figures["devices"] == 5
    assert figures["skipped"] > 0  # while nobody was there, on the ledger
    assert running.stop(signal.SIGINT) == 0
    assert processes_in(at_home.where) == []
    assert "Traceback" not in running.said


def test_up_that_is_killed_takes_everything_along_and_goes_on_where_it_was(at_home: Deployment) -> None:
    running = up(at_home)
    eventually(lambda: at_home.polled(10), START_S)

    running.kill()

    eventually(lambda: not processes_in(at_home.where), START_S)
    (at_home.where / "data" / "endpoints.json").unlink()
    running = up(at_home)
    kept = at_home.count()
    eventually(lambda: at_home.polled(kept + 10), START_S)
    at_home.audit()
    assert running.stop() == 0


def test_up_with_a_broken_configuration_says_so_and_nothing_goes_on(at_home: Deployment) -> None:
    at_home.inventory(["a,127.1.0.1,sytem"])

    done = at_home.run("up")

    assert done.returncode == 2
    assert "no profile 'sytem'" in done.stderr
    assert "Traceback" not in done.stderr
    assert processes_in(at_home.where) == []


def demo(directory: Path, *options: str) -> "subprocess.Popen[str]":
    environ = {**os.environ, "TMPDIR": str(directory)}
    argv = [sys.executable, "-m", "streampoll", "demo", "--devices", "50", *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        argv, env=environ, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for the end; return code, stdout and stderr."""
    try:
        out, err = process.communicate(timeout=90)
        return process.returncode, out, err
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_demo_prints_one_object_with_the_keys_that_are_promised_and_leaves_nothing(open_directory: Path) -> None:
    code, out, err = ended(demo(open_directory, "--seconds", "8", "--interval", "2", "--json"))

    assert code == 0, err
    figures = json.loads(out.splitlines()[-1])
    assert figures.keys() == DEMO_KEYS
    failed = figures["ok"] + figures["partial"] + figures["failed"] + figures["expired"] + figures["skipped"]
    assert figures["expected"] == failed + figures["lost"] + figures["missing"] > 100
    assert (figures["missing"], figures["duplicates"], figures["devices"]) == (0, 0, 50)
    assert list(open_directory.iterdir()) == []
    assert processes_in(open_directory) == []


def test_ctrl_c_ends_the_demo_with_its_summary_and_nothing_left(open_directory: Path) -> None:
    process = demo(open_directory, "--interval", "1")
    line = next(line for line in process.stderr if "devices/s" in line)

    os.killpg(process.pid, signal.SIGINT)
    code, out, err = ended(process)

    assert code == 0, line + err
    assert "missing" in out
    assert "Traceback" not in err
    assert list(open_directory.iterdir()) == []
    assert processes_in(open_directory) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_stopped_while_it_starts_leaves_nothing(open_directory: Path, number: int) -> None:
    process = demo(open_directory)
    eventually(lambda: any(open_directory.glob("*/conf/data/redis")), START_S)

    os.killpg(process.pid, number)
    code, _, err = ended(process)

    assert code == 128 + number
    assert "Traceback" not in err
    assert list(open_directory.iterdir()) == []
    assert processes_in(open_directory) == []
