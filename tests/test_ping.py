"""Reachability: echoes over real sockets, TCP connects, and what a silent device is told to be."""

import asyncio
import errno
import itertools
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from streampoll.config.settings import PingSettings
from streampoll.model import Outcome, Status, Target
from streampoll.ping import icmp
from streampoll.ping.icmp import IcmpPinger, may_ping
from streampoll.ping.packet import checksum, encode_echo, read_reply, without_ip_header
from streampoll.ping.plan import Method, PingPlan
from streampoll.ping.port import Echo
from streampoll.ping.tcp import TcpPinger
from streampoll.pollers import ping as poller_module
from streampoll.pollers import reach as reach_module
from streampoll.pollers.ping import PingPoller
from streampoll.pollers.reach import Reach

PLAN = PingPlan("ping", Method.ICMP, count=3, interval_s=0.001)
SETTINGS = PingSettings(timeout_s=2.0)
needs_icmp = pytest.mark.skipif(not may_ping(), reason="this user may not send ICMP")


def target(address: str = "127.0.0.1") -> Target:
    return Target("r1", address, 0, "ping", "", {})


class ScriptedPinger:
    """A pinger whose echoes the test tells."""

    method = "icmp"

    def __init__(self, echoes: Sequence[Echo]) -> None:
        self.echoes = itertools.cycle(echoes)
        self.asked: list[str] = []

    async def ask(self, address: str, timeout_s: float) -> Echo:
        self.asked.append(address)
        return next(self.echoes)

    async def close(self) -> None:
        pass


async def poll(plan: PingPlan, address: str = "127.0.0.1", limit_s: float = 10.0) -> Outcome:
    poller = PingPoller(SETTINGS)
    try:
        return await poller.poll(target(address), plan, None, asyncio.get_running_loop().time() + limit_s)
    finally:
        await poller.close()


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    assert checksum(encode_echo(4, 7, 9, 11, 33)) == 0


@pytest.mark.parametrize("version", [4, 6])
def test_only_echo_replies_have_a_token(version: int) -> None:
    request = encode_echo(version, 1, 2, 2**40 + 3, 0)
    reply = bytes([{4: 0, 6: 129}[version]]) + request[1:]
    assert read_reply(version, reply) == 2**40 + 3
    assert [read_reply(version, each) for each in (request, reply[:-1], b"")] == [None] * 3


def test_the_header_of_ipv4_is_as_long_as_it_says() -> None:
    assert without_ip_header(b"\x46" + bytes(23) + b"icmp") == b"icmp"
    assert without_ip_header(b"") == b""


@needs_icmp
@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.8.7", "::1"])
async def test_a_host_that_is_there_answers_every_echo(address: str) -> None:
    outcome = await poll(PLAN, address)
    assert (outcome.status, outcome.values["received"], outcome.values["loss"]) == (Status.OK, 3, 0.0)
    assert 0 < outcome.values["rtt_min_ms"] <= outcome.values["rtt_avg_ms"] <= outcome.values["rtt_max_ms"]  # type: ignore[operator]
    assert outcome.first_reply > 0


@needs_icmp
async def test_many_hosts_are_asked_over_one_socket_and_none_is_mixed_up() -> None:
    pinger = IcmpPinger()
    addresses = [f"127.0.{n // 250}.{n % 250 + 1}" for n in range(1000)]
    echoes = await asyncio.gather(*(pinger.ask(address, 5.0) for address in addresses))
    left = {line: dict(each._flying) for line, each in pinger._lines.items()}
    await pinger.close()
    assert all(echo.rtt_s is not None for echo in echoes)
    assert left == {4: {}}


@needs_icmp
async def test_a_reply_from_another_address_does_not_count() -> None:
    pinger = IcmpPinger()
    asked = asyncio.create_task(pinger.ask("127.0.0.1", 0.2))
    await asyncio.sleep(0)
    line = pinger._lines[4]
    [token] = line._flying["127.0.0.1"]
    reply = b"\0" + encode_echo(4, 0, 0, token, 8)[1:]
    line._socket._loop.remove_reader(line._socket._epoll.fileno())  # the true one is not read
    line._arrived(b"\x45" + bytes(19) + reply if line._raw else reply, ("127.0.0.2", 0), 0.0)
    assert await asked == Echo(None)
    await pinger.close()


@needs_icmp
async def test_an_icmp_error_settles_the_questions_to_that_address_alone() -> None:
    pinger = IcmpPinger()
    asked = [asyncio.create_task(pinger.ask(address, 2.0)) for address in ("127.0.0.1", "127.0.0.2")]
    await asyncio.sleep(0)
    pinger._lines[4]._unreachable(("127.0.0.1", 0), "host unreachable")
    echoes = await asyncio.gather(*asked)
    await pinger.close()
    assert echoes[0] == Echo(None, "host unreachable")
    assert echoes[1].rtt_s is not None


async def test_loss_is_a_value_and_total_loss_a_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pingers = [ScriptedPinger([Echo(0.002), Echo(None), Echo(0.004)]), ScriptedPinger([Echo(None)])]
    monkeypatch.setattr(poller_module, "make_pinger", lambda _: pingers.pop(0))
    some, none = await poll(PLAN), await poll(PLAN)
    assert (some.status, some.values["received"], some.values["rtt_avg_ms"]) == (Status.OK, 2, pytest.approx(3.0))
    assert some.values["loss"] == pytest.approx(1 / 3)
    assert (none.status, none.error, none.values["loss"]) == (Status.TIMEOUT, "no answer to 3 echoes", 1.0)
    assert "rtt_avg_ms" not in none.values


async def test_what_the_network_says_is_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller_module, "make_pinger", lambda _: ScriptedPinger([Echo(None, "host unreachable")]))
    outcome = await poll(PLAN)
    assert (outcome.status, outcome.error) == (Status.UNREACHABLE, "host unreachable")


async def test_a_poll_ends_by_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller_module, "make_pinger", lambda _: ScriptedPinger([Echo(0.001)]))
    outcome = await asyncio.wait_for(poll(replace(PLAN, count=100, interval_s=10.0), limit_s=0.05), 5)
    assert (outcome.status, outcome.values["sent"]) == (Status.OK, 1)


@pytest.fixture
async def listener() -> AsyncIterator[int]:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_tcp_counts_an_open_port_and_a_refusal_as_an_answer(listener: int) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        refusing = unused.getsockname()[1]
    for ports in ((listener,), (refusing,), (refusing, listener)):
        echo = await TcpPinger(ports).ask("127.0.0.1", 2.0)
        assert echo.rtt_s is not None
        assert (await poll(PingPlan("p", Method.TCP, 1, tcp_ports=ports))).values["method"] == "tcp"


async def test_tcp_to_nowhere_has_a_cause_or_a_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_connection(_: str, port: int) -> None:
        if port == 22:
            raise OSError(errno.EHOSTUNREACH, "No route to host")
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", open_connection)
    assert await TcpPinger((22,)).ask("192.0.2.1", 2.0) == Echo(None, "No route to host")
    assert await TcpPinger((22, 80)).ask("192.0.2.1", 0.02) == Echo(None)


async def test_without_the_right_to_icmp_auto_asks_by_tcp_and_icmp_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, listener: int
) -> None:
    def refuse(*_: Any, **__: Any) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(icmp, "_open", refuse)
    monkeypatch.setattr(poller_module, "may_ping", lambda: False)
    auto = await poll(PingPlan("p", Method.AUTO, 1, tcp_ports=(listener,)))
    insisted = await poll(PLAN)
    assert (auto.status, auto.values["method"]) == (Status.OK, "tcp")
    assert (insisted.status, "ping_group_range" in insisted.error) == (Status.CONFIG, True)


# -- why a device is silent

SILENT = Outcome(Status.TIMEOUT, "no answer")


async def explained(outcome: Outcome, echo: Echo, times: int = 1, **ping: Any) -> tuple[list[Outcome], ScriptedPinger]:
    pinger = ScriptedPinger([echo])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reach_module, "make_pinger", lambda _: pinger)
        reach = Reach(PingSettings(**ping))
        deadline = asyncio.get_running_loop().time() + 10
        return [await reach.explain(target(), outcome, deadline) for _ in range(times)], pinger


@pytest.mark.parametrize(
    ("echo", "said"),
    [
        (Echo(0.01), "no answer; it answers ping: wrong credentials, no agent, or an access list"),
        (Echo(None), "no answer; it does not answer ping either: down, or filtered"),
        (Echo(None, "host unreachable"), "no answer; it does not answer ping either: host unreachable"),
    ],
)
async def test_a_silent_device_says_whether_it_answers_ping(echo: Echo, said: str) -> None:
    [outcome], _ = await explained(SILENT, echo)
    assert (outcome.status, outcome.error) == (Status.TIMEOUT, said)


@pytest.mark.parametrize(
    "outcome", [Outcome(Status.OK), Outcome(Status.AUTH, "no"), Outcome(SILENT.status, SILENT.error, first_reply=9.0)]
)
async def test_a_device_that_answered_is_not_asked(outcome: Outcome) -> None:
    [same], pinger = await explained(outcome, Echo(0.01))
    assert (same, pinger.asked) == (outcome, [])


async def test_a_dead_device_costs_one_echo_and_not_one_a_poll() -> None:
    outcomes, pinger = await explained(SILENT, Echo(None), times=5)
    assert len({outcome.error for outcome in outcomes}) == 1
    assert pinger.asked == ["127.0.0.1"]


async def test_it_can_be_switched_off() -> None:
    [outcome], pinger = await explained(SILENT, Echo(0.01), explain_silence=False)
    assert (outcome, pinger.asked) == (SILENT, [])
