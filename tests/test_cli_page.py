"""docs/cli.md, and completion, are of the commands that there are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streampoll.cli import COMMANDS, run
from streampoll.cli.page import page

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


@pytest.mark.parametrize(
    ("typed", "offered"), [("streampoll sta", "plain,stats"), ("streampoll top --by fa", "plain,failing")]
)
def test_what_is_typed_is_completed(typed: str, offered: str) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_STREAMPOLL_COMPLETE": "bash_complete"}
    command = [sys.executable, "-m", "streampoll"]
    done = subprocess.run(command, env={**os.environ, **words}, capture_output=True, text=True, timeout=30, check=False)
    assert offered in done.stdout.splitlines()


def test_a_command_that_has_commands_of_its_own_has_its_options_on_it() -> None:
    [events] = re.findall(r"(?ms)^## events$.*?^### ", page())
    assert "| `--open` | Only what is wrong now. |" in events
    assert "```sh\nstreampoll events --open" in events


def test_the_page_has_nothing_that_belongs_to_help() -> None:
    assert "\b" not in page()
