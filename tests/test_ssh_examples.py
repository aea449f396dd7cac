"""The example profiles of conf/ on devices that answer as real ones do, and what docs/ssh.md shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streampoll.config.credentials import read_credentials
from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.model import Status
from streampoll.ssh.credential import SshCredential
from streampoll.ssh.plan import SshPlan
from streampoll.ssh.platforms import PLATFORMS
from tests.docs_support import TOP, blocks, spans, text_of
from tests.ssh_support import Device, OpenSsh, bench, openssh, served

IOS = {
    "show version": "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(4)E7, RELEASE SOFTWARE\n"
    "Technical Support: http://www.cisco.com/techsupport",
    "show processes memory | include Processor": "Processor Pool Total:  450339636 Used:   73543212 Free:  376796424",
    "show ip interface brief": "Interface              IP-Address      OK? Method Status                Protocol\n"
    "Vlan1                  192.0.2.1       YES NVRAM  up                    up\n"
    "GigabitEthernet1/0/1   unassigned      YES unset  administratively down down",
}


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSsh]:
    with openssh(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def example(name: str) -> SshPlan:
    report = Report()
    found = read_profiles(TOP / "conf/profiles", "profiles", report)[name]
    assert isinstance(found, SshPlan)
    return found


async def test_the_example_of_a_router_on_a_device_that_pages(tmp_path: Path) -> None:
    async with served(Device(IOS, page_lines=2)) as r1, bench(tmp_path) as polls:
        outcome = await polls.poll(r1, example("ios"))

    assert (outcome.status, outcome.error) == (Status.OK, "")
    assert outcome.values == {"release": "15.2(4)E7", "memoryTotal": 450339636, "memoryUsed": 73543212}
    assert [row[0] for row in outcome.tables["interfaces"].rows] == ["Vlan1", "GigabitEthernet1/0/1"]


async def test_the_example_of_a_server_on_this_one(tmp_path: Path, sshd: OpenSsh) -> None:
    async with bench(tmp_path) as polls:
        outcome = await polls.poll(sshd.port, example("server"), SshCredential(sshd.user, key=sshd.key("user")))

    table = outcome.tables["filesystems"]
    assert (outcome.status, outcome.error) == (Status.OK, "")
    assert all(isinstance(outcome.values[name], float) for name in ("load1", "load5", "load15"))
    assert "/" in [row[0] for row in table.rows]
    assert table.columns == ("mount", "device", "sizeKilobytes", "usedKilobytes")


def test_the_page_names_every_platform() -> None:
    section = text_of("docs/ssh.md").partition("## Platforms")[2].partition("\n## ")[0]

    assert {span for span in spans(section) if span in PLATFORMS} == set(PLATFORMS)


def test_the_profile_and_the_credentials_of_the_page_are_right(tmp_path: Path) -> None:
    profile, routers, hosts = (text for text in blocks(text_of("docs/ssh.md"), "toml"))
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/router.toml").write_text(profile)
    (tmp_path / "credentials.toml").write_text(routers + hosts)
    report = Report()
    plan = read_profiles(tmp_path / "profiles", "profiles", report)["router"]
    credentials = read_credentials(tmp_path / "credentials.toml", "credentials.toml", {}, report)

    assert (report.faults, credentials.names()) == ([], ["routers", "hosts"])
    assert isinstance(plan, SshPlan)
    assert [command.name for command in plan.commands] == ["interfaces", "memory"]
