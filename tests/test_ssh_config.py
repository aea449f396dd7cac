"""Profiles and credentials of protocol "ssh": what they become, and the mistakes that are found in them."""

import subprocess
import sys
from pathlib import Path

import pytest

from streampoll.config.credentials import Credentials, read_credentials
from streampoll.config.load import load_settings
from streampoll.config.profiles import read_profiles
from streampoll.config.report import Report
from streampoll.config.secret import Secret
from streampoll.errors import ConfigError
from streampoll.ssh.credential import JumpHost, SshCredential
from streampoll.ssh.plan import Channel, Command, Field, Format, SshPlan, Type
from tests.config_support import faults_in, notices_in, write

HEAD = 'protocol = "ssh"\nplatform = "cisco_ios"\n'


def plan(directory: Path, text: str, **others: str) -> SshPlan:
    plans = compiled(directory, text, others)[0]
    assert isinstance(plans["mine"], SshPlan)
    return plans["mine"]


def faults(directory: Path, text: str) -> list[str]:
    return [str(fault) for fault in compiled(directory, HEAD + text, {})[1].faults]


def compiled(directory: Path, text: str, others: dict[str, str]) -> tuple[dict[str, object], Report]:
    for name, each in {"mine": text, **others}.items():
        (directory / f"{name}.toml").write_text(each)
    report = Report()
    return dict(read_profiles(directory, "profiles", report)), report


def test_a_profile_becomes_a_plan(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
        enable = true
        [commands.version]
        command = "show version"
        [commands.brief]
        command = "show ip interface brief"
        parser = "textfsm"
        key = "interface"
        [commands.memory]
        command = "show processes memory"
        parser = "regex"
        regex = 'Total: (?P<total>\\d+)'
        scalars = { memoryTotal = { value = "total", type = "integer" } }
        timeout_s = "1m"
    """
    )

    assert plan(tmp_path, text) == SshPlan("mine", "cisco_ios", Channel.SHELL, (
        Command("version", "show version"),
        Command("brief", "show ip interface brief", Format.TEXTFSM, tabular=True, key="interface"),
        Command("memory", "show processes memory", Format.REGEX, r"Total: (?P<total>\d+)",
                (Field("memoryTotal", "total", Type.INTEGER),), timeout_s=60.0),
    ), enable=True)  # fmt: skip


def test_groups_that_are_not_listed_are_taken_as_text(tmp_path: Path) -> None:
    text = '[commands.a]\ncommand = "show a"\nparser = "regex"\nregex = "(?P<x>.)(?P<y>.)"\n'
    listed = plan(tmp_path, HEAD + text).commands[0]
    table = plan(tmp_path, HEAD + text + 'key = "x"\n').commands[0]

    assert listed.values == table.columns == (Field("x", "x"), Field("y", "y"))
    assert (listed.tabular, table.tabular) == (False, True)


def test_profiles_extend_one_another(tmp_path: Path) -> None:
    base = HEAD + 'enable = true\n[commands.a]\ncommand = "show a"\n[commands.b]\ncommand = "show b"\n'
    mine = plan(tmp_path, 'protocol = "ssh"\nextends = ["base"]\nenable = false\n[commands.b]\ncommand = "show c"\n',
                base=base)  # fmt: skip

    assert [command.line for command in mine.commands] == ["show a", "show c"]
    assert (mine.platform, mine.enable) == ("cisco_ios", False)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "runs no command"),
        ("[commands]\n", "runs no command"),
        ('[commands.a]\ncommand = "reload"\n', "mine.toml:4: commands.a.command: 'reload' may change the device"),
        ('[commands.a]\ncommand = "show a | redirect flash:a"\n', "after a pipe it may have"),
        ('[commands.a]\ncommand = ""\n', "is empty or too long"),
        ('[commands.a]\ncommand = "show a"\nparser = "textfms"\n', "did you mean 'textfsm'?"),
        ('[commands.a]\ncommand = "show nonsense"\nparser = "textfsm"\n', "has no template for 'show nonsense'"),
        ('[commands.a]\ncommand = "show a"\nparser = "textfsm"\ntemplate = "Start"\n', "is no TextFSM template"),
        ('[commands.a]\ncommand = "show a"\nparser = "regex"\nregex = "(a"\n', "mine.toml:6: commands.a.regex"),
        ('[commands.a]\ncommand = "show a"\nparser = "regex"\nregex = "a"\n', "has no named group"),
        ('[commands.a]\ncommand = "show a"\nregex = "(?P<x>a)"\n', 'write parser = "regex"'),
        (
            ('[commands.a]\ncommand = "show a"\nparser = "regex"\nregex = "(?P<x>a)"\nscalars = { v = "y" }\n'),
            "has no group 'y'",
        ),
        ('[commands.a]\ncommand = "show a"\nkey = "x"\n', "raw output has no fields"),
        ('[commands.a]\ncommand = "show a"\nparser = "json"\n', "name scalars or columns"),
        ('[commands.a]\ncommand = "show a"\ntimout_s = 5\n', "did you mean 'timeout_s'?"),
        ('channel = "telnet"\n[commands.a]\ncommand = "show a"\n', "mine.toml:3: channel"),
        (
            (
                '[commands.a]\ncommand = "show a"\n'
                '[commands.b]\ncommand = "show b"\nparser = "regex"\nregex = "(?P<a>b)"\n'
            ),
            "value 'a' is already that of command 'a'",
        ),
        (
            '[commands.a]\ncommand = "show a"\nparser = "json"\nkey = "z"\ncolumns = { x = "x" }\n',
            "'z' is no column",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    assert any(fault in each for each in faults(tmp_path, text)), faults(tmp_path, text)


def test_a_platform_that_is_unknown_or_missing(tmp_path: Path) -> None:
    unknown = compiled(tmp_path, 'protocol = "ssh"\nplatform = "cisco_iso"\n', {})[1].faults
    missing = compiled(tmp_path, 'protocol = "ssh"\n[commands.a]\ncommand = "show a"\n', {})[1].faults

    assert "did you mean 'cisco_ios'?" in str(unknown[0])
    assert "'platform' is missing" in str(missing[0])


def test_a_command_that_is_meant_to_change_something_is_allowed_by_name(tmp_path: Path) -> None:
    text = HEAD + 'allow_config = true\n[commands.a]\ncommand = "clear counters"\n'

    assert plan(tmp_path, text).commands[0].line == "clear counters"


# -- credentials

ENV = {"PW": "the-password", "EN": "the-enable", "JP": "the-bastion"}


def credentials(directory: Path, text: str) -> tuple[Credentials, Report]:
    path, report = directory / "credentials.toml", Report()
    path.write_text(f'[credentials.r]\nprotocol = "ssh"\n{text}')
    return read_credentials(path, "credentials.toml", ENV, report), report


def test_a_user_with_a_jump_host(tmp_path: Path) -> None:
    made, report = credentials(
        tmp_path,
        'user = "u"\npassword = { env = "PW" }\nenable = { env = "EN" }\n'
        '[credentials.r.jump]\nhost = "bastion"\nport = 2222\nuser = "j"\npassword = { env = "JP" }\n',
    )
    jump = JumpHost("bastion", SshCredential("j", password=Secret("the-bastion")), 2222)

    assert report.faults == []
    assert made["r"] == SshCredential("u", Secret("the-password"), enable=Secret("the-enable"), jump=jump)
    assert "the-" not in repr(made["r"])


def test_an_agent_and_a_key_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("KEY\n")
    (tmp_path / "key").chmod(0o600)
    made, _ = credentials(tmp_path, 'user = "u"\nagent = "/run/agent"\nkey = { file = "key" }\n')

    assert made["r"] == SshCredential("u", key=Secret("KEY"), agent="/run/agent")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('user = "u"\n', "has nothing to log in with"),
        ('password = { env = "PW" }\n', "'user' is missing"),
        ('user = "u"\npassword = { env = "PW" }\npassphrase = { env = "EN" }\n', "passphrase: goes with a key"),
        ('user = "u"\npasword = { env = "PW" }\n', "did you mean 'password'?"),
        ('user = "u"\npassword = { env = "PW" }\n[credentials.r.jump]\nuser = "j"\n', "jump: 'host' is missing"),
        ('user = "u"\npassword = { env = "PW" }\njump = "bastion"\n', "jump: 'bastion' is not a table"),
        ('user = "u"\nagent = 5\n', "names no ssh-agent"),
    ],
)
def test_a_mistake_in_a_credential_is_named(tmp_path: Path, text: str, fault: str) -> None:
    found = [str(each) for each in credentials(tmp_path, text)[1].faults]

    assert any(fault in each for each in found), found


def test_a_secret_that_is_empty_is_said(tmp_path: Path) -> None:
    made, _ = credentials(tmp_path, 'user = "u"\npassword = { env = "NONE" }\n')

    with pytest.raises(ConfigError, match="NONE"):
        made["r"]


# -- settings


def test_known_hosts_stands_beside_the_configuration(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, {}), {}).ssh.known_hosts == str(tmp_path / "known_hosts")


def test_an_interval_that_no_session_outlives_is_noticed(tmp_path: Path) -> None:
    files = {
        "profiles/mine.toml": HEAD + '[commands.a]\ncommand = "show a"\n',
        "streampoll.toml": '[jobs.a]\nevery = "15m"\nprofile = "mine"\n',
    }

    assert any("each poll logs in anew" in each for each in notices_in(tmp_path, files))
    files["streampoll.toml"] += '[ssh]\nidle_s = "20m"\n'
    assert not any("logs in anew" in each for each in notices_in(tmp_path, files))


def test_a_process_that_polls_nothing_over_ssh_imports_none_of_it() -> None:
    heavy = ("asyncssh", "textfsm", "ntc_templates")
    check = f"import sys, streampoll.app.worker; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_device_has_settings_of_its_own(tmp_path: Path) -> None:
    inventory = "name,address,ssh.legacy,ssh.max_sessions,ssh.port\nold,192.0.2.1,true,0,99999\n"

    assert any("ssh.port" in each for each in faults_in(tmp_path, {"inventory.csv": inventory}))
