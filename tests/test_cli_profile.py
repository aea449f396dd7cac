"""`streampoll profile`: listed, shown, compiled, imported; and what was made polls a real agent."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streampoll.cli import run
from tests.exporter_support import FILES
from tests.mib_support import MIBS
from tests.snmp_support import COMMUNITY, SnmpdAgent

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a configuration without profiles of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIBDIRS", raising=False)
    monkeypatch.setenv("STREAMPOLL_CONFIG", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("SNMP", COMMUNITY)
    (tmp_path / "streampoll.toml").write_text('[jobs.a]\nevery = "60s"\nprofile = "system"\n')
    (tmp_path / "profiles").mkdir()
    return tmp_path


def profile(*arguments: object) -> int:
    return run(["profile", *map(str, arguments)])


def answer(capsys: Capture) -> Any:
    return json.loads(capsys.readouterr().out)


def answers(capsys: Capture) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# -- list, show


def test_every_profile_is_listed_with_where_it_is_from(here: Path, capsys: Capture) -> None:
    (here / "profiles/mine.toml").write_text('extends = ["system"]\n')
    (here / "profiles/ucd.toml").write_text('extends = ["system"]\n')
    assert profile("list", "--json") == 0
    rows = {row["profile"]: row for row in answers(capsys)}
    assert rows["interfaces"]["origin"] == "built-in"
    assert rows["mine"] == {"profile": "mine", "protocol": "snmp", "collects": "7 scalars", "origin": "configuration"}
    assert rows["ucd"]["origin"] == "configuration, in the place of the built-in"
    assert rows["ping"]["protocol"] == "ping"


def test_the_list_needs_no_configuration(here: Path, capsys: Capture) -> None:
    (here / "streampoll.toml").unlink()
    assert profile("list") == 0
    assert "interfaces" in capsys.readouterr().out


def test_a_profile_is_shown_with_what_it_extends(here: Path, capsys: Capture) -> None:
    (here / "profiles/mine.toml").write_text(
        'extends = ["system"]\n[scalars]\nx = { oid = "1.3.6.1.4.1.9.0", unit = "%" }\n'
    )
    assert profile("show", "mine") == 0
    out = capsys.readouterr().out
    assert "sysUpTime" in out
    assert "1.3.6.1.4.1.9.0" in out
    assert "unit %" in out


def test_json_of_a_profile_has_its_words_and_dotted_oids(capsys: Capture) -> None:
    assert profile("show", "interfaces", "--json") == 0
    shown = answer(capsys)
    columns = {column["name"]: column for column in shown["tables"][0]["columns"]}
    assert (shown["profile"], shown["protocol"], shown["tables"][0]["key"]) == ("interfaces", "snmp", "ifName")
    assert columns["ifHCInOctets"]["oid"] == "1.3.6.1.2.1.31.1.1.1.6"
    assert columns["ifHCInOctets"]["type"] == "counter"
    assert columns["ifAdminStatus"]["enum"]["1"] == "up"


@pytest.mark.parametrize("name", ["interfaces", "entity", "hostresources", "ucd", "ping"])
def test_every_built_in_can_be_shown(name: str, capsys: Capture) -> None:
    assert profile("show", name) == 0
    assert capsys.readouterr().out.strip()


def test_a_profile_that_there_is_none_of_gets_the_nearest(capsys: Capture) -> None:
    assert profile("show", "interface") == 2
    assert capsys.readouterr().err == "NAME: there is no profile 'interface'; did you mean 'interfaces'?\n"


# -- compile


def test_a_compiled_profile_goes_to_stdout_or_to_a_file(here: Path, capsys: Capture) -> None:
    (here / "p.toml").write_text("[scalars]\nplantTemperature = {}\n")
    assert profile("compile", "p.toml", "--mibs", MIBS) == 0
    text = capsys.readouterr().out
    assert profile("compile", "p.toml", "--mibs", MIBS, "-o", "profiles/plant.toml") == 0
    assert (here / "profiles/plant.toml").read_text() == text
    assert 'oid = "1.3.6.1.4.1.99999.7.1.1.0"' in text


def test_several_are_written_to_a_directory(here: Path, capsys: Capture) -> None:
    for name in ("a.toml", "b.toml"):
        (here / name).write_text("[scalars]\noldName = {}\n")
    assert profile("compile", "a.toml", "b.toml", "--mibs", MIBS, "-o", "profiles", "--json") == 0
    assert [(each["source"], each["wrote"]) for each in answers(capsys)] == [
        ("a.toml", "profiles/a.toml"), ("b.toml", "profiles/b.toml"),
    ]  # fmt: skip
    assert sorted(path.name for path in (here / "profiles").iterdir()) == ["a.toml", "b.toml"]


def test_nothing_is_written_when_a_name_is_wrong(here: Path, capsys: Capture) -> None:
    (here / "a.toml").write_text("[scalars]\noldName = {}\n")
    (here / "b.toml").write_text("[scalars]\noldNam = {}\n")
    assert profile("compile", "a.toml", "b.toml", "--mibs", MIBS, "-o", "profiles") == 2
    assert list((here / "profiles").iterdir()) == []
    err = capsys.readouterr().err
    assert err.startswith("b.toml:2: scalars.oldNam: no MIB module in ")
    assert "did you mean oldName" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["gone.toml"], "gone.toml: no such file"),
        (["p.toml", "--mibs", "gone"], "--mibs: gone is no directory"),
        (["p.toml", "p.toml", "-o", "gone"], "--output: gone is no directory"),
        (["p.toml", "-o", "p.toml/x"], "p.toml/x: can't be written"),
    ],
)
def test_bad_input_is_one_line(here: Path, capsys: Capture, arguments: list[str], complaint: str) -> None:
    (here / "p.toml").write_text("[scalars]\noldName = { oid = '1.3.6.1' }\n")
    assert profile("compile", *arguments) == 2
    assert capsys.readouterr().err.startswith(complaint)


def test_without_the_extra_it_says_what_to_install(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tomlkit", None)
    (here / "p.toml").write_text("[scalars]\noldName = {}\n")
    assert profile("compile", "p.toml") == 2
    assert capsys.readouterr().err == "profile compile: tomlkit is not installed; pip install 'streampoll[mibs]'\n"


# -- import


def test_modules_become_files_of_the_configuration(here: Path, capsys: Capture) -> None:
    assert profile("import", FILES / "modules.yml") == 0
    assert {"if_mib.toml", "wireless.toml"} <= {path.name for path in (here / "profiles").iterdir()}
    output = capsys.readouterr()
    assert "# [credentials.public_v2]" in output.out
    assert "hush" not in output.out + output.err
    assert "modules.if_mib.max_repetitions" in output.err
    assert profile("show", "if_mib") == 0


def test_one_module_may_be_chosen_and_printed(here: Path, capsys: Capture) -> None:
    assert profile("import", FILES / "modules.yml", "--module", "wireless", "-o", "-") == 0
    output = capsys.readouterr()
    assert "bsnAPName" in output.out
    assert "ifName" not in output.out
    assert output.err == ""


def test_json_has_what_was_made_and_what_could_not_be_taken_over(here: Path, capsys: Capture) -> None:
    chosen = ("--module", "if_mib", "--json")
    assert profile("import", FILES / "modules.yml", "-o", "-", *chosen) == 0
    printed = answer(capsys)
    assert profile("import", FILES / "modules.yml", "-o", "made", *chosen) == 0
    written = answer(capsys)
    [made] = written["profiles"]
    assert made == {"module": "if_mib", "wrote": "made/if_mib.toml", "text": None}
    assert (here / "made/if_mib.toml").read_text() == printed["profiles"][0]["text"]
    assert any("modules.if_mib.max_repetitions" in note for note in written["notes"])
    assert "# [credentials.public_v2]" in written["credentials"]


def test_a_file_that_is_there_is_not_replaced_unless_asked_to(here: Path, capsys: Capture) -> None:
    (here / "profiles/wireless.toml").write_text("# mine\n")
    assert profile("import", FILES / "modules.yml", "--module", "wireless") == 2
    assert "is there already" in capsys.readouterr().err
    assert (here / "profiles/wireless.toml").read_text() == "# mine\n"
    assert profile("import", FILES / "modules.yml", "--module", "wireless", "--force") == 0
    assert "bsnAPName" in (here / "profiles/wireless.toml").read_text()


def test_a_module_that_there_is_none_of_gets_the_nearest(capsys: Capture) -> None:
    assert profile("import", FILES / "modules.yml", "--module", "if_mb") == 2
    assert "has no module 'if_mb'; did you mean 'if_mib'?" in capsys.readouterr().err


def test_without_a_configuration_a_directory_must_be_named(here: Path, capsys: Capture) -> None:
    (here / "streampoll.toml").unlink()
    assert profile("import", FILES / "modules.yml") == 2
    assert capsys.readouterr().err.startswith("--output: there is no streampoll.toml in ")


# -- against a real agent


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnmpdAgent]:
    """net-snmp's agent with two commands in NET-SNMP-EXTEND-MIB, whose index is a text."""
    extra = "extend weather /bin/echo 21 degrees\nextend tide /bin/echo high\n"
    with SnmpdAgent(tmp_path_factory.mktemp("snmpd"), extra=extra) as running:
        yield running


def polled(agent: SnmpdAgent, name: str, capsys: Capture) -> Any:
    capsys.readouterr()
    code = run(["poll", f"127.0.0.1:{agent.port}", "--profile", name, "--community-env", "SNMP", "--json"])
    answered = answer(capsys)
    assert code == 0, answered
    return answered


def snmpget(agent: SnmpdAgent, oid: str) -> str:
    command = ["snmpget", "-v2c", "-c", COMMUNITY, "-Oqvn", f"127.0.0.1:{agent.port}", oid]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip().strip('"')


def test_a_compiled_profile_collects_what_its_names_mean(here: Path, agent: SnmpdAgent, capsys: Capture) -> None:
    (here / "p.toml").write_text(
        '[scalars]\nname = { oid = "SNMPv2-MIB::sysName" }\nloopback = { oid = "ifDescr.1" }\n'
        '[tables.interfaces]\nkey = "ifDescr"\n'
        "[tables.interfaces.columns]\nifDescr = {}\nifMtu = {}\nifHCInOctets = {}\n"
    )
    assert profile("compile", "p.toml", "--mibs", MIBS, "-o", "profiles/named.toml") == 0
    answered = polled(agent, "named", capsys)
    assert answered["status"] == "ok"
    assert answered["values"] == {"name": "agent-under-test", "loopback": "lo"}
    assert str(answered["tables"]["interfaces"]["lo"]["ifMtu"]) == snmpget(agent, ".1.3.6.1.2.1.2.2.1.4.1")
    assert answered["tables"]["interfaces"]["lo"]["ifIndex"] == 1


def test_a_text_in_an_index_is_what_the_agent_calls_its_row(here: Path, agent: SnmpdAgent, capsys: Capture) -> None:
    (here / "p.toml").write_text(
        '[tables.commands]\nkey = "spExtendToken"\n'
        "[tables.commands.columns]\nspExtendOutput = {}\nspExtendResult = {}\n"
    )
    assert profile("compile", "p.toml", "--mibs", MIBS, "-o", "profiles/extend.toml") == 0
    rows = polled(agent, "extend", capsys)["tables"]["commands"]
    assert rows["weather"]["spExtendOutput"] == "21 degrees"
    assert rows["tide"]["spExtendResult"] == 0


def test_an_imported_module_collects_what_snmp_exporter_would(here: Path, agent: SnmpdAgent, capsys: Capture) -> None:
    assert profile("import", FILES / "modules.yml", "--module", "if_mib") == 0
    answered = polled(agent, "if_mib", capsys)
    row = answered["tables"]["interfaces"]["lo"]
    assert answered["values"]["ifNumber"] == int(snmpget(agent, ".1.3.6.1.2.1.2.1.0"))
    assert row["ifIndex"] == 1
    assert row["ifOperStatus"] == 1
    assert isinstance(row["ifHCInOctets"], int)
