"""`--json`, wherever a program might read: on every command, and what those that act answer with it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from streampoll.cli import COMMANDS, group, run
from streampoll.config.load import load_jobs

Capture = pytest.CaptureFixture[str]

WITHOUT = {
    "up": "stays in the foreground, and logs",
    "coordinator": "stays in the foreground, and logs",
    "worker": "stays in the foreground, and logs",
    "api": "stays in the foreground, and logs",
    "fleet": "stays in the foreground",
    "metrics": "has Prometheus' own text",
    "completion": "prints a shell's script",
}
"""Commands without `--json`, and why. That of `send` is its arguments: it prints an id, or a result as JSON."""


def commands(path: tuple[str, ...] = (), of: click.Group = group) -> Iterator[tuple[str, click.Command]]:
    """Yield each command that can be run, with what is typed for it."""
    for name in of.list_commands(click.Context(of)):
        command = of.get_command(click.Context(of), name)
        assert command is not None
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands((*path, name), command)


def test_every_command_whose_answer_a_program_might_read_has_json() -> None:
    without = [name for name, command in commands() if not any("--json" in each.opts for each in command.params)]
    assert sorted(without) == sorted(WITHOUT)
    assert {name.split()[0] for name, _ in commands()} == set(COMMANDS)


@pytest.fixture
def place(tmp_path: Path, fresh_database: str, fresh_redis: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of one device, polled by one job; its servers are fresh."""
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", fresh_database)
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", fresh_redis)
    monkeypatch.setenv("STREAMPOLL_CONFIG", str(tmp_path))
    (tmp_path / "streampoll.toml").write_text('[jobs.fast]\nevery = "60s"\nprofile = "system"\n')
    (tmp_path / "inventory.csv").write_text("name,address\ncore-1,127.0.0.1\n")
    assert run(["migrate", "--json"]) == 0
    return tmp_path


def told(capsys: Capture, *arguments: str, code: int = 0) -> Any:
    """Run a command; return the one object that it prints."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code
    [line] = capsys.readouterr().out.splitlines()
    return json.loads(line)


def test_pauses_and_runs_answer_as_the_api_does(place: Path, capsys: Capture) -> None:
    for kind, name in (("job", "fast"), ("queue", "notifications")):
        decided = {"kind": kind, "name": name}
        assert told(capsys, kind, "pause", name) == {**decided, "paused": True}
        assert told(capsys, kind, "resume", name) == {**decided, "paused": False}
        assert told(capsys, kind, "resume", name, code=1) == {**decided, "paused": False}
    assert told(capsys, "run", "core-1") == {"added": 1, "asked": 1}
    assert told(capsys, "job", "run", "fast", code=1) == {"added": 0, "asked": 1}  # a moment ago


def test_a_token_is_in_the_object_that_made_it(place: Path, capsys: Capture) -> None:
    made = told(capsys, "token", "create", "--role", "operator")
    assert (made["id"], made["role"], made["name"], len(made["token"]) > 20) == (1, "operator", "operator", True)
    assert told(capsys, "token", "revoke", "1") == {"id": 1, "name": "operator", "revoked": True}
    assert told(capsys, "token", "revoke", "1", code=1) == {"id": 1, "name": None, "revoked": False}


def test_a_window_of_maintenance_is_the_object_that_is_listed(place: Path, capsys: Capture) -> None:
    window = told(capsys, "maintenance", "add", "--site", "zurich", "--tag", "lab", "--for", "2h")
    assert window["selector"] == {"site": ["zurich"], "tags": ["lab"]}
    assert told(capsys, "maintenance", "list") == window
    assert told(capsys, "maintenance", "end", str(window["id"])) == {"id": window["id"], "ended": True}


def test_a_new_configuration_names_its_files(tmp_path: Path, capsys: Capture) -> None:
    wrote = told(capsys, "init", str(tmp_path / "net"))["wrote"]
    assert str(tmp_path / "net" / "streampoll.toml") in wrote
    assert load_jobs(tmp_path / "net")
