"""The example of docs/custom-pollers.md: installed as a package, checked, and run by `streampoll poll` and a worker."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.custom_support import ups_daemon

TOP = Path(__file__).resolve().parent.parent
EXAMPLE = TOP / "docs/examples/nut-ups"
PASSWORD = "s3cret-of-the-rack"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the example is installed, without a network."""
    place = tmp_path_factory.mktemp("packages")
    options = ["--no-index", "--no-build-isolation", "--no-deps", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(place), str(EXAMPLE)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"})
    return place


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A configuration with a UPS."""
    (tmp_path / "streampoll.toml").write_text("[jobs.power]\nevery = 60\n")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/rack-ups.toml").write_text('protocol = "nut-ups"\n[options]\nups = "rack1"\n')
    (tmp_path / "credentials.toml").write_text(
        '[credentials.ups]\nprotocol = "nut-ups"\nuser = "monitor"\npassword = "env:UPS_PASSWORD"\n'
    )
    return tmp_path


async def streampoll(place: Path, installed: Path, *arguments: str, password: str = PASSWORD) -> tuple[int, str, str]:
    paths = os.pathsep.join([str(installed), str(TOP)])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streampoll", *arguments, "--config", str(place),
        env={**os.environ, "PYTHONPATH": paths, "UPS_PASSWORD": password}, stdout=-1, stderr=-1,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


def inventory(place: Path, port: int) -> None:
    lines = f"name,address,port,profile,credential\nups-1,127.0.0.1,{port},rack-ups,ups\n"
    (place / "inventory.csv").write_text(lines)


async def test_the_example_polls_a_ups(place: Path, installed: Path) -> None:
    async with ups_daemon(password=PASSWORD) as port:
        inventory(place, port)
        code, out, err = await streampoll(place, installed, "poll", "ups-1", "--json")

    said: dict[str, Any] = json.loads(out)
    assert (code, err) == (0, "")
    assert said["status"] == "ok"
    assert said["values"] == {"battery.charge": 98.0, "ups.status": "OL", "ups.model": "Smart 3000"}


async def test_a_wrong_password_is_told_and_not_shown(place: Path, installed: Path) -> None:
    async with ups_daemon(password=PASSWORD) as port:
        inventory(place, port)
        code, out, err = await streampoll(place, installed, "poll", "ups-1", "--json", password="wrong-one")

    assert (code, json.loads(out)["status"], json.loads(out)["error"]) == (1, "auth", "ERR ACCESS-DENIED")
    assert "wrong-one" not in out + err


async def test_check_knows_the_poller_where_it_is_installed(place: Path, installed: Path, tmp_path: Path) -> None:
    inventory(place, 3493)
    code, out, err = await streampoll(place, installed, "check")
    assert (code, "ok: 1 device" in out) == (0, True), err

    code, _, err = await streampoll(place, tmp_path / "nothing", "check")
    assert code == 2
    assert "profiles/rack-ups.toml:1: protocol: no protocol 'nut-ups'" in err


async def test_a_secret_in_the_options_is_refused(place: Path, installed: Path) -> None:
    inventory(place, 3493)
    (place / "profiles/rack-ups.toml").write_text('protocol = "nut-ups"\n[options]\npassword = "hunter2"\n')

    code, _, err = await streampoll(place, installed, "check")

    assert code == 2
    assert "options.password: a secret does not belong in a profile; put it in credentials.toml" in err
    assert "hunter2" not in err


def test_the_guide_shows_the_example_as_it_is() -> None:
    page = (TOP / "docs/custom-pollers.md").read_text()

    assert (EXAMPLE / "nut_ups.py").read_text() in page
    assert (EXAMPLE / "pyproject.toml").read_text() in page
