"""The fleet as a process and as a command."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from streampoll import cli
from streampoll.cli.fleet import command
from streampoll.embedded.fleet import FleetSettings
from streampoll.embedded.fleet.__main__ import main
from streampoll.embedded.fleet.options import read_settings
from streampoll.embedded.fleet.process import spawn
from streampoll.embedded.fleet.wheel import TICK_S, Wheel
from tests.fleet_support import NetSnmp, running_fleet

SYS_NAME = "1.3.6.1.2.1.1.5.0"


def test_it_reports_what_it_did_and_exits_0() -> None:
    with running_fleet(FleetSettings(latency_ms=(0, 1))) as fleet:
        NetSnmp(fleet.port).lines("snmpget", SYS_NAME)
        NetSnmp(fleet.port, community="wrong").run("snmpget", SYS_NAME)
        report = fleet.stop()

    assert (report["requests"], report["replies"], report["refused"], report["overflowed"]) == (3, 1, 2, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(number: signal.Signals) -> None:
    with running_fleet(FleetSettings()) as fleet:
        fleet.process.send_signal(number)

        assert fleet.process.wait(10) == 0


def test_it_ends_with_the_process_that_started_it() -> None:
    code = (
        "import os, signal, subprocess; from streampoll.embedded.fleet import FleetSettings;"
        "from streampoll.embedded.fleet.process import spawn;"
        "how = spawn(FleetSettings()); child = subprocess.Popen(how.arguments, env=os.environ | how.environment);"
        "print(child.pid, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        lines = sorted((parent.stdout.readline(), parent.stdout.readline()))
        parent.kill()
    pid = int(lines[0])

    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        os.sched_yield()

    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """Tell if a process that is not our child runs; a zombie of it does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_command_of_a_child_is_its_settings_again(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = FleetSettings(
        port=1161, seed=7, devices=99, silent=0.11, loss=0.001, latency_ms=(0.5, 12.25), interfaces=(3, 8),
        community="not for argv", reboot_every_s=77.5, max_reply_bytes=900, too_big_bytes=800,
        recordings=("a", "b=127.1.0.1"),
    )  # fmt: skip
    how = spawn(settings)
    for name, value in how.environment.items():
        monkeypatch.setenv(name, value)

    with main.make_context("fleet", list(how.arguments[3:])) as context:
        assert read_settings(context.params) == settings
    assert "not for argv" not in " ".join(how.arguments)
    assert "not for argv" not in repr(settings)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--silent", "2"], "--silent: 2.0 can't be used; give a share from 0 to 1\n"),
        (["--recording", "missing.snmprec"], "missing.snmprec: can't be read"),
        (["--community-env", "NOT_SET_ANYWHERE"], "--community-env: the variable NOT_SET_ANYWHERE is not set"),
        (["--latency", "slow"], "'slow' is not LOW-HIGH"),
        (["--inventory", "/nowhere/fleet.csv"], "--inventory: /nowhere/fleet.csv can't be written"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["fleet", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_a_child_with_a_wrong_option_says_so_too() -> None:
    done = CliRunner().invoke(main, ["--silent", "2"])

    assert (done.exit_code, done.output) == (2, "--silent: 2.0 can't be used; give a share from 0 to 1\n")


def test_a_taken_port_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        assert cli.run(["fleet", "--port", str(taken.getsockname()[1])]) == 2

    assert "Address already in use" in capsys.readouterr().err


def test_the_command_writes_an_inventory_that_matches(tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    arguments = ["--devices", "300", "--latency", "0-1", "--inventory", str(path), "--credential", "lab"]
    code = "from streampoll.cli.fleet import command; command()"
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            devices = list(csv.DictReader(path.read_text().splitlines()))
            last = devices[-1]
            said = NetSnmp(int(last["port"]), last["address"]).lines("snmpget", SYS_NAME, "1.3.6.1.2.1.1.6.0")
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()

    assert line == f"fleet: 300 devices at 127.1.0.1 … 127.1.1.44 port {last['port']}\n"
    assert len(devices) == 300
    assert last["name"] in said[0]
    assert last["site"] in said[1]
    assert (last["profile"], last["credential"]) == ("interfaces", "lab")


def test_the_help_has_examples() -> None:
    assert "streampoll fleet --devices 1414 --port 1161" in CliRunner().invoke(command, ["--help"]).output


def test_nothing_leaves_the_wheel_before_it_is_due() -> None:
    wheel: Wheel[str] = Wheel()
    for due_s, name in ((5.010, "c"), (5.0001, "a"), (5.004, "b")):
        wheel.add(due_s, name)

    assert list(wheel.take_due(5.0)) == []
    assert list(wheel.take_due(5.0001 + TICK_S)) == ["a"]
    assert len(wheel) == 2
    assert list(wheel.take_due(6.0)) == ["b", "c"]
    assert wheel.next_due_s() is None


async def test_replies_come_after_their_latency() -> None:
    with running_fleet(FleetSettings(latency_ms=(100, 100))) as fleet:
        started = time.monotonic()
        NetSnmp(fleet.port).lines("snmpget", SYS_NAME)

        assert time.monotonic() - started >= 0.1


def test_a_late_reply_comes_from_the_address_that_was_asked() -> None:
    request = bytes.fromhex("302602010104067075626c6963a019020101020100020100300e300c06082b060102010105000500")
    addresses = {f"127.{n}.{n}.{n}" for n in range(1, 60)}
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with running_fleet(FleetSettings(latency_ms=(20, 20))) as fleet, udp as poller:
        poller.settimeout(5)
        for address in addresses:
            poller.sendto(request, (address, fleet.port))
        replies = [poller.recvfrom(2048) for _ in addresses]

    assert {peer for _, peer in replies} == {(address, fleet.port) for address in addresses}
    for reply, (address, _) in replies:
        name = "sim-" + "-".join(f"{int(part):03d}" for part in address.split(".")[1:])
        assert name.encode() in reply
