"""The command line as a whole: what a user sees of errors, unknown commands and interruptions."""

import importlib.machinery
import subprocess
import sys
import types
from collections.abc import Callable

import click
import pytest

from streampoll import cli
from streampoll.errors import ConfigError, Fault, RedisUnavailable, UnfitServerError

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
