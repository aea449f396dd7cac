"""The command line as a whole: what a user sees of errors, unknown commands and interruptions."""

import importlib.machinery
import io
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from streampoll import cli
from streampoll.errors import ConfigError, Fault, PostgresUnavailable, RedisUnavailable, UnfitServerError

StandIn = Callable[[Callable[[], object]], None]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Put a function in the place of the command `dead`."""

    def put(body: Callable[[], object]) -> None:
        module = types.ModuleType("streampoll.cli.dead")
        module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, None)
        module.command = click.command("dead")(body)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)

    return put


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


FAULTS = [Fault("inventory.csv:17", "bad address 'x'", "write an IPv4 address"), Fault("streampoll.toml: jobs", "none")]


def test_every_fault_is_one_line_and_the_exit_is_2(stand_in: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in(raising(ConfigError(FAULTS)))

    assert cli.run(["dead"]) == 2

    lines = "inventory.csv:17: bad address 'x'; write an IPv4 address\nstreampoll.toml: jobs: none\n"
    assert capsys.readouterr().err == lines


@pytest.mark.parametrize(
    ("error", "code"),
    [(RedisUnavailable("Redis is away"), 1), (UnfitServerError("Redis 5 is too old"), 2)],
)
def test_a_server_in_the_way_is_one_line(
    error: Exception, code: int, stand_in: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(raising(error))

    assert cli.run(["dead"]) == code
    assert capsys.readouterr().err == f"streampoll: {error}\n"


def test_errors_of_several_tasks_are_told_once(stand_in: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    away = [RedisUnavailable("Redis is away"), RedisUnavailable("Redis is away")]
    stand_in(raising(ExceptionGroup("tasks", [ExceptionGroup("inner", away)])))

    assert cli.run(["dead"]) == 1
    assert capsys.readouterr().err == "streampoll: Redis is away\n"


def test_a_bug_among_errors_is_not_hidden(stand_in: StandIn) -> None:
    stand_in(raising(ExceptionGroup("tasks", [RedisUnavailable("away"), ZeroDivisionError()])))

    with pytest.raises(ExceptionGroup):
        cli.run(["dead"])


def test_ctrl_c_exits_as_shells_expect(stand_in: StandIn) -> None:
    stand_in(raising(KeyboardInterrupt()))

    assert cli.run(["dead"]) == 130


@pytest.mark.parametrize("code", [0, 1])
def test_a_command_says_its_exit_code(code: int, stand_in: StandIn) -> None:
    stand_in(lambda: code)

    assert cli.run(["dead"]) == code


def test_an_unknown_command_gets_the_nearest(stand_in: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in(lambda: None)

    assert cli.run(["daed"]) == 2
    assert "there is no command 'daed'; did you mean 'dead'?" in capsys.readouterr().err


def test_a_reader_that_has_gone_is_no_error() -> None:
    command = f"{sys.executable} -c 'from streampoll.cli import main; main([\"--help\"])'"
    done = subprocess.run(["bash", "-c", f"{command} | true"], capture_output=True, text=True, timeout=30, check=False)

    assert done.stderr == ""


def test_asking_for_the_version_imports_no_command() -> None:
    code = "import sys; from streampoll import cli; cli.run(['--version']); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert "streampoll 0." in done.stdout
    assert "streampoll.cli." not in done.stdout
    assert "asyncio" not in done.stdout.split()


# -- what the command line itself is wrong in


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("results r1 --since yesterday", "--since: 'yesterday' is not a time; write 10m, 2h or 2026-01-31T08:00"),
        ("top --limit 0", "-n / --limit: 0 is not in the range 1<=x<=200"),
        ("results", "streampoll results: Missing argument 'DEVICE'; `streampoll results --help`"),
        ("run", "streampoll run: name devices, or a job by --job; `streampoll run --help`"),
        (
            "workflow resolve r s",
            "streampoll workflow resolve: say either --done or --retry; `streampoll work",
        ),
        ("dead shw", "streampoll dead: No such command 'shw'"),
        ("demo --profile interface", "--profile: there is no profile 'interface'; did you mean 'interfaces'?"),
        ("poll :161", "HOST[:PORT]: ':161' has no host; write 192.0.2.1 or 192.0.2.1:1161"),
    ],
)
def test_a_wrong_command_line_is_one_line(typed: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(typed.split()) == 2
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(line)


def test_a_group_without_a_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["dead"]) == 2
    assert "requeue" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_told_with_the_setting_that_names_it(
    stand_in: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    away = PostgresUnavailable("PostgreSQL: refused")
    away.__cause__ = ConnectionRefusedError()
    stand_in(raising(away))
    assert cli.run(["dead"]) == 1
    said = capsys.readouterr().err
    assert said == "streampoll: PostgreSQL: refused; is it up, and postgres.dsn right? (`streampoll up` brings one)\n"


# -- where it writes


def streampoll(script: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a shell's script in which `streampoll` is ours."""
    ours = f'streampoll() {{ "{sys.executable}" -m streampoll "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", ours + script], env={**os.environ, **environ}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def test_a_full_disk_is_one_line() -> None:
    done = streampoll("streampoll profile list > /dev/full")
    assert (done.returncode, done.stderr) == (1, "streampoll: stdout can't be written: No space left on device\n")


def test_a_closed_stdout_is_no_error() -> None:
    done = streampoll("streampoll profile list >&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_ascii_terminal_gets_question_marks_and_a_program_gets_every_letter(tmp_path: Path) -> None:
    # neither Python's UTF-8 mode nor its way out of the locale C: what files say is UTF-8 all the same
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    (tmp_path / "streampoll.toml").write_text("", encoding="utf-8")
    (tmp_path / "inventory.csv").write_text("name,address,site\ncore-1,127.0.0.1,Zürich\n", encoding="utf-8")
    away = {"STREAMPOLL_REDIS_URL": "redis://127.0.0.1:9/0", "STREAMPOLL_POSTGRES_DSN": "postgresql://a@127.0.0.1:9/b"}
    where = {"STREAMPOLL_CONFIG": str(tmp_path), **ascii_only, **away}
    done = streampoll("streampoll capacity --devices 100; streampoll device core-1 --json", **where)
    assert done.stderr == ""
    *text, facts = done.stdout.splitlines()
    assert any("?" in line for line in text)
    assert json.loads(facts)["site"] == "Zürich"


def test_a_narrow_terminal_hides_no_column() -> None:
    done = streampoll("streampoll profile show interfaces", COLUMNS="40")
    assert "1.3.6.1.2.1.31.1.1.1.6  " in done.stdout


@pytest.mark.parametrize(
    ("answer", "code", "said"), [("", 2, "--yes deletes without asking"), ("n\n", 1, "nothing is deleted")]
)
def test_what_is_not_agreed_to_is_not_deleted(
    answer: str, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def chosen(*_: object) -> list[str]:
        return ["letter"]

    monkeypatch.setattr("streampoll.cli.dead._chosen", chosen)
    monkeypatch.setattr("streampoll.cli.dead._purge", None)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert cli.run(["dead", "purge"]) == code
    output = capsys.readouterr()
    assert said in output.err
    assert output.out == ""
