"""Discovery: networks, proposals, and a fleet that is found."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streampoll.cli import run
from streampoll.config.load import load_inventory, load_settings
from streampoll.config.profile_port import PollPlan
from streampoll.discovery.networks import Networks
from streampoll.discovery.probe import Alive, Found, Prober, Refused
from streampoll.discovery.proposal import propose
from streampoll.discovery.sweep import sweep
from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.errors import ConfigError
from streampoll.model import Outcome, Status, Target
from streampoll.ping.icmp import may_ping
from streampoll.ping.port import Echo
from streampoll.snmp.plan import CollectPlan
from tests.fleet_support import running_fleet
from tests.waiting import eventually


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        (["192.0.2.0/30"], ["192.0.2.1", "192.0.2.2"]),
        (["192.0.2.4/31"], ["192.0.2.4", "192.0.2.5"]),
        (["192.0.2.9", "2001:db8::7"], ["192.0.2.9", "2001:db8::7"]),
        (["192.0.2.0/29", "192.0.2.2/31", "192.0.2.0/29"], [f"192.0.2.{n}" for n in range(1, 7)]),
        (["2001:db8::/126"], ["2001:db8::1", "2001:db8::2", "2001:db8::3"]),
        (["192.0.2.5/30"], ["192.0.2.5", "192.0.2.6"]),
    ],
)
def test_each_address_comes_once(given: list[str], addresses: list[str]) -> None:
    networks = Networks(given)
    assert (list(networks), networks.count) == (addresses, len(addresses))


@pytest.mark.parametrize("given", [["192.0.2.0/33"], ["lab"], ["10.0.0.0/7"], ["2001:db8::/64"]])
def test_what_is_no_network_or_too_large_is_refused(given: list[str]) -> None:
    with pytest.raises(ConfigError, match="CIDR"):
        Networks(given)


# -- proposals


def found(address: str, object_id: str = "1.3.6.1.4.1.9.1.1", name: str = "r", engine_id: bytes = b"") -> Found:
    return Found(address, "core", object_id, name, "a router", engine_id)


PROFILES: dict[str, PollPlan] = {
    "interfaces": CollectPlan("interfaces"),
    "cisco": CollectPlan("cisco", suits=((1, 3, 6, 1, 4, 1, 9),)),
    "asa": CollectPlan("asa", suits=((1, 3, 6, 1, 4, 1, 9, 1, 669), (1, 3, 6, 1, 4, 1, 9, 1, 745))),
}


@pytest.mark.parametrize(
    ("object_id", "profile", "vendor"),
    [
        ("1.3.6.1.4.1.9.1.516", "cisco", "cisco"),
        ("1.3.6.1.4.1.9.1.745", "asa", "cisco"),
        ("1.3.6.1.4.1.99999.1", "interfaces", ""),
        ("1.3.6.1.4.1.2636.1.1.1.2.25", "interfaces", "juniper"),
        ("0.0", "interfaces", ""),
        ("", "interfaces", ""),
    ],
)
def test_the_profile_that_suits_most_of_the_object_id_is_proposed(object_id: str, profile: str, vendor: str) -> None:
    [proposal] = propose([found("192.0.2.1", object_id)], PROFILES)
    assert (proposal.profile, proposal.vendor) == (profile, vendor)


def test_a_device_that_answers_at_several_addresses_is_one() -> None:
    same = [found(address, engine_id=b"e1") for address in ("192.0.2.10", "192.0.2.9")]
    other = found("192.0.2.1", name="s", engine_id=b"e1")  # a vendor that ships one engine ID
    proposals = propose([*same, other], PROFILES)
    assert [(each.name, each.found.address, each.also) for each in proposals] == [
        ("s", "192.0.2.1", ()),
        ("r", "192.0.2.9", ("192.0.2.10",)),
    ]


def test_names_are_unique_and_never_empty() -> None:
    devices = [found("192.0.2.1", name="SW"), found("192.0.2.2", name="sw"), found("192.0.2.3", name=""),
               found("192.0.2.4", name="old\n1")]  # fmt: skip
    assert [each.name for each in propose(devices, PROFILES, taken=["sw"])] == [
        "SW-192.0.2.1", "sw-192.0.2.2", "192.0.2.3", "old 1",
    ]  # fmt: skip


# -- one address


class Echoes:
    """A pinger: who is there is what the test says."""

    method = "icmp"

    def __init__(self, alive: set[str]) -> None:
        self.alive = alive

    async def ask(self, address: str, timeout_s: float) -> Echo:
        return Echo(0.001 if address in self.alive else None)

    async def close(self) -> None:
        pass


OK = Outcome(Status.OK, values={"sysObjectID": "1.3.6.1.4.1.9.1.1", "sysName": b"r\xff1", "snmpEngineID": b"\x80"})
SILENT, CLOSED = Outcome(Status.TIMEOUT, "no answer"), Outcome(Status.UNREACHABLE, "port unreachable")
WRONG = Outcome(Status.AUTH, "unknown user")


@pytest.mark.parametrize(
    ("outcomes", "answer", "asked"),
    [
        ([SILENT, OK], Found("192.0.2.1", "b", "1.3.6.1.4.1.9.1.1", "r\ufffd1", "", b"\x80"), "ab"),
        ([SILENT, SILENT], Alive("192.0.2.1"), "ab"),
        ([WRONG, SILENT], Refused("192.0.2.1", "unknown user"), "ab"),
        ([CLOSED, OK], Alive("192.0.2.1"), "a"),
    ],
)
async def test_credentials_are_tried_in_turn(outcomes: list[Outcome], answer: object, asked: str) -> None:
    tried: list[str] = []

    async def ask(_: Target, __: CollectPlan, name: str, ___: float) -> Outcome:
        tried.append(name)
        return outcomes[len(tried) - 1]

    prober = Prober(ask, "ab", Echoes({"192.0.2.1"}), 0, 1.0, 1.0)
    assert (await prober.probe("192.0.2.1"), "".join(tried)) == (answer, asked)
    assert (await prober.probe("192.0.2.2"), "".join(tried)) == (None, asked)


async def test_a_sweep_asks_no_faster_and_no_more_at_once_than_told() -> None:
    at_once, most, seen = 0, 0, []

    async def probe(address: str) -> Alive:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return Alive(address)

    began = asyncio.get_running_loop().time()
    await sweep(map(str, range(60)), probe, lambda address, _: seen.append(address), rate_per_s=600, at_once=5)
    assert asyncio.get_running_loop().time() - began > 0.08
    assert (most, sorted(seen, key=int)) == (5, [str(n) for n in range(60)])


# -- the command, on a fleet


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running_fleet(FleetSettings(devices=30, silent=0.0, latency_ms=(1, 1), interfaces=(2, 2))) as fleet:
        yield fleet.port


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a configuration with a right and a wrong credential."""
    (tmp_path / "streampoll.toml").write_text('[paths]\ninventory = ["found.csv"]\n')
    (tmp_path / "credentials.toml").write_text(
        '[credentials.right]\ncommunity = { env = "RIGHT" }\n[credentials.wrong]\ncommunity = { env = "WRONG" }\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIGHT", "public")
    monkeypatch.setenv("WRONG", "s3cret")
    monkeypatch.delenv("STREAMPOLL_CONFIG", raising=False)
    return tmp_path


def discover(port: int, *arguments: str) -> int:
    return run(["discover", f"{device_address(0)}/27", "--port", str(port), "--timeout", "0.2", "--retries", "0",
                "--credential", "wrong", "--credential", "right", *arguments])  # fmt: skip


def test_a_fleet_is_found_and_its_inventory_polls(port: int, where: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert discover(port, "-o", "found.csv") == 0
    out = capsys.readouterr().out
    addresses = set(Networks([f"{device_address(0)}/27"]))
    assert f"{len(addresses)} new devices; written to found.csv" in out
    devices = load_inventory(where, load_settings(where, os.environ))
    assert {device.address for device in devices} == addresses
    assert {(device.credential, device.port) for device in devices} == {("right", port)}
    assert run(["poll", devices[0].name]) == 0


def test_what_the_inventory_has_is_not_proposed_again(
    port: int, where: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    discover(port, "-o", "found.csv")
    rows = list(csv.reader((where / "found.csv").read_text().splitlines()))
    (where / "found.csv").write_text("\n".join(",".join(row) for row in rows[:4]) + "\n")
    capsys.readouterr()
    assert discover(port, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["answered"] - len(said["devices"]), said["complete"]) == (3, True)
    assert not {row[1] for row in rows[1:4]} & {device["address"] for device in said["devices"]}


def test_nothing_found_is_said_and_ends_with_1(where: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["discover", "127.0.0.1/32", "--port", "9", "--credential", "right", "--timeout", "0.1"]) == 1
    assert "0 new devices" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["10.0.0.0/33", "--credential", "right"], "CIDR…: '10.0.0.0/33' is not a network"),
        (["127.0.0.1", "--credential", "rihgt"], "there is no credential 'rihgt'"),
        (["127.0.0.1", "--credential", "right", "-o", "streampoll.toml"], "streampoll.toml exists"),
        (["127.0.0.1", "--credential", "right", "-o", "no/found.csv"], "there is no directory no"),
        (["127.0.0.1", "--credential", "right", "--force", "-o", "./found.csv"], "found.csv is part of the inventory"),
        (["127.0.0.1"], "there is no credential 'default'"),
    ],
)
def test_what_can_not_be_done_is_refused_before_anything_is_sent(
    where: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--force" in arguments:
        (where / "found.csv").write_text("name,address\nr1,127.0.0.1\n")
    assert run(["discover", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_an_interrupted_run_keeps_what_it_found(port: int, where: Path) -> None:
    command = [sys.executable, "-m", "streampoll", "discover", f"{device_address(0)}/16", "--port", str(port),
               "--credential", "right", "--rate", "200", "-o", "found.csv", "--json"]  # fmt: skip
    with subprocess.Popen(command, cwd=where, stdout=subprocess.PIPE, text=True) as process:
        try:
            eventually(lambda: _is_asking(process.pid), deadline_s=20)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    said = json.loads(out)
    assert (process.returncode, said["complete"]) == (130, False)
    assert len((where / "found.csv").read_text().splitlines()) == 1 + len(said["devices"])


def _is_asking(pid: int) -> bool:
    """Tell whether a process has the epoll descriptors of its loop, of the pinger and of SNMP."""
    with suppress(FileNotFoundError):  # a descriptor that was closed meanwhile
        polls = [fd for fd in Path(f"/proc/{pid}/fd").iterdir() if "eventpoll" in os.readlink(fd)]
        return len(polls) >= 2 + may_ping()
    return False
