"""The commands of bin/, in checkouts made for the test: what they say when they can't set themselves up."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with no package to install, and so none to fetch; set up by the first test that needs it."""
    tmp_path = tmp_path_factory.mktemp("checkout")
    shutil.copytree(TOP / "bin", tmp_path / "bin")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/runtime.lock").write_text("pip  # is there already\n")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "streampoll").mkdir()
    (tmp_path / "streampoll/__init__.py").touch()
    (tmp_path / "streampoll/cli.py").write_text("import sys\ndef main(): print('ran', *sys.argv[1:])\n")
    return tmp_path


def run(checkout: Path, *arguments: str, path: str | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {"HOME": str(checkout), "PATH": path or os.environ["PATH"]}
    argv = ["/bin/bash", str(checkout / "bin/streampoll"), *arguments]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)


def fake_python(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def tools_only(folder: Path) -> str:
    """Return a PATH with what the scripts call, and no Python."""
    folder.mkdir(exist_ok=True)
    for tool in ("dirname", "cat", "sha256sum", "flock", "grep", "tee", "tail", "rm", "id", "sh"):
        if not (folder / tool).exists():
            (folder / tool).symlink_to(shutil.which(tool) or "/bin/false")
    return str(folder)


def test_commands_started_together_set_up_once_then_say_nothing(checkout: Path) -> None:
    script = f"for i in 1 2 3; do {checkout}/bin/streampoll $i & done; wait"
    together = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    later = run(checkout, "a", "b c")

    said = re.findall(r"ran|\d", together.stdout)  # print writes a line in parts, which may mix
    assert sorted(said) == ["1", "2", "3", "ran", "ran", "ran"]
    assert together.stderr.count("set up in") == 1
    assert (later.stdout, later.stderr) == ("ran a b c\n", "")


def test_a_changed_lock_is_installed_and_a_bad_one_says_why(checkout: Path) -> None:
    lock = checkout / "requirements/runtime.lock"
    lock.write_text("not a requirement\n")
    failed = run(checkout)
    lock.write_text("pip  # still\n")
    mended = run(checkout)

    assert failed.returncode == 1
    assert "the packages could not be installed; the whole log is" in failed.stderr
    assert "not a requirement" in failed.stderr
    assert (mended.stdout, "set up in" in mended.stderr) == ("ran\n", True)


def test_an_environment_whose_python_is_gone_is_made_again_past_a_broken_shim(checkout: Path) -> None:
    run(checkout)
    (checkout / ".venv/bin/python").unlink()
    (checkout / ".venv/bin/python").symlink_to("/nowhere/python")
    fake_python(checkout / "shims", "python3.13", "exit 127")

    assert run(checkout, path=f"{checkout}/shims:{os.environ['PATH']}").stdout == "ran\n"


def test_an_old_python_is_named(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv", ignore_errors=True)
    fake_python(checkout / "old", "python3", '[ "$2" = "" ]')  # runs, and is not new enough
    done = run(checkout, path=f"{checkout}/old:{tools_only(checkout / 'tools')}")

    assert done.returncode == 1
    assert done.stderr == f"streampoll: needs Python 3.11 or newer; found: {checkout}/old/python3\n"


def test_a_python_without_venv_and_pip_says_what_to_install(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv", ignore_errors=True)
    fake_python(checkout / "bare", "python3", 'case "$*" in *ensurepip*|*pip*) exit 1;; esac')
    done = run(checkout, path=f"{checkout}/bare:{tools_only(checkout / 'tools')}")

    assert done.returncode == 1
    assert "bare/python3 has neither venv nor pip: apt-get install python3-venv" in done.stderr
