"""A host that has run out of files says so of itself, and calls no device down for it."""

import asyncio
import errno
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from streampoll.config.settings import PingSettings
from streampoll.errors import want_of
from streampoll.model import Outcome, Status, Target
from streampoll.ping.plan import Method, PingPlan
from streampoll.pollers.ping import PingPoller
from tests import http_support, ssh_support

WANT = "this host has no files left for a connection; raise its limit (LimitNOFILE)"


@pytest_asyncio.fixture
async def no_files(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Have every new socket refused, as it is at the limit of open files."""

    class Refused(socket.socket):
        def __init__(self, *_: object, **__: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", Refused)
    yield


async def over_ssh(directory: Path) -> Outcome:
    async with ssh_support.bench(directory) as polls:
        return await polls.poll(22, ssh_support.plan_of("linux", "uptime"))


async def over_http(_: Path) -> Outcome:
    plan = http_support.plan('tls = false\n[requests.a]\npath = "/"\nscalars = { a = "a" }\n')
    async with http_support.polling() as poller:
        return await http_support.poll(poller, http_support.Device(port=80), plan)


async def over_tcp(_: Path) -> Outcome:
    poller = PingPoller(PingSettings())
    deadline = asyncio.get_running_loop().time() + 5
    return await poller.poll(Target("r1", "127.0.0.1", 0, "p", "", {}), PingPlan("p", Method.TCP), None, deadline)


@pytest.mark.parametrize("poll", [over_ssh, over_http, over_tcp])
async def test_a_device_is_not_called_down_for_it(
    poll: Callable[[Path], Awaitable[Outcome]], tmp_path: Path, no_files: None
) -> None:
    outcome = await poll(tmp_path)

    assert outcome.status is Status.ERROR
    assert outcome.error.endswith(WANT)


@pytest.mark.parametrize("error", [ConnectionRefusedError(errno.ECONNREFUSED, "x"), OSError("no number"), ValueError()])
def test_what_the_network_says_is_no_want_of_ours(error: Exception) -> None:
    assert want_of(error) == ""


def test_a_supervisor_may_open_as_many_files_as_its_user_may() -> None:
    program = (
        "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (256, 900));"
        "from streampoll.cli.supervise import allow_files; allow_files(); print(r.getrlimit(r.RLIMIT_NOFILE))"
    )
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 900
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "(900, 900)"
