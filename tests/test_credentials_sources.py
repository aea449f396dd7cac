"""Where a secret may be kept, in both ways to write it; and what a vault's program may do wrong."""

import os
import sys
from pathlib import Path

import pytest

from streampoll.config.credentials import names_of
from streampoll.config.inventory import read_inventory
from streampoll.config.keeping import Keeping, SecretSource
from streampoll.config.report import Report
from streampoll.config.secret import Secret
from streampoll.config.secret_command import CommandFailed, run_for_secret
from streampoll.snmp.credential import Community
from tests.config_support import faults_of
from tests.test_config_credentials import faults, read, secret_file
from tests.waiting import eventually

SECRET = "hunter2-and-more"


@pytest.mark.parametrize(
    "kept",
    [
        "{ env = 'C' }",
        "'env:C'",
        "{ file = 'c' }",
        "'file:c'",
        "{ systemd = 'c' }",
        "'systemd:c'",
        "{ command = ['./vault', 'read', 'snmp core'] }",
        "\"command:./vault read 'snmp core'\"",
    ],
)
def test_a_secret_is_found_where_it_is_said_to_be(tmp_path: Path, kept: str) -> None:
    secret_file(tmp_path / "c", f"{SECRET}\n")
    program(tmp_path / "vault", f'[ "$1 $2 $#" = "read snmp core 2" ] && echo {SECRET} && echo and more')
    credentials, report = read(
        tmp_path, f"[credentials.default]\ncommunity = {kept}", {"C": SECRET, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    )

    assert not report.faults
    assert credentials["default"] == Community(Secret(SECRET))


@pytest.mark.parametrize("text", ["public", "environment", "env-C", " env:C", "https://x"])
def test_a_text_that_begins_otherwise_is_the_secret(tmp_path: Path, text: str) -> None:
    credentials, _ = read(tmp_path, f"[credentials.default]\ncommunity = '{text}'", mode=0o600)

    assert credentials["default"] == Community(Secret(text))


def test_a_secret_that_looks_like_a_place_is_written_as_a_table(tmp_path: Path) -> None:
    text = "[credentials.default]\ncommunity = { text = 'env:C' }"

    assert read(tmp_path, text, mode=0o600)[0]["default"] == Community(Secret("env:C"))
    assert "mode 0644" in faults(tmp_path, text)[0]


@pytest.mark.parametrize("text", ["env:", f"env:{SECRET}", "systemd:a/b", "file:", "command:", f"command:'{SECRET}"])
def test_a_place_that_can_not_be_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    [fault] = faults(tmp_path, f'[credentials.default]\ncommunity = "{text}"')

    assert f"begins with '{text.partition(':')[0]}:' and does not go on as that should" in fault
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    "kept",
    ["{ command = 'vault read' }", "{ command = [] }", "{ command = ['a', 5] }", "{ command = ['a'], output = 'x' }"],
)
def test_a_command_is_a_list_of_words(tmp_path: Path, kept: str) -> None:
    [fault] = faults(tmp_path, f"[credentials.default]\ncommunity = {kept}")

    assert 'command = ["vault", "read", "…"]' in fault


def test_all_of_a_commands_output_is_the_secret_if_it_is_said_so(tmp_path: Path) -> None:
    program(tmp_path / "vault", "printf 'one\\ntwo\\n'")
    text = "[credentials.default]\ncommunity = { command = ['./vault'], output = 'whole' }"

    assert read(tmp_path, text)[0]["default"] == Community(Secret("one\ntwo"))


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (f"echo {SECRET}; echo {SECRET} >&2; exit 3", "vault ended with exit code 3"),
        ("kill -9 $$", "vault died of signal 9"),
        ("true", "vault wrote nothing"),
        ("echo", "vault wrote nothing"),
        ("printf '\\351\\n'", "what vault wrote is not UTF-8 text"),
        (f"yes {SECRET}", "vault wrote more than 64 KiB"),
    ],
)
def test_a_program_that_brings_no_secret_is_one_line_without_what_it_wrote(
    tmp_path: Path, script: str, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    program(tmp_path / "vault", script)
    credentials, _ = read(tmp_path, f"[credentials.default]\ncommunity = {{ command = ['./vault', '{SECRET}'] }}")
    [line] = faults_of(lambda: credentials["default"])

    assert line.startswith(f"credential 'default': {fault}")
    assert "hunter2" not in line + "".join(capfd.readouterr())


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    credentials, _ = read(tmp_path, "[credentials.default]\ncommunity = 'command:./gone'")
    [line] = faults_of(lambda: credentials["default"])

    assert "gone can't be run: No such file" in line


@pytest.mark.parametrize("script", ["sleep 60", "sleep 60 &", "exec >&-; sleep 60"])
def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path, script: str) -> None:
    program(tmp_path / "vault", f"echo $$ > group; {script}")

    with pytest.raises(CommandFailed, match=r"vault took longer than 0.5 s"):
        run_for_secret(["./vault"], os.environ, tmp_path, 0.5)

    group = int((tmp_path / "group").read_text())
    eventually(lambda: not in_group(group))


def test_the_secret_is_in_no_argument_of_the_program(tmp_path: Path) -> None:
    seen = f"import sys; print(open('/proc/self/cmdline').read().count('{SECRET[:3]}' + '{SECRET[3:]}'))"

    assert run_for_secret([sys.executable, "-c", seen], {"TOKEN": SECRET}, tmp_path) == b"0\n"


def test_a_source_shows_no_secret() -> None:
    source = SecretSource("literal", literal=Secret(SECRET))

    assert "hunter2" not in repr(source)
    assert Keeping(Path(), {}).fetch(source, "x").reveal() == SECRET


@pytest.mark.parametrize(
    ("text", "names"),
    [("", ("default",)), ("a", ("a",)), ("a,b", ("a", "b")), ("b, a b", ("b", "a")), (" a  b ,", ("a", "b"))],
)
def test_a_device_names_credentials_in_the_order_to_try_them(text: str, names: tuple[str, ...]) -> None:
    assert names_of(text) == names


def test_a_name_that_a_list_could_not_hold_is_refused(tmp_path: Path) -> None:
    [fault] = faults(tmp_path, "[credentials.'a b']\ncommunity = { env = 'C' }")

    assert "'a b' is not a credential's name; write it without blanks and commas" in fault


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("i.csv", 'name,address,credential\nx,10.0.0.1,"a, b"\n'),
        ("i.csv", "name,address,credential\nx,10.0.0.1,a b\n"),
        ("i.yaml", "- {name: x, address: 10.0.0.1, credential: [a, b]}"),
        ("i.json", '[{"name": "x", "address": "10.0.0.1", "credential": ["a", "b"]}]'),
        ("i.toml", "[[devices]]\nname = 'x'\naddress = '10.0.0.1'\ncredential = ['a', 'b']"),
    ],
)
def test_a_device_may_name_several_in_every_format(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    report = Report()
    [device] = read_inventory([name], tmp_path, report)

    assert (names_of(device.credential), report.faults) == (("a", "b"), [])


def test_a_list_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "i.yaml").write_text("- {name: x, address: 10.0.0.1, credential: [a, 5]}")
    report = Report()

    assert not read_inventory(["i.yaml"], tmp_path, report)
    assert "credential: ['a', 5] is not allowed" in str(report.faults[0])


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def in_group(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return not all(zombie(pid) for pid in members(group))


def members(group: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == group:
                found.append(int(entry.name))
        except ProcessLookupError:
            continue
    return found


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
