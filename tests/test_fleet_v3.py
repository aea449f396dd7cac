"""The fleet in SNMPv3: read by net-snmp's own tools and by the wire engine, each device an engine of its own."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.embedded.fleet import FleetSettings, device_address
from streampoll.embedded.fleet.process import spawn
from streampoll.model import Status
from streampoll.snmp.ber import encode_oid
from streampoll.snmp.client import WireEngine
from streampoll.snmp.credential import AuthProtocol, PrivProtocol, UsmUser
from streampoll.snmp.engine import Agent, Failure, Limits, Reply
from streampoll.snmp.message import PduType, Request
from tests.fleet_support import RunningFleet, running_fleet

WORD = "a-fleet-passphrase"
KEY = Secret(WORD)
FLEET = UsmUser("fleet", AuthProtocol.SHA256, KEY, PrivProtocol.AES128, KEY)
NAME, UPTIME = encode_oid((1, 3, 6, 1, 2, 1, 1, 5, 0)), encode_oid((1, 3, 6, 1, 2, 1, 1, 3, 0))
GET = Request(PduType.GET, (NAME, UPTIME))
SETTINGS = FleetSettings(latency_ms=(0, 2), v3_passphrase=WORD)


@pytest.fixture(scope="module")
def fleet() -> Iterator[RunningFleet]:
    with running_fleet(SETTINGS) as fleet:
        yield fleet


def net_snmp(tool: str, port: int, directory: Path, *arguments: str) -> list[str]:
    """Run one of net-snmp's tools; its own configuration file has the passphrases."""
    (directory / "snmp.conf").write_text(
        "defVersion 3\ndefSecurityName fleet\ndefSecurityLevel authPriv\ndefAuthType SHA-256\ndefPrivType AES\n"
        f"defPassphrase {WORD}\n"
    )
    environment = os.environ | {"SNMPCONFPATH": str(directory), "SNMP_PERSISTENT_DIR": str(directory / "persistent")}
    done = subprocess.run(
        [tool, "-m", "", "-On", f"127.1.0.1:{port}", *arguments], env=environment, capture_output=True, text=True,
        timeout=30, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


async def ask(engine: WireEngine, port: int, index: int = 0, user: UsmUser = FLEET) -> Reply | Failure:
    agent = Agent((device_address(index), port), user, Limits(timeout_s=3.0))
    return await engine.request(agent, GET, asyncio.get_running_loop().time() + 10)


def test_net_snmp_gets_and_walks_a_device(fleet: RunningFleet, tmp_path: Path) -> None:
    (name,) = net_snmp("snmpget", fleet.port, tmp_path, "1.3.6.1.2.1.1.5.0")
    rows = net_snmp("snmpbulkwalk", fleet.port, tmp_path, "1.3.6.1.2.1.2.2.1.2")
    assert name.startswith(".1.3.6.1.2.1.1.5.0 = STRING: ")
    assert len(rows) >= 4


async def test_each_device_is_an_engine_of_its_own(fleet: RunningFleet) -> None:
    engine = WireEngine(SnmpSettings())
    results = [await asyncio.gather(*(ask(engine, fleet.port, index) for index in range(200))) for _ in range(2)]
    await engine.close()
    names = [{str(reply.varbinds[0][2]) for reply in replies if isinstance(reply, Reply)} for replies in results]
    assert [len(each) for each in names] == [200, 200]
    assert (engine.counters.discoveries, engine.counters.shared_engine_ids, engine.counters.resyncs) == (200, 0, 0)


async def test_reboots_cost_a_request_and_no_poll() -> None:
    engine = WireEngine(SnmpSettings())
    with running_fleet(FleetSettings(latency_ms=(0, 2), v3_passphrase=WORD, reboot_every_s=3.0)) as fleet:
        async with asyncio.timeout(20):
            while engine.counters.resyncs < 5:
                results = await asyncio.gather(*(ask(engine, fleet.port, index) for index in range(20)))
                assert all(isinstance(result, Reply) for result in results), results
    await engine.close()


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (UsmUser("fleet", AuthProtocol.SHA256, Secret("another-one"), PrivProtocol.AES128, KEY), "wrong digest"),
        (UsmUser("fleet", AuthProtocol.SHA256, KEY, PrivProtocol.AES128, Secret("another-one")), "decryption error"),
        (UsmUser("nobody", AuthProtocol.SHA256, KEY), "unknown user"),
        (UsmUser("fleet"), "unsupported security level"),
    ],
    ids=["auth_key", "priv_key", "user", "level"],
)
async def test_what_is_wrong_with_a_user_is_reported(fleet: RunningFleet, user: UsmUser, words: str) -> None:
    engine = WireEngine(SnmpSettings())
    result = await ask(engine, fleet.port, user=user)
    await engine.close()
    assert isinstance(result, Failure)
    assert (result.status, result.reason.startswith(words)) == (Status.AUTH, True)


def test_garbage_is_counted() -> None:
    with running_fleet(SETTINGS) as fresh:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for data in (b"\x30\x03\x02\x01\x03", b"\x30\x05\x02\x01\x03\x30\x00", b"\x30"):
                sock.sendto(data, ("127.1.0.1", fresh.port))
            sock.settimeout(0.2)
            with pytest.raises(TimeoutError):
                sock.recv(1)
        assert fresh.stop()["malformed"] == 3


def test_the_passphrase_is_not_in_argv_or_reprs() -> None:
    how = spawn(SETTINGS)
    assert WORD not in " ".join(how.arguments) + repr(SETTINGS)
