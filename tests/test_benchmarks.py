"""The benchmarks: each says what it is, and tiny runs give the figures that are promised under `--json`."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks import queue, soak
from benchmarks.__main__ import benchmark_names, split
from benchmarks.contenders.ground import Sample
from benchmarks.peers import ratios
from benchmarks.rig.environments import MissingPeer, peer_environment
from benchmarks.rig.roles import Roles, spent
from tests.waiting import eventually

TOP = Path(__file__).resolve().parent.parent
OURS = ("codec", "endtoend", "peers", "queue", "scale", "silent", "soak", "store")


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=120, check=False)


def test_every_benchmark_of_the_rig_is_listed() -> None:
    assert set(OURS) <= set(benchmark_names())


@pytest.mark.parametrize("name", OURS)
def test_a_benchmark_says_what_it_is_and_takes_json(name: str) -> None:
    done = bench(name, "--help")

    assert done.returncode == 0, done.stderr
    assert {"--json", "--plots"} <= set(done.stdout.replace(",", " ").split())


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that the user of an embedded PostgreSQL may enter; pytest's are closed."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o711)
        yield Path(made)


def test_a_benchmark_that_is_killed_leaves_nothing_behind(open_directory: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "endtoend", "--load", "get10", "--rate", "50"]
    environ = {**os.environ, "TMPDIR": str(open_directory), "BENCHMARK": str(open_directory)}
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.DEVNULL, env=environ) as process:
        eventually(lambda: any("streampoll worker" in each for each in processes_of(open_directory)), 60)
        process.kill()
    eventually(lambda: not processes_of(open_directory), 60)
    assert not list(open_directory.iterdir())


def processes_of(mark: Path) -> list[str]:
    """Return the commands of processes that have this in their environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"BENCHMARK={mark}\0".encode() in (each / "environ").read_bytes():
                found.append((each / "cmdline").read_text().replace("\0", " "))
    return found


def test_a_name_that_is_none_is_refused_with_those_there_are() -> None:
    done = bench("codec", "endtoned", "--json")

    assert done.returncode == 2
    assert "'endtoned'" in done.stderr
    assert "endtoend" in done.stderr


def test_names_come_before_options() -> None:
    assert split(["store", "codec", "--json", "--rounds", "2"]) == (["store", "codec"], ["--json", "--rounds", "2"])


def test_endtoend_gives_the_figures_that_are_promised() -> None:
    done = bench(
        "endtoend", "--load", "get10", "--rate", "20", "--interval", "5", "--seconds", "3", "--warm", "0", "--json"
    )

    [line] = done.stdout.splitlines()
    said = json.loads(line)
    assert said["benchmark"] == "endtoend", done.stderr
    metrics = said["metrics"]
    promised = {"devices_per_minute", "lateness_p99_s", "missing", "duplicates", "varbinds_per_s", "cpu_us_per_device"}
    assert promised <= metrics.keys()
    assert metrics["cpu_us_per_device"].keys() == {"coordinator", "worker", "redis", "postgres", "fleet"}
    assert (metrics["missing"], metrics["duplicates"], metrics["requests_per_device"]) == (0, 0, 1.0)


def test_several_benchmarks_give_a_line_each() -> None:
    done = bench("store", "codec", "--rounds", "1", "--json", "--help")

    assert done.stdout.count("usage:") == 2


def test_a_ratio_is_of_devices_for_each_second_of_cpu() -> None:
    ours = [Sample(10, 1_000, {"coordinator": 0.1, "worker": 0.4, "redis": 0.3, "postgres": 0.2})]
    theirs = [Sample(10, 100, {"worker": 2.0}), Sample(10, 100, {"worker": 2.0})]

    found = ratios({"streampoll": ours, "celery": theirs})

    assert found == {"celery": {"everything": 20.0, "own_processes": 40.0}}


def test_a_peer_that_can_not_be_installed_is_missing_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\npeer-none = ["./is-not-there"]\n')
    monkeypatch.setattr("benchmarks.rig.environments.TOP", tmp_path)

    with pytest.raises(MissingPeer, match="none can't be installed"):
        peer_environment("none")


def test_cpu_of_a_role_counts_its_children_that_have_ended() -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))']); print(); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        used = spent({}, Roles({"work": [process.pid], "none": []}).cpu_s())
        process.stdin.close()

    assert used["work"] > 0.1
    assert used["none"] == 0


def test_what_has_run_is_counted_where_the_task_notes_it(tmp_path: Path) -> None:
    tally = queue.Tally(tmp_path / "tally", 3)
    script = f"import sys; sys.path.insert(0, {str(queue.APPS)!r}); import tally; tally.done(1.5); tally.done(2.5)"
    subprocess.run([sys.executable, "-c", script], env={"TALLY": str(tally.path)}, check=True)

    assert tally.count() == 2
    assert [sent for _, sent in tally.records()] == [1.5, 2.5]


def test_growth_is_seen_against_the_third_before() -> None:
    looks = [
        {"minutes": n, "leaking_mb": 100 + 10 * n, "steady_mb": 100 + n % 2, "few_descriptors": n} for n in range(9)
    ]

    found = soak.growth(looks)

    assert {name: each["flat"] for name, each in found.items()} == {
        "leaking_mb": False, "steady_mb": True, "few_descriptors": True,
    }  # fmt: skip
