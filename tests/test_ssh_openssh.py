"""Against a real OpenSSH server: keys, passphrases, certificates, an agent, a jump host, exec channels and a shell."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streampoll.config.secret import Secret
from streampoll.model import Status
from streampoll.ssh.credential import JumpHost, SshCredential
from streampoll.ssh.jump import Jump
from streampoll.ssh.plan import Channel, Command, Field, Format, SshPlan, Type
from streampoll.ssh.port import SshFailure
from tests.ssh_support import PASSPHRASE, Device, OpenSsh, bench, openssh, plan_of, served
from tests.waiting import eventually_async

PLAN = plan_of("linux", "cat /proc/sys/kernel/ostype")
LINUX = {"cat /proc/sys/kernel/ostype": "Linux\n"}


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSsh]:
    """An sshd for all tests of this file."""
    with openssh(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def by_key(sshd: OpenSsh, name: str = "user") -> SshCredential:
    return SshCredential(sshd.user, key=sshd.key(name))


async def test_commands_run_on_exec_channels_of_one_connection(sshd: OpenSsh, tmp_path: Path) -> None:
    load = Command("load", "cat /proc/loadavg", Format.REGEX, r"^(?P<one>\S+) ", (Field("load1", "one", Type.NUMBER),))
    plan = SshPlan("test", "linux", Channel.EXEC, (*PLAN.commands, load, Command("none", "ls /none-such")))
    async with bench(tmp_path) as polls:
        outcome = await polls.poll(sshd.port, plan, by_key(sshd))

    assert (outcome.status, outcome.requests) == (Status.PARTIAL, 3)
    assert {**LINUX, "load1": outcome.values["load1"]} == outcome.values
    assert isinstance(outcome.values["load1"], float)
    assert outcome.missing["none"].startswith("exit status 2: ls:")


async def test_a_shell_is_learned_and_kept(sshd: OpenSsh, tmp_path: Path) -> None:
    plan = plan_of("vyatta_vyos", "echo one", "cat /none-such")
    async with bench(tmp_path) as polls:
        outcomes = [await polls.poll(sshd.port, plan, by_key(sshd)) for _ in range(2)]

    assert [outcome.values["echo one"] for outcome in outcomes] == ["one", "one"]


async def test_a_key_with_a_passphrase(sshd: OpenSsh, tmp_path: Path) -> None:
    login = replace(by_key(sshd, "locked"), passphrase=Secret(PASSPHRASE))
    async with bench(tmp_path) as polls:
        outcome = await polls.poll(sshd.port, PLAN, login)

    assert outcome.values == LINUX


async def test_a_wrong_passphrase_is_a_mistake_of_configuration(sshd: OpenSsh, tmp_path: Path) -> None:
    login = replace(by_key(sshd, "locked"), passphrase=Secret("not-the-phrase"))
    async with bench(tmp_path) as polls:
        outcome = await polls.poll(sshd.port, PLAN, login)

    assert (outcome.status, "can't be used" in outcome.error) == (Status.CONFIG, True)
    assert "not-the-phrase" not in outcome.error


async def test_a_certificate_lets_in_where_its_key_does_not(sshd: OpenSsh, tmp_path: Path) -> None:
    certificate = Secret((sshd.directory / "certified-cert.pub").read_text())
    async with bench(tmp_path) as polls:
        without = await polls.poll(sshd.port, PLAN, by_key(sshd, "certified"))
        outcome = await polls.poll(sshd.port, PLAN, replace(by_key(sshd, "certified"), certificate=certificate))

    assert (without.status, outcome.status) == (Status.AUTH, Status.OK)


async def test_an_agent_signs(sshd: OpenSsh, tmp_path: Path, agent: str) -> None:
    environ = {**os.environ, "SSH_AUTH_SOCK": agent}
    await asyncio.to_thread(
        subprocess.run, ["ssh-add", "-q", sshd.directory / "user"], env=environ, check=True, capture_output=True
    )
    async with bench(tmp_path) as polls:
        outcome = await polls.poll(sshd.port, PLAN, SshCredential(sshd.user, agent=agent))

    assert (outcome.status, outcome.values) == (Status.OK, LINUX)


async def test_an_agent_that_is_not_there_is_a_login_refused(sshd: OpenSsh, tmp_path: Path) -> None:
    async with bench(tmp_path) as polls:
        outcome = await polls.poll(sshd.port, PLAN, SshCredential(sshd.user, agent=str(tmp_path / "none")))

    assert outcome.status is Status.AUTH


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The socket of an ssh-agent of our own."""
    path = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL) as process:
        try:
            while not path.exists():
                assert process.poll() is None
            yield str(path)
        finally:
            process.terminate()


async def test_devices_behind_a_jump_host_share_one_connection_to_it(sshd: OpenSsh, tmp_path: Path) -> None:
    bastion = Device()
    plan = plan_of("linux", "uptime")
    async with served(bastion), served(Device({"uptime": "up\n"})) as r1, served(Device({"uptime": "up\n"})) as r2:
        async with bench(tmp_path) as polls:
            outcomes = [await polls.poll(each, plan, _through(bastion)) for each in (r1, r2, r1)]
            assert [outcome.status for outcome in outcomes] == [Status.OK] * 3
            assert (bastion.logins, r1.logins, r2.logins) == (1, 1, 1)

            bastion.connections[0].abort()
            again = await polls.poll(r1, plan, _through(bastion))
        await eventually_async(lambda: bastion.open + r1.open + r2.open == 0)

    assert (again.status, bastion.logins) == (Status.OK, 2)


async def test_a_jump_host_is_left_with_the_last_device_behind_it(tmp_path: Path) -> None:
    bastion = Device()
    async with served(bastion), served(Device({"uptime": "up\n"})) as r1, bench(tmp_path) as polls:
        await polls.poll(r1, plan_of("linux", "uptime"), _through(bastion), max_sessions=0)
        await eventually_async(lambda: bastion.open == 0)
        outcome = await polls.poll(r1, plan_of("linux", "uptime"), _through(bastion), max_sessions=0)

    assert outcome.status is Status.OK


async def test_openssh_is_a_jump_host(sshd: OpenSsh, tmp_path: Path) -> None:
    jump = JumpHost("127.0.0.1", by_key(sshd), sshd.port)
    async with bench(tmp_path) as polls:
        outcome = await polls.poll(sshd.port, PLAN, replace(by_key(sshd), jump=jump))

    assert outcome.values == LINUX


@pytest.mark.parametrize("password", ["wrong-at-the-bastion", None])
async def test_what_is_wrong_with_a_jump_host_is_said_of_it(tmp_path: Path, password: str | None) -> None:
    bastion = Device()
    login = _through(bastion)
    async with served(Device({"uptime": "up\n"})) as r1, bench(tmp_path) as polls:
        if password is None:  # it is not there at all
            outcome = await polls.poll(r1, plan_of("linux", "uptime"), login)
        else:
            async with served(bastion):
                login = _through(bastion, password)
                outcome = await polls.poll(r1, plan_of("linux", "uptime"), login)

    assert outcome.status is (Status.AUTH if password else Status.REFUSED)
    assert outcome.error.startswith("jump host: ")


async def test_a_jump_host_that_refuses_is_not_tried_by_each_device_behind_it(tmp_path: Path) -> None:
    bastion = Device(keyboard=False)
    plan = plan_of("linux", "uptime")
    async with served(bastion), bench(tmp_path) as polls:
        wrong = _through(bastion, "wrong-at-the-bastion")
        outcomes = await asyncio.gather(*(polls.poll(port, plan, wrong) for port in range(10_001, 10_021)))
        later = await polls.poll(10_030, plan, wrong)

    assert {outcome.error for outcome in (*outcomes, later)} == {outcomes[0].error}
    assert bastion.attempts == [("password", "wrong-at-the-bastion")]


async def test_a_jump_host_that_is_back_is_used_again() -> None:
    async def refused() -> Any:
        raise SshFailure(Status.REFUSED, "closed")

    async def made() -> Any:
        return "a connection"

    jump = Jump(rest_s=0.0)
    with pytest.raises(SshFailure, match="jump host: closed"):
        await jump.reach(refused)

    assert await jump.reach(made) == "a connection"


def _through(bastion: Device, password: str | None = None) -> SshCredential:
    from streampoll.embedded.places import free_port
    from tests.ssh_support import LOGIN

    login = replace(LOGIN, password=Secret(password)) if password else LOGIN
    return replace(LOGIN, jump=JumpHost("127.0.0.1", login, bastion.port or free_port()))
