"""`worker`, `coordinator` and `up`: what is wrong with a command is one line and 2, before anything is started."""

from pathlib import Path

import pytest

from streampoll.cli import run
from streampoll.cli.up import pools_of
from streampoll.cli.worker import find_pool, parse_queues
from streampoll.config.settings import PoolSettings, Settings
from streampoll.errors import ConfigError
from streampoll.model import SERVED, QueueClass

POOLS = Settings(pools={"general": PoolSettings(), "polling": PoolSettings(queues=(QueueClass.POLLING,), processes=16)})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "streampoll.toml").write_text("[pools.general]\nprocesses = 2\n")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--pool", "genral"], "--pool: there is no pool 'genral'; did you mean 'general'?"),
        (["--queues", "poling"], "--queues: there is no queue class 'poling'; write some of polling, results,"),
        (["--queues", ","], "--queues: names no queue class"),
        (["--pool", "general", "--queues", "polling"], "--pool and --queues say the same thing twice"),
        (["--processes", "0"], "0 is not in the range"),
        (["--concurrency", "many"], "'many' is not a valid integer"),
    ],
)
def test_a_worker_that_can_not_be_is_refused(
    options: list[str], line: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["worker", "--config", str(place), *options]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", ["worker", "coordinator", "up"])
def test_a_configuration_that_is_not_there_or_broken_is_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--config", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err
    (tmp_path / "streampoll.toml").write_text("[redis]\nurl = \n")
    assert run([command, "--config", str(tmp_path)]) == 2
    assert "streampoll.toml" in capsys.readouterr().err
    (tmp_path / "streampoll.toml").write_text("[rediss]\nurl = 'x'\n")
    assert run([command, "--config", str(tmp_path)]) == 2
    assert "did you mean 'redis'" in capsys.readouterr().err


def test_a_pool_is_found_by_its_name() -> None:
    assert find_pool(POOLS, "polling").processes == 16
    with pytest.raises(ConfigError, match="there is no pool 'ssh'; known: general, polling"):
        find_pool(POOLS, "ssh")
    with pytest.raises(ConfigError, match=r"write \[pools.ssh\] in streampoll.toml"):
        find_pool(Settings(), "ssh")


def test_queue_classes_are_read_with_blanks_and_doubles() -> None:
    assert parse_queues(" polling, results,polling,") == (QueueClass.POLLING, QueueClass.RESULTS)


def test_up_runs_the_pools_of_the_configuration_or_one_for_everything() -> None:
    assert pools_of(POOLS, None) == POOLS.pools
    assert pools_of(POOLS, 3)[""].processes == 3
    assert pools_of(Settings(), None)[""].queues == SERVED
