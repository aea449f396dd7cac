"""The wire engine against a scripted peer: matching, retries, windows, pacing, ICMP, deadlines. On both event loops."""

import asyncio
import errno
import functools
import inspect
import select
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
import uvloop

from streampoll.config.settings import SnmpSettings
from streampoll.model import Status
from streampoll.snmp import ber, transport
from streampoll.snmp.client import WireEngine
from streampoll.snmp.community import CommunitySpeech
from streampoll.snmp.engine import Agent, Failure, Limits, Reply
from streampoll.snmp.message import FIRST_ID, LAST_ID, PduType, Request
from streampoll.snmp.wheel import TICK_S, TimerWheel
from tests.snmp_peer_support import (
    PUBLIC,
    PUBLIC_V1,
    Asked,
    ScriptedPeer,
    always,
    answer,
    in_turn,
    oids_of,
    raw,
    silent,
    varbind,
)
from tests.snmp_support import free_udp_port
from tests.waiting import eventually_async

(UPTIME,) = oids_of(["1.3.6.1.2.1.1.3.0"])
GET = Request(PduType.GET, (UPTIME,))
Asking = asyncio.Future[Reply | Failure]
SEVEN = varbind(UPTIME, ber.TIME_TICKS, b"\x07")


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on asyncio's loop and on uvloop's, with an engine made inside."""

    def run(loop_factory: Callable[[], asyncio.AbstractEventLoop], **fixtures: object) -> None:
        async def main() -> None:
            engine = WireEngine(SnmpSettings())
            try:
                await asyncio.wait_for(test(engine, **fixtures), 30)
            finally:
                await engine.close()

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())

    functools.update_wrapper(run, test)
    del run.__wrapped__  # type: ignore[attr-defined]  # pytest would see a coroutine function
    own = inspect.signature(run).parameters["loop_factory"]
    rest = [p for p in inspect.signature(test).parameters.values() if p.name != "engine"]
    run.__signature__ = inspect.Signature([own, *rest])  # type: ignore[attr-defined]
    loops = [asyncio.new_event_loop, uvloop.new_event_loop]
    return pytest.mark.parametrize("loop_factory", loops, ids=["asyncio", "uvloop"])(run)


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


def seven(result: Reply | Failure) -> bool:
    assert isinstance(result, Reply), result
    return result.varbinds == [(UPTIME, ber.TIME_TICKS, 7)]


@on_both_loops
async def test_a_reply_is_matched_and_decoded(engine: WireEngine) -> None:
    async with ScriptedPeer(always(SEVEN)) as peer:
        assert seven(await engine.request(peer.agent(), GET, soon()))


@on_both_loops
async def test_ipv6_agents_are_asked_from_a_second_socket(engine: WireEngine) -> None:
    async with ScriptedPeer(always(SEVEN), "::1") as six, ScriptedPeer(always(SEVEN)) as four:
        assert seven(await engine.request(six.agent(), GET, soon()))
        assert seven(await engine.request(four.agent(), GET, soon()))


@on_both_loops
async def test_a_reply_from_another_address_counts_for_nothing(engine: WireEngine) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))

        def spoof(peer: ScriptedPeer, asked: Asked) -> None:
            stranger.sendto(answer(asked, SEVEN), asked.source)

        async with ScriptedPeer(spoof) as peer:
            result = await engine.request(peer.agent(), GET, soon())
    assert isinstance(result, Failure)
    assert (result.status, engine.counters.foreign) == (Status.TIMEOUT, 1)


@on_both_loops
async def test_a_reply_from_another_port_counts_for_nothing(engine: WireEngine) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))

        def spoof(peer: ScriptedPeer, asked: Asked) -> None:
            stranger.sendto(answer(asked, SEVEN), asked.source)

        async with ScriptedPeer(spoof) as peer:
            result = await engine.request(peer.agent(), GET, soon())
    assert isinstance(result, Failure)
    assert engine.counters.foreign == 1


@on_both_loops
async def test_a_reply_with_an_id_never_used_is_foreign(engine: WireEngine) -> None:
    def wrong_id(peer: ScriptedPeer, asked: Asked) -> None:
        for request_id in (5, int.from_bytes(asked.request_id) ^ 0x40000000):
            peer.send(answer(asked._replace(request_id=request_id.to_bytes(4)), SEVEN), asked)

    async with ScriptedPeer(wrong_id) as peer:
        result = await engine.request(peer.agent(), GET, soon())
    assert isinstance(result, Failure)
    assert (engine.counters.foreign, engine.counters.late) == (2, 0)


@on_both_loops
async def test_a_doubled_reply_is_counted_late_and_used_once(engine: WireEngine) -> None:
    async with ScriptedPeer(always(SEVEN, copies=3)) as peer:
        assert seven(await engine.request(peer.agent(timeout_s=5), GET, soon()))
        await eventually_async(lambda: engine.counters.received == 3)
    assert engine.counters.late == 2


@on_both_loops
async def test_a_late_reply_does_not_answer_the_retry(engine: WireEngine) -> None:
    first: list[Asked] = []

    def late(peer: ScriptedPeer, asked: Asked) -> None:
        if first:
            peer.send(answer(first[0], varbind(UPTIME, ber.TIME_TICKS, b"\x01")), asked)
            peer.send(answer(asked, SEVEN), asked)
        first.append(asked)

    async with ScriptedPeer(late) as peer:
        assert seven(await engine.request(peer.agent(retries=1), GET, soon()))
    assert engine.counters.late == 1


@on_both_loops
async def test_each_retry_has_a_new_request_id_and_the_number_is_bounded(engine: WireEngine) -> None:
    async with ScriptedPeer(silent) as peer:
        agent = peer.agent(timeout_s=0.02, retries=3)
        result = await engine.request(agent, GET, soon())
        await eventually_async(lambda: len(peer.asked) == 4)
        ids = {asked.request_id for asked in peer.asked}
    assert isinstance(result, Failure)
    assert (result.status, result.sent, len(ids), engine.counters.retries) == (Status.TIMEOUT, 4, 4, 3)
    assert agent.asked.retries == len(agent.asked.retried) == 3


@on_both_loops
async def test_what_is_asked_once_is_not_sent_again(engine: WireEngine) -> None:
    async with ScriptedPeer(silent) as peer:
        result = await engine.request(
            peer.agent(timeout_s=0.02, retries=3), Request(PduType.GET, GET.oids, once=True), soon()
        )
        await eventually_async(lambda: len(peer.asked) == 1)
    assert isinstance(result, Failure)
    assert (result.status, result.reason, result.sent) == (Status.TIMEOUT, "no answer to 1 requests", 1)


@on_both_loops
async def test_a_retry_is_answered(engine: WireEngine) -> None:
    async with ScriptedPeer(in_turn(silent, always(SEVEN))) as peer:
        agent = peer.agent(retries=1)
        result = await engine.request(agent, GET, soon())
    assert seven(result)
    assert result.sent == 2
    noted = agent.asked
    assert (noted.retries, len(noted.retried)) == (1, 1)
    assert 0 < noted.first < noted.retried[0] <= result.at


@on_both_loops
async def test_the_deadline_ends_a_request_before_its_time_out(engine: WireEngine) -> None:
    async with ScriptedPeer(silent) as peer:
        deadline = soon(0.1)
        result = await asyncio.wait_for(engine.request(peer.agent(timeout_s=60, retries=5), GET, deadline), 10)
    assert isinstance(result, Failure)
    assert (result.status, result.sent) == (Status.TIMEOUT, 1)


@on_both_loops
async def test_the_deadline_ends_a_request_that_waits_for_the_window(engine: WireEngine) -> None:
    async with ScriptedPeer(silent) as peer:
        agent = peer.agent(timeout_s=60, window=1)
        first = engine.request(agent, GET, soon(30))
        waiting = await asyncio.wait_for(engine.request(agent, GET, soon(0.1)), 10)
        first.cancel()
    assert isinstance(waiting, Failure)
    assert (waiting.sent, "window" in waiting.reason) == (0, True)


async def test_the_deadline_ends_a_request_that_waits_for_the_pacer() -> None:
    """Whether it was to go out with the one that went, or came when others waited already."""
    engine = WireEngine(SnmpSettings(packets_per_s=1))
    async with ScriptedPeer(silent) as peer:
        agent = peer.agent(timeout_s=60, window=9)
        first, waiting = (engine.request(agent, GET, soon(left_s)) for left_s in (30, 0.1))
        await eventually_async(lambda: engine.counters.sent == 1)
        later = engine.request(agent, GET, soon(0.1))
        results = await asyncio.wait_for(asyncio.gather(waiting, later), 10)
        first.cancel()
    await engine.close()
    assert [(result.sent, "pacer" in result.reason) for result in results if isinstance(result, Failure)] == [
        (0, True)
    ] * 2


@on_both_loops
async def test_nothing_is_sent_after_the_deadline(engine: WireEngine) -> None:
    async with ScriptedPeer(always(SEVEN)) as peer:
        result = await engine.request(peer.agent(), GET, soon(-1))
    assert isinstance(result, Failure)
    assert engine.counters.sent == 0


@on_both_loops
async def test_no_more_than_the_window_is_in_flight_to_one_agent(engine: WireEngine) -> None:
    held: list[Asked] = []
    async with ScriptedPeer(lambda _, asked: held.append(asked)) as peer:
        agent = peer.agent(timeout_s=30, window=2)
        requests = [engine.request(agent, GET, soon()) for _ in range(5)]
        most = 0
        for done in range(5):
            await eventually_async(lambda done=done: len(held) >= min(done + 2, 5))  # type: ignore[misc]
            most = max(most, len(held) - done)
            peer.send(answer(held[done], SEVEN), held[done])
            await eventually_async(lambda done=done: sum(r.done() for r in requests) > done)  # type: ignore[misc]
        assert all(map(seven, await asyncio.gather(*requests)))
    assert most == 2


@on_both_loops
async def test_a_silent_agent_does_not_hold_up_another(engine: WireEngine) -> None:
    async with ScriptedPeer(silent) as dead, ScriptedPeer(always(SEVEN)) as alive:
        stuck = [engine.request(dead.agent(timeout_s=60), GET, soon(60)) for _ in range(50)]
        assert seven(await engine.request(alive.agent(), GET, soon()))
        assert not any(request.done() for request in stuck)
        for request in stuck:
            request.cancel()


@on_both_loops
async def test_the_least_gap_between_two_sendings_is_kept(engine: WireEngine) -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    def note(peer: ScriptedPeer, asked: Asked) -> None:
        times.append(loop.time())
        peer.send(answer(asked, SEVEN), asked)

    async with ScriptedPeer(note) as peer:
        agent = peer.agent(timeout_s=5, window=4, gap_s=0.05)
        assert all(map(seven, await asyncio.gather(*(engine.request(agent, GET, soon()) for _ in range(4)))))
    assert times[-1] - times[0] >= 0.14


@on_both_loops
async def test_a_cancelled_request_gives_its_place_back(engine: WireEngine) -> None:
    async with ScriptedPeer(in_turn(silent, always(SEVEN))) as peer:
        agent = peer.agent(window=1, retries=3)
        first = engine.request(agent, GET, soon())
        await eventually_async(lambda: len(peer.asked) == 1)
        first.cancel()
        assert seven(await engine.request(agent, GET, soon()))
    assert (engine.counters.retries, engine._courier._windows, engine._courier._pending) == (0, {}, {})


@on_both_loops
async def test_a_request_cancelled_before_it_went_out_is_not_sent_and_gives_its_place_back(engine: WireEngine) -> None:
    async with ScriptedPeer(always(SEVEN)) as peer:
        agent = peer.agent(timeout_s=60, window=1)
        engine.request(agent, GET, soon(60)).cancel()
        assert seven(await asyncio.wait_for(engine.request(agent, GET, soon(60)), 10))
    assert (engine.counters.sent, engine._courier._windows, engine._courier._pending) == (1, {}, {})


@on_both_loops
async def test_a_request_that_can_not_be_encoded_costs_no_other(
    engine: WireEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was raised where the request was made; at the end of the loop's turn it must not end the sending."""
    encode = CommunitySpeech.encode

    def broken(self: CommunitySpeech, request: Request, request_id: int, now: float) -> bytes:
        if request is broken_one:
            raise ZeroDivisionError("by design")
        return encode(self, request, request_id, now)

    broken_one = Request(PduType.GET, (UPTIME,))
    monkeypatch.setattr(CommunitySpeech, "encode", broken)
    async with ScriptedPeer(always(SEVEN)) as peer:
        agent = peer.agent(timeout_s=60, window=1)
        asked = [engine.request(agent, request, soon(60)) for request in (broken_one, GET)]
        bad, good = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 10)
    assert isinstance(bad, ZeroDivisionError)
    assert not isinstance(good, BaseException)
    assert seven(good)
    assert (engine._courier._windows, engine._courier._pending) == ({}, {})


@on_both_loops
async def test_a_closed_port_ends_all_of_an_agents_requests_at_once(engine: WireEngine) -> None:
    agent = Agent(("127.0.0.1", free_udp_port()), PUBLIC, Limits(timeout_s=60, window=3))
    results = await asyncio.wait_for(asyncio.gather(*(engine.request(agent, GET, soon(60)) for _ in range(6))), 10)
    assert {result.status for result in results if isinstance(result, Failure)} == {Status.UNREACHABLE}
    assert "port unreachable" in results[0].reason  # type: ignore[union-attr]


@on_both_loops
async def test_an_unreachable_agent_spoils_nothing_for_the_others(engine: WireEngine) -> None:
    closed = Agent(("127.0.0.1", free_udp_port()), PUBLIC, Limits(timeout_s=60))
    async with ScriptedPeer(always(SEVEN)) as peer:
        for _ in range(20):  # the kernel reports an error from whichever call comes next
            bad = engine.request(closed, GET, soon())
            assert seven(await engine.request(peer.agent(timeout_s=5), GET, soon()))
            assert isinstance(await bad, Failure)
        assert engine.counters.sent == 40
        assert engine.counters.retries == 0


@on_both_loops
async def test_the_socket_is_still_read_after_an_icmp_error(engine: WireEngine) -> None:
    """libuv stops watching a descriptor at its first EPOLLERR."""
    closed = Agent(("127.0.0.1", free_udp_port()), PUBLIC, Limits())
    await engine.request(closed, GET, soon())
    async with ScriptedPeer(always(SEVEN)) as peer:
        assert seven(await engine.request(peer.agent(timeout_s=5), GET, soon()))


@on_both_loops
async def test_an_icmp_error_does_not_keep_the_loop_busy(engine: WireEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    wakes = 0
    read = transport.UdpSocket._read

    def counted(self: transport.UdpSocket) -> None:
        nonlocal wakes
        wakes += 1
        read(self)

    monkeypatch.setattr(transport.UdpSocket, "_read", counted)
    for _ in range(3):
        await engine.request(Agent(("127.0.0.1", free_udp_port()), PUBLIC, Limits()), GET, soon())
    for _ in range(50):
        await asyncio.sleep(0)
    assert wakes < 20


def answered_and_blocked(
    engine: WireEngine, peer: ScriptedPeer, agent: Agent, many: int
) -> tuple[Sequence[Asking], float]:
    """Ask, have the peer answer each at once, and keep the loop from its turn for 0.3 s then.

    Returns the requests, and when the last was answered (wall clock).
    """
    asking = []
    for _ in range(many):
        asking.append(asyncio.ensure_future(engine.request(agent, GET, soon())))
        engine._courier._empty_outbox()  # as at the end of the loop's turn
        peer.serve_now()
    answered, end = time.time(), time.monotonic() + 0.3
    while time.monotonic() < end:
        pass
    return asking, answered


@on_both_loops
async def test_a_reply_came_when_it_arrived_however_late_it_is_read(engine: WireEngine) -> None:
    async with ScriptedPeer(always(SEVEN)) as peer:
        asked = time.time()
        (asking,), answered = answered_and_blocked(engine, peer, peer.agent(timeout_s=5), 1)
        result = await asking
    assert seven(result)
    assert asked <= result.at <= answered


@on_both_loops
async def test_a_loop_that_was_late_takes_no_reply_for_a_time_out(engine: WireEngine) -> None:
    many = 3 * transport._BURST
    unpaced = WireEngine(SnmpSettings(packets_per_s=0))
    async with ScriptedPeer(always(SEVEN)) as peer:
        asking, _ = answered_and_blocked(unpaced, peer, peer.agent(timeout_s=0.05, window=many), many)
        assert all([seven(await each) for each in asking])
    await unpaced.close()


@on_both_loops
async def test_with_many_in_flight_the_socket_is_looked_at_now_and_then(
    engine: WireEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    drain = transport.UdpSocket.drain

    def counted(self: transport.UdpSocket, most: int = transport._BURST) -> bool:
        nonlocal looks
        looks += 1
        return drain(self, most)

    async def looks_at_strays(peer: ScriptedPeer) -> int:
        before, received = looks, engine.counters.received
        for _ in range(50):
            peer.send(b"stray", peer.asked[0])
            await asyncio.sleep(0)
        await eventually_async(lambda: engine.counters.received == received + 50)
        return looks - before

    monkeypatch.setattr(transport.UdpSocket, "drain", counted)
    async with ScriptedPeer(always(SEVEN)) as peer, ScriptedPeer(silent) as mute:
        assert seven(await engine.request(peer.agent(timeout_s=5), GET, soon()))
        watched = await looks_at_strays(peer)
        crowd = [engine.request(mute.agent(timeout_s=0.5, window=100), GET, soon()) for _ in range(40)]
        assert seven(await engine.request(peer.agent(timeout_s=5), GET, soon()))  # by then it is in the habit
        looked_at = await looks_at_strays(peer)
        await asyncio.gather(*crowd)
        assert seven(await engine.request(peer.agent(timeout_s=5), GET, soon()))
        again = await looks_at_strays(peer)
    assert looked_at < watched / 2
    assert looked_at < again / 2


@on_both_loops
async def test_icmp_errors_keep_no_reply_from_being_read(engine: WireEngine) -> None:
    """An error is told before any datagram: one a look, and a reply would never be read."""
    closed, errors = ("127.0.0.1", free_udp_port()), 0
    async with ScriptedPeer(always(SEVEN)) as peer, ScriptedPeer(silent) as mute:
        crowd = [engine.request(mute.agent(timeout_s=60, window=100), GET, soon(60)) for _ in range(40)]
        assert seven(await engine.request(peer.agent(timeout_s=5), GET, soon()))  # by then the socket is looked at
        line = engine._courier._sockets[False]
        drain = line.drain

        def after_an_error(most: int = transport._BURST) -> bool:
            nonlocal errors
            errors += 1
            line._socket.sendto(b"", closed)
            select.select([line._socket], [], [], 5)  # until the refusal is there
            return drain(most)

        line.drain = after_an_error  # type: ignore[method-assign]
        assert seven(await engine.request(peer.agent(timeout_s=0.5), GET, soon()))
        assert not any(each.done() for each in map(asyncio.ensure_future, crowd))
    assert errors


@on_both_loops
async def test_a_bug_costs_the_datagram_that_meets_it(engine: WireEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with ScriptedPeer(always(SEVEN)) as peer, ScriptedPeer(silent) as mute:
        crowd = [engine.request(mute.agent(timeout_s=0.5, window=100), GET, soon()) for _ in range(40)]
        assert seven(await engine.request(peer.agent(timeout_s=5), GET, soon()))
        line = engine._courier._sockets[False]
        with monkeypatch.context() as patch:
            patch.setattr(line, "_on_datagram", lambda *_: 1 / 0)
            peer.send(b"stray", peer.asked[0])
            await eventually_async(lambda: len(told) == 1)
        assert seven(await engine.request(peer.agent(timeout_s=5), GET, soon()))
        assert all(isinstance(each, Failure) for each in await asyncio.gather(*crowd))
    assert isinstance(told[0]["exception"], ZeroDivisionError)


@on_both_loops
async def test_where_the_kernel_does_not_say_when_a_reply_came_when_it_was_read(
    engine: WireEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_SO_TIMESTAMPNS", 9_999)  # an option that there is not
    async with ScriptedPeer(always(SEVEN)) as peer:
        (asking,), answered = answered_and_blocked(engine, peer, peer.agent(timeout_s=5), 1)
        result = await asking
    assert seven(result)
    assert isinstance(result, Reply)
    assert result.at >= answered + 0.25


@on_both_loops
async def test_no_route_is_told_at_once(engine: WireEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    agent = Agent(("192.0.2.1", 161), PUBLIC, Limits(timeout_s=60))
    with monkeypatch.context() as patch:
        patch.setattr(transport, "socket", _SocketModule(refuse))
        result = await engine.request(agent, GET, soon())
    assert isinstance(result, Failure)
    assert (result.status, result.reason) == (Status.UNREACHABLE, "network unreachable")


@on_both_loops
async def test_a_full_send_buffer_delays_and_loses_nothing(engine: WireEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    left = 3

    def busy(*_: object) -> None:
        nonlocal left
        if left:
            left -= 1
            raise OSError(errno.ENOBUFS if left % 2 else errno.EAGAIN, "busy")

    async with ScriptedPeer(always(SEVEN)) as peer:
        with monkeypatch.context() as patch:
            patch.setattr(transport, "socket", _SocketModule(busy))
            results = await asyncio.gather(
                *(engine.request(peer.agent(timeout_s=5, window=9), GET, soon()) for _ in range(5))
            )
    assert all(map(seven, results))
    assert (left, engine.counters.sent) == (0, 5)


class _SocketModule:
    """The socket module, but for a hook before each sendto."""

    def __init__(self, before: Callable[..., None]) -> None:
        class Socket(socket.socket):
            def sendto(self, *args: object) -> int:  # type: ignore[override]
                before(*args)
                return super().sendto(*args)  # type: ignore[call-overload, no-any-return]

        self.socket = Socket

    def __getattr__(self, name: str) -> object:
        return getattr(socket, name)


async def test_sending_is_paced() -> None:
    engine = WireEngine(SnmpSettings(packets_per_s=200))
    loop = asyncio.get_running_loop()
    async with ScriptedPeer(always(SEVEN)) as peer:
        agent = peer.agent(timeout_s=5, window=64)
        started = loop.time()
        assert all(map(seven, await asyncio.gather(*(engine.request(agent, GET, soon()) for _ in range(42)))))
        took = loop.time() - started
    await engine.close()
    assert took >= 0.18  # 40 of them at 200 a second


@on_both_loops
@pytest.mark.parametrize(
    "garbage", [b"", b"garbage", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x02\x01\x01", b"\xff" * 2000]
)
async def test_garbage_is_counted_and_names_the_time_out_decode(engine: WireEngine, garbage: bytes) -> None:
    async with ScriptedPeer(raw(garbage)) as peer:
        result = await engine.request(peer.agent(), GET, soon())
    assert isinstance(result, Failure)
    assert (result.status, engine.counters.decode_errors) == (Status.DECODE, 1)


@on_both_loops
async def test_garbage_does_not_end_a_request_that_is_answered_after_it(engine: WireEngine) -> None:
    def both(peer: ScriptedPeer, asked: Asked) -> None:
        peer.send(b"garbage", asked)
        peer.send(answer(asked, SEVEN), asked)

    async with ScriptedPeer(both) as peer:
        assert seven(await engine.request(peer.agent(), GET, soon()))


@on_both_loops
async def test_a_matching_reply_with_broken_varbinds_is_a_decode_failure(engine: WireEngine) -> None:
    async with ScriptedPeer(always(b"\x30\x05\x06\x01")) as peer:
        result = await asyncio.wait_for(engine.request(peer.agent(timeout_s=60), GET, soon(60)), 10)
    assert isinstance(result, Failure)
    assert result.status is Status.DECODE


@on_both_loops
async def test_a_reply_in_another_version_is_no_answer(engine: WireEngine) -> None:
    def v1(peer: ScriptedPeer, asked: Asked) -> None:
        peer.send(answer(asked, SEVEN, version=0), asked)

    async with ScriptedPeer(v1) as peer:
        result = await engine.request(peer.agent(), GET, soon())
    assert isinstance(result, Failure)
    assert result.status is Status.DECODE


@on_both_loops
async def test_an_echoed_request_is_no_answer(engine: WireEngine) -> None:
    async with ScriptedPeer(lambda peer, asked: peer.send(asked.data, asked)) as peer:
        assert isinstance(await engine.request(peer.agent(), GET, soon()), Failure)


@on_both_loops
async def test_an_error_status_is_a_reply_with_its_cause(engine: WireEngine) -> None:
    async with ScriptedPeer(lambda peer, asked: peer.send(answer(asked, SEVEN, status=5, index=1), asked)) as peer:
        result = await engine.request(peer.agent(), GET, soon())
    assert isinstance(result, Reply)
    assert (result.error_status, result.error_index) == (5, 1)


@on_both_loops
async def test_a_getbulk_in_v1_is_refused_without_asking(engine: WireEngine) -> None:
    async with ScriptedPeer(always(SEVEN)) as peer:
        bulk = Request(PduType.GETBULK, (UPTIME,), max_repetitions=5)
        result = await engine.request(peer.agent(PUBLIC_V1), bulk, soon())
    assert isinstance(result, Failure)
    assert (result.status, engine.counters.sent) == (Status.CONFIG, 0)


@on_both_loops
async def test_request_ids_stay_four_bytes_when_they_come_round(engine: WireEngine) -> None:
    engine._courier._next_id = LAST_ID
    async with ScriptedPeer(always(SEVEN)) as peer:
        for _ in range(2):
            assert seven(await engine.request(peer.agent(), GET, soon()))
        ids = [int.from_bytes(asked.request_id) for asked in peer.asked]
    assert ids == [LAST_ID, FIRST_ID]


@on_both_loops
async def test_no_repr_of_the_engine_shows_a_community(engine: WireEngine) -> None:
    async with ScriptedPeer(silent) as peer:
        request = engine.request(peer.agent(), GET, soon())
        pending = engine._courier._pending
        shown = repr((vars(engine._communities), pending, vars(engine), [e.speech for e in pending.values()]))
        await request
    assert "public" not in shown


@pytest.mark.parametrize("sent", [0, 2])
async def test_closing_fails_what_is_in_flight_and_frees_the_descriptors(sent: int) -> None:
    engine = WireEngine(SnmpSettings())
    async with ScriptedPeer(silent) as peer:
        requests = [engine.request(peer.agent(timeout_s=60, window=2), GET, soon(60)) for _ in range(5)]
        await eventually_async(lambda: engine.counters.sent == sent)
        await engine.close()
        results = await asyncio.gather(*requests)
    assert {result.status for result in results if isinstance(result, Failure)} == {Status.ERROR}


@on_both_loops
async def test_a_finished_request_leaves_nothing_behind(engine: WireEngine) -> None:
    async with ScriptedPeer(always(SEVEN)) as peer:
        await asyncio.gather(*(engine.request(peer.agent(timeout_s=1), GET, soon()) for _ in range(20)))
    assert (engine._courier._pending, engine._courier._windows, list(engine._courier._outbox)) == ({}, {}, [])


async def test_receive_drops_are_read_from_the_kernel() -> None:
    drops = 0

    def flood(peer: ScriptedPeer, asked: Asked) -> None:
        for _ in range(2000):
            peer.send(b"x" * 1000, asked)

    engine = WireEngine(SnmpSettings(receive_buffer_bytes=65536))
    async with ScriptedPeer(flood) as peer:
        await engine.request(peer.agent(), GET, soon())
        drops = engine.receive_drops
    await engine.close()
    assert drops > 0


async def test_the_wheel_never_fires_early_and_forgets_none() -> None:
    loop = asyncio.get_running_loop()
    fired: dict[int, float] = {}
    wheel = TimerWheel(loop, lambda tokens: fired.update(dict.fromkeys(tokens, loop.time())))
    due = {token: loop.time() + delay for token, delay in enumerate((-1, 0, 0.001, TICK_S, 0.1, 0.1001, 0.15))}
    for token, when in due.items():
        wheel.add(token, when)
    await eventually_async(lambda: len(fired) == len(due))
    wheel.close()
    assert all(fired[token] >= when for token, when in due.items())
