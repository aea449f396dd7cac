"""A device polled over HTTP as a user does it: files of a configuration, `check`, `poll`."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.http_support import Device, json_page, serving
from tests.test_http_login import WORD, Sessions

PROFILE = """
protocol = "http"
tls = false
[requests.a]
path = "/a"
scalars = { a = "v" }
"""
CREDENTIALS = """
[credentials.api]
protocol = "http"
scheme = "login"
user = "poller"
password = { env = "API_PASSWORD" }
login = { path = "/login", json = { u = "{user}", p = "{password}" } }
token = "data.token"
logout = { path = "/logout" }
"""


@pytest_asyncio.fixture
async def device() -> AsyncIterator[Device]:
    async with serving(Device()) as device:
        yield device


def configure(directory: Path, port: int, profile: str = PROFILE, credential: str = "api") -> None:
    (directory / "profiles").mkdir()
    (directory / "profiles/box.toml").write_text(profile)
    (directory / "credentials.toml").write_text(CREDENTIALS)
    (directory / "streampoll.toml").write_text('[jobs.box]\nevery = "60s"\nprofile = "box"\n')
    (directory / "inventory.csv").write_text(
        f"name,address,profile,credential,http.port\nbox-1,127.0.0.1,box,{credential},{port}\n"
    )


async def streampoll(directory: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command; return (exit code, stdout, stderr)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streampoll", *arguments, "--config", str(directory),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"API_PASSWORD": WORD, "PYTHONPATH": str(Path(__file__).parent.parent), "STREAMPOLL_LOG_LEVEL": "debug"},
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_device_is_polled_and_left_logged_out(device: Device, tmp_path: Path) -> None:
    sessions = Sessions(device)
    configure(tmp_path, device.port)

    code, out, err = await streampoll(tmp_path, "poll", "box-1", "--json")

    assert (code, json.loads(out)["values"]) == (0, {"a": 1}), err
    assert (sessions.logins, sessions.live) == (1, set())
    assert WORD not in out + err
    assert "token-1" not in out + err


async def test_a_device_without_a_credential_for_http_is_polled_without(device: Device, tmp_path: Path) -> None:
    device.on("/a", json_page({"v": 1}))
    configure(tmp_path, device.port, credential="")
    (tmp_path / "credentials.toml").write_text('[credentials.default]\ncommunity = { env = "SNMP" }\n')

    code, _, err = await streampoll(tmp_path, "poll", "box-1")

    assert (code, "authorization" in device.asked[0].headers) == (0, False), err


async def test_check_names_the_line_of_a_mistake(tmp_path: Path) -> None:
    configure(tmp_path, 1, PROFILE.replace('"v"', '"v["'))

    code, out, err = await streampoll(tmp_path, "check")

    assert code == 2
    assert "profiles/box.toml:6: requests.a.scalars.a: 'v[': Invalid jmespath expression" in out + err


async def test_check_looks_at_the_file_of_authorities(tmp_path: Path) -> None:
    configure(tmp_path, 1)
    with (tmp_path / "streampoll.toml").open("a") as file:
        file.write('[http]\ntls_ca = "/nowhere/ca.pem"\n')

    code, out, err = await streampoll(tmp_path, "check")

    assert code == 2
    assert "streampoll.toml:5: http.tls_ca: /nowhere/ca.pem can't be read" in out + err


async def test_a_worker_that_polls_no_http_does_not_import_its_libraries() -> None:
    heavy = ("httpx", "httpcore", "h2", "jmespath", "prometheus_client")
    check = f"import sys, streampoll.app.worker; print([m for m in {heavy} if m in sys.modules])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", check, stdout=asyncio.subprocess.PIPE)

    assert (await process.communicate())[0] == b"[]\n"
