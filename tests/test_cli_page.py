"""docs/cli.md, and completion, are of the commands that there are."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from streampoll.cli import COMMANDS, group, names, run
from streampoll.cli.page import page
from streampoll.config.jobs import Job

TOP = Path(__file__).resolve().parent.parent


def test_the_page_of_commands_is_of_the_commands() -> None:
    stale = (TOP / "docs/cli.md").read_text() != page()
    assert not stale, "run: python -m streampoll.cli.page > docs/cli.md"


def test_every_command_is_on_it() -> None:
    assert [name for name in COMMANDS if f"\n## {name}\n" not in page()] == []


@pytest.mark.parametrize(
    ("shell", "part"), [("bash", "complete -o nosort"), ("zsh", "#compdef streampoll"), ("fish", "complete --no-files")]
)
def test_a_shell_gets_its_script(shell: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert part in capsys.readouterr().out


def test_bash_is_offered_what_begins_so() -> None:
    words = {"COMP_WORDS": "streampoll sta", "COMP_CWORD": "1", "_STREAMPOLL_COMPLETE": "bash_complete"}
    command = [sys.executable, "-m", "streampoll"]
    done = subprocess.run(command, env={**os.environ, **words}, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.splitlines() == ["plain,stats"]


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], set[str]]:
    """What is offered for the last word, in a configuration of three devices and two jobs."""
    (tmp_path / "streampoll.toml").write_text('[jobs.fast]\nevery = "60s"\n[jobs.slow]\nevery = "1h"\n')
    (tmp_path / "inventory.csv").write_text("name,address\ncore-1,10.0.0.1\ncore-2,10.0.0.2\nedge-1,10.0.0.3\n")
    monkeypatch.setenv("STREAMPOLL_CONFIG", str(tmp_path))
    shell = ShellComplete(group, {}, "streampoll", "_STREAMPOLL_COMPLETE")

    def offers(typed: str) -> set[str]:
        *before, last = typed.split(" ")
        return {each.value for each in shell.get_completions(before, last)}

    return offers


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("sta", {"stats"}),
        ("top --by fa", {"failing"}),
        ("results co", {"core-1", "core-2"}),
        ("run core-1 co", {"core-2"}),
        ("maintenance add --device ed", {"edge-1"}),
        ("job pause ", {"fast", "slow"}),
        ("profile show hostr", {"hostresources"}),
    ],
)
def test_what_is_typed_is_completed(typed: str, names: set[str], offered: Callable[[str], set[str]]) -> None:
    assert offered(typed) == names


def test_of_a_configuration_with_faults_nothing_is_offered_and_nothing_said(
    offered: Callable[[str], set[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "streampoll.toml").write_text("[jobs.fast\n")
    assert offered("job pause ") == set()
    assert capsys.readouterr() == ("", "")


def test_the_tab_key_never_writes_into_the_prompt(
    offered: Callable[[str], set[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def notices(_: Path) -> tuple[Job, ...]:
        logging.getLogger("streampoll.config.load").warning("replaces the shipped one")
        return (Job("fast", every_s=60),)

    def breaks(_: Path) -> tuple[Job, ...]:
        raise ValueError("a bug")

    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a shell: only Python's last resort is left
    monkeypatch.setattr(names, "load_jobs", notices)
    assert offered("job pause ") == {"fast"}
    monkeypatch.setattr(names, "load_jobs", breaks)
    assert offered("job pause ") == set()
    assert capsys.readouterr() == ("", "")
    assert logging.getLogger().isEnabledFor(logging.WARNING)


def test_a_command_that_has_commands_of_its_own_has_its_options_on_it() -> None:
    [events] = re.findall(r"(?ms)^## events$.*?^### ", page())
    assert "| `--open` | Only what is wrong now. |" in events
    assert "```sh\nstreampoll events --open" in events


def test_the_page_has_nothing_that_belongs_to_help() -> None:
    assert "\b" not in page()
