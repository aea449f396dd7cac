"""In which step polls time out, as the polling handler counts it; devices are real servers."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streampoll.model import Outcome, Status, Target
from streampoll.ping.port import Echo
from streampoll.pollers import ping as ping_poller
from streampoll.pollers.handler import PollHandler, PollPorts
from streampoll.results.codec import encode_payload
from tests.http_support import Device as Server
from tests.http_support import plan, poll, polling
from tests.ssh_support import Device, bench, plan_of, served
from tests.test_ping import PLAN, ScriptedPinger
from tests.test_ping import poll as ping
from tests.test_pollers_handler import delivered, handled

SYSTEM = '[requests.system]\npath = "/system"\nscalars = { name = "name" }\n'


async def counted(protocol: str, outcome: Outcome) -> dict[str, int]:
    """Return how the handler counts an outcome's time-out."""
    outcome.protocol = protocol

    async def answer(_: Target, __: float) -> Outcome:
        return outcome

    async def close() -> None:
        pass

    handler = PollHandler(PollPorts(answer, encode_payload, lambda: 1_000_000.0, "w1", close))
    await handled(handler, delivered())
    assert outcome.status is Status.TIMEOUT
    return {name: count for name, count in handler.counted().items() if name.startswith("poll_timeouts")}


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port at which the kernel takes connections, and nobody says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose queue is full: the kernel drops what would open another connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for each in waiting:
            each.close()


async def test_http_that_is_not_connected() -> None:
    with deaf_port() as port:  # nobody speaks TLS
        async with polling() as poller:
            outcome = await poll(poller, Server(port=port), plan(SYSTEM), connect_timeout_s=0.1)

    assert await counted("http", outcome) == {"poll_timeouts|http|connect": 1}


async def test_http_that_is_not_answered() -> None:
    with deaf_port() as port:
        async with polling() as poller:
            outcome = await poll(poller, Server(port=port), plan(f"tls = false\n{SYSTEM}"), read_timeout_s=0.1)

    assert await counted("http", outcome) == {"poll_timeouts|http|read": 1}


async def test_ssh_that_is_not_connected(tmp_path: Path) -> None:
    with full_port() as port:
        async with bench(tmp_path, connect_timeout_s=0.2) as polls:
            outcome = await polls.poll(port, plan_of("linux", "uptime"))

    assert await counted("ssh", outcome) == {"poll_timeouts|ssh|connect": 1}


async def test_ssh_that_does_not_finish_a_login(tmp_path: Path) -> None:
    with deaf_port() as port:
        async with bench(tmp_path, connect_timeout_s=1.0) as polls:
            outcome = await polls.poll(port, plan_of("linux", "uptime"))

    assert await counted("ssh", outcome) == {"poll_timeouts|ssh|login": 1}


async def test_ssh_whose_command_does_not_end(tmp_path: Path) -> None:
    router = Device(on_command=lambda router, line, process: line == "show hang")
    async with served(router), bench(tmp_path, command_timeout_s=1.5) as polls:
        outcome = await polls.poll(router, plan_of("cisco_ios", "show hang"))

    assert await counted("ssh", outcome) == {"poll_timeouts|ssh|command": 1}


@pytest.mark.parametrize(("method", "step"), [("icmp", "echo"), ("tcp", "connect")])
async def test_ping_that_is_not_answered(monkeypatch: pytest.MonkeyPatch, method: str, step: str) -> None:
    pinger = ScriptedPinger([Echo(None)])
    pinger.method = method
    monkeypatch.setattr(ping_poller, "make_pinger", lambda _: pinger)

    assert await counted("ping", await ping(PLAN)) == {f"poll_timeouts|ping|{step}": 1}
