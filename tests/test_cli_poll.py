"""`streampoll poll`: one device, now, as a user sees it."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.cli import run
from streampoll.embedded.fleet import FleetSettings, device_address
from tests.fleet_support import running_fleet


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A fleet whose every second device is silent."""
    with running_fleet(FleetSettings(devices=10, silent=0.5, latency_ms=(1, 1), interfaces=(3, 3))) as fleet:
        yield fleet.port


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a directory without a configuration, with the right community in one variable and a wrong in another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STREAMPOLL_CONFIG", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("RIGHT", "public")
    monkeypatch.setenv("WRONG", "s3cret-and-wrong")


def poll(*arguments: str, variable: str = "RIGHT") -> int:
    return run(["poll", *arguments, "--community-env", variable, "--timeout", "0.1"])


def answering(port: int) -> str:
    """Find a device that is not silent."""
    hosts = [f"{device_address(n)}:{port}" for n in range(10)]
    return next(host for host in hosts if poll(host) == 0)


def test_a_device_that_answers_is_shown_with_its_values_and_tables(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    host = answering(port)
    capsys.readouterr()

    assert poll(host, "--profile", "interfaces") == 0
    out = capsys.readouterr().out
    assert out.startswith("ok  ")
    assert "sysUpTime" in out
    assert "ifHCInOctets" in out


def test_json_is_one_object_with_the_rows_of_each_table_by_their_key(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    host = answering(port)
    capsys.readouterr()

    assert poll(host, "--profile", "interfaces", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert {"device", "status", "duration_ms", "error", "values", "tables"} <= said.keys()
    assert (said["device"], said["status"], said["error"]) == (host, "ok", "")
    assert [len(rows) for rows in said["tables"].values()] == [3]


def test_a_silent_device_ends_with_1_and_the_reason(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    codes = {poll(f"{device_address(n)}:{port}", "--json") for n in range(10)}

    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert codes == {0, 1}
    silent = [each for each in said if each["status"] == "timeout"]
    assert silent
    assert all("no answer" in each["error"] for each in silent)


def test_a_wrong_community_is_silence_and_is_not_shown(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    host = answering(port)
    capsys.readouterr()

    assert poll(host, variable="WRONG") == 1
    said = capsys.readouterr()
    assert "timeout" in said.out
    assert "s3cret" not in said.out + said.err


def test_a_closed_port_is_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        free = held.getsockname()[1]

    assert poll(f"127.0.0.1:{free}", "--json") == 1
    assert json.loads(capsys.readouterr().out)["status"] == "unreachable"


def test_a_name_that_nobody_knows_is_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    assert poll("no-such-host.invalid", "--json") == 1
    assert json.loads(capsys.readouterr().out)["status"] == "unreachable"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["127.0.0.1", "--profile", "sytem"], "--profile: there is no profile 'sytem'; did you mean 'system'?"),
        (["127.0.0.1:66000"], "HOST[:PORT]: '66000' is not a port; write a number from 1 to 65535"),
        (["127.0.0.1:snmp"], "HOST[:PORT]: 'snmp' is not a port; write a number from 1 to 65535"),
        (["127.0.0.1", "--credential", "x"], "two answers to one question"),
        (["127.0.0.1", "--snmp-version", "4"], "'4' is not one of '1', '2c'"),
    ],
)
def test_what_can_not_be_asked_ends_with_2_and_a_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert poll(*arguments) == 2
    assert line in capsys.readouterr().err


def test_a_variable_that_is_not_set_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert poll("127.0.0.1", variable="UNSET_VARIABLE") == 2
    assert "the variable UNSET_VARIABLE is not set" in capsys.readouterr().err


def test_without_any_credential_it_says_how_to_give_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["poll", "127.0.0.1"]) == 2
    assert "--credential: there is no credential 'default'" in capsys.readouterr().err


def test_a_name_that_is_not_in_the_inventory_is_said_to_be_taken_for_a_host(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "streampoll.toml").touch()
    (tmp_path / "inventory.csv").write_text("name,address\ncore-1,192.0.2.1\n")

    assert run(["poll", "coer-1"]) == 2
    assert "'coer-1' is no device of the inventory, so it is taken for a host" in capsys.readouterr().err

    assert run(["poll", "core-1"]) == 2
    assert "taken for a host" not in capsys.readouterr().err


def test_a_ping_needs_no_credential(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["poll", "127.0.0.1", "--profile", "ping", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"]["received"] == 3


def test_a_silent_device_says_whether_it_answers_ping(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert poll(answering(port), variable="WRONG") == 1
    assert "; it answers " in capsys.readouterr().out
