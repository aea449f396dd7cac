"""No secret of SSH is seen anywhere, whatever goes wrong, with every log at DEBUG (rule 35)."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from streampoll.cli import group
from streampoll.config.secret import Secret
from streampoll.model import Outcome, Status
from streampoll.ssh.credential import JumpHost, SshCredential
from tests.config_support import write
from tests.ssh_support import ENABLE, LOGIN, PASSPHRASE, PASSWORD, Device, OpenSsh, bench, openssh, plan_of, served

WRONG = "a-wrong-guess-at-it"
SECRETS = (PASSWORD, ENABLE, PASSPHRASE, WRONG)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSsh]:
    with openssh(tmp_path_factory.mktemp("sshd")) as server:
        yield server


async def test_nothing_that_is_written_or_returned_has_a_secret(
    tmp_path: Path, sshd: OpenSsh, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = SshCredential(sshd.user, key=sshd.key("locked"), passphrase=Secret(WRONG))
    logins = [
        LOGIN,
        replace(LOGIN, password=Secret(WRONG)),
        replace(LOGIN, enable=Secret(WRONG)),
        replace(LOGIN, jump=JumpHost("127.0.0.1", replace(LOGIN, password=Secret(WRONG)), sshd.port)),
        key,
        replace(key, passphrase=Secret(PASSPHRASE)),
    ]
    outcomes: list[Outcome] = []
    async with served(Device({"show run": "hostname R1"}, secret=ENABLE)) as r1, bench(tmp_path) as polls:
        caplog.clear()  # of the imitation's beginnings
        for login in logins:
            outcomes.append(await polls.poll(r1, plan_of("cisco_ios", "show run", enable=True), login))
            outcomes.append(await polls.poll(sshd.port, plan_of("linux", "uptime"), login))
        assert {("enable", ENABLE), ("enable", WRONG)} <= set(r1.attempts)

    chatter = [record for record in caplog.records if record.name.startswith("asyncssh")]
    statuses = {outcome.status for outcome in outcomes}
    seen = "\n".join([caplog.text, repr(outcomes), repr(logins), polls.known_hosts.read_text()])
    assert not [record for record in chatter if record.levelno < logging.WARNING]  # its packets are not even dumped
    assert {Status.OK, Status.AUTH, Status.CONFIG} <= statuses
    for secret in (*SECRETS, *sshd.key("locked").reveal().splitlines()[1:3]):
        assert secret[:8] not in seen


async def test_a_device_is_polled_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    async with served(Device({"show version": "Cisco IOS Software, Version 15.2(4)E7"})) as r1:
        where = write(tmp_path, {
            "inventory.csv": f"name,address,profile,credential,ssh.port\nr1,127.0.0.1,ios,r,{r1.port}\n",
            "profiles/ios.toml": 'protocol = "ssh"\nplatform = "cisco_ios"\n'
            '[commands.version]\ncommand = "show version"\nparser = "regex"\nregex = "Version (?P<release>\\\\S+)"\n',
            "credentials.toml": '[credentials.r]\nprotocol = "ssh"\nuser = "poller"\npassword = { env = "PW" }\n',
        })  # fmt: skip
        monkeypatch.setenv("PW", PASSWORD)
        arguments = ["poll", "r1", "--config", str(where), "--json"]
        done = await asyncio.to_thread(CliRunner().invoke, group, arguments)

    assert (done.exit_code, json.loads(done.stdout)["values"]) == (0, {"release": "15.2(4)E7"})
    assert (where / "known_hosts").read_text().startswith(f"[127.0.0.1]:{r1.port} ")
