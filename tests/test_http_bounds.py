"""What a device may take of us: time, memory, patience."""

import asyncio
import gzip
import socket
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from streampoll.http.session import Session
from streampoll.model import Status
from streampoll.pollers.http import HttpPoller
from tests.http_support import Device, basic, json_page, plan, poll, polling, serving
from tests.waiting import eventually_async

SYSTEM = 'tls = false\n[requests.system]\npath = "/system"\nscalars = { name = "name" }\n'
TWO = SYSTEM + '[requests.more]\npath = "/more"\nscalars = { more = "name" }\n'


@pytest_asyncio.fixture
async def device() -> AsyncIterator[Device]:
    async with serving(Device()) as device:
        yield device


def session_of(poller: HttpPoller) -> Session:
    return next(iter(poller._sessions._places.values())).session


# -- memory


async def test_a_body_is_bounded(device: Device) -> None:
    device.on("/system", json_page({"name": "x" * 5000}))

    async with polling(max_body_bytes=4096) as poller:
        outcome = await poll(poller, device, plan(SYSTEM))

    assert (outcome.status, outcome.error) == (Status.ERROR, "system: longer than http.max_body_bytes (4,096)")


async def test_a_bomb_is_bounded_by_what_it_unpacks_to(device: Device) -> None:
    bomb = gzip.compress(b" " * (64 << 20), mtime=0)
    device.on("/system", Response(bomb, headers={"content-encoding": "gzip"}, media_type="application/json"))

    async with polling(max_body_bytes=1 << 20) as poller:
        await poll(poller, device, plan(SYSTEM))  # what the first poll imports is not counted
        tracemalloc.start()
        outcome = await poll(poller, device, plan(SYSTEM))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert outcome.error == "system: longer than http.max_body_bytes (1,048,576)"
    assert peak < 8 << 20


@pytest.mark.parametrize(
    ("body", "encoding", "cause"),
    [
        (gzip.compress(b'{"name": 1}', mtime=0)[:-9], "gzip", "gzip that is cut short"),
        (b'{"name": 1}', "gzip", "said to be gzip, and is not"),
        (zlib.compress(b'{"name": 1}'), "deflate", "packed in a way that was not asked for (only gzip was)"),
        (b"x", "gzip, gzip", "packed in a way that was not asked for (only gzip was)"),
    ],
)
async def test_what_is_packed_badly_is_a_failure(device: Device, body: bytes, encoding: str, cause: str) -> None:
    device.on("/system", Response(body, headers={"content-encoding": encoding}, media_type="application/json"))

    async with polling() as poller:
        outcome = await poll(poller, device, plan(SYSTEM))

    assert (outcome.status, outcome.error) == (Status.DECODE, f"system: {cause}")


async def test_a_large_answer_is_read_beside_the_loop(device: Device) -> None:
    device.on("/system", json_page({"name": "edge-1", "filling": ["x" * 100] * 1000}))

    async with polling() as poller:
        outcome = await poll(poller, device, plan(SYSTEM))

    assert outcome.values == {"name": "edge-1"}


# -- time


async def drip(every_s: float) -> AsyncIterator[bytes]:
    yield b'{"name":'
    while True:
        await asyncio.sleep(every_s)
        yield b" "


def dripping(every_s: float) -> object:
    return lambda _: StreamingResponse(drip(every_s), media_type="application/json")


async def silent(_: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_silent_device_times_out(device: Device) -> None:
    device.on("/system", silent)

    async with polling() as poller:
        outcome = await poll(poller, device, plan(TWO), read_timeout_s=0.1)

    assert (outcome.status, outcome.error, outcome.requests) == (Status.TIMEOUT, "system: silent for 0.1 s", 1)
    assert outcome.missing == {"name": "silent for 0.1 s", "more": "not asked after timeout"}


async def test_a_device_that_drips_ends_with_the_request_limit(device: Device) -> None:
    device.on("/system", dripping(0.01))  # type: ignore[arg-type]

    async with asyncio.timeout(3), polling(request_limit_s=0.2) as poller:
        outcome = await poll(poller, device, plan(SYSTEM))

    assert (outcome.status, outcome.error) == (Status.TIMEOUT, "system: no whole answer within 0.2 s")


async def test_a_poll_ends_at_its_deadline_with_what_it_has(device: Device) -> None:
    device.on("/system", json_page({"name": "edge-1"}))
    device.on("/more", dripping(0.01))  # type: ignore[arg-type]

    async with polling() as poller:
        outcome = await poll(poller, device, plan(TWO), limit_s=0.3)

    assert (outcome.status, outcome.values) == (Status.PARTIAL, {"name": "edge-1"})
    assert outcome.missing == {"more": "timeout"}


async def test_a_connection_that_is_not_made_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # the kernel takes the connection, nobody speaks TLS
        async with polling() as poller:
            deaf = Device(port=server.getsockname()[1])
            outcome = await poll(poller, deaf, plan(SYSTEM.replace("false", "true")), connect_timeout_s=0.1)

    assert (outcome.status, outcome.error) == (Status.TIMEOUT, "system: no connection within 0.1 s")


async def test_nobody_there_is_said() -> None:
    async with polling() as poller:
        outcome = await poll(poller, Device(port=1), plan(SYSTEM))

    assert (outcome.status, outcome.error) == (Status.REFUSED, "system: connection refused")


async def test_a_kept_connection_that_the_device_closed_costs_nothing(device: Device) -> None:
    device.on("/system", json_page({"name": "edge-1"}, connection="close"), json_page({"name": "edge-1"}))

    async with polling() as poller:
        outcomes = [await poll(poller, device, plan(SYSTEM)) for _ in range(3)]

    assert [outcome.status for outcome in outcomes] == [Status.OK] * 3


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the first request of a connection, and close it at the second without a word."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"name":1}')
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_a_get_is_sent_again_where_a_kept_connection_breaks() -> None:
    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    async with server, polling() as poller:
        device = Device(port=server.sockets[0].getsockname()[1])
        outcomes = [await poll(poller, device, plan(SYSTEM)) for _ in range(3)]
        server.close()

    assert [(outcome.status, outcome.requests, outcome.asked.retries) for outcome in outcomes] == [
        (Status.OK, 1, 0),
        (Status.OK, 2, 1),
        (Status.OK, 2, 1),
    ]


# -- patience


@pytest.mark.parametrize("status", [429, 503])
async def test_a_short_wait_that_is_asked_for_is_kept(device: Device, status: int) -> None:
    device.on("/system", Response("", status, {"retry-after": "1"}), json_page({"name": "edge-1"}))
    began = time.monotonic()

    async with polling() as poller:
        outcome = await poll(poller, device, plan(SYSTEM))

    assert (outcome.status, outcome.requests) == (Status.OK, 2)
    assert time.monotonic() - began >= 1.0


async def test_a_long_wait_is_remembered_and_the_device_left_alone(device: Device) -> None:
    device.on("/system", Response("", 429, {"retry-after": "120"}), json_page({"name": "edge-1"}))

    async with polling() as poller:
        first, second = [await poll(poller, device, plan(TWO)) for _ in range(2)]

    assert (first.status, len(device.asked)) == (Status.REFUSED, 1)
    assert first.error == "system: HTTP 429 Too Many Requests: asks to wait for 120 s (Retry-After)"
    assert (second.status, second.requests) == (Status.REFUSED, 0)
    assert second.error.startswith("system: not asked: it wants to be left alone until")


async def test_a_wait_is_over_when_it_is_over(device: Device) -> None:
    device.on("/system", Response("", 503, {"retry-after": "9999"}), json_page({"name": "edge-1"}))

    async with polling(max_retry_after_s=0.05) as poller:
        await poll(poller, device, plan(SYSTEM))
        await eventually_async(lambda: not session_of(poller).is_told_to_wait)
        outcome = await poll(poller, device, plan(SYSTEM))

    assert outcome.status is Status.OK


async def test_a_device_that_always_says_soon_is_asked_three_times(device: Device) -> None:
    device.on("/system", Response("", 503, {"retry-after": "0"}))

    async with polling() as poller:
        outcome = await poll(poller, device, plan(SYSTEM))

    assert (outcome.status, len(device.asked)) == (Status.REFUSED, 3)


async def test_busy_without_a_time_is_refused_and_asked_again_in_the_next_poll(device: Device) -> None:
    device.on("/system", Response("", 503), json_page({"name": "edge-1"}))

    async with polling() as poller:
        outcomes = [await poll(poller, device, plan(SYSTEM)) for _ in range(2)]

    assert [outcome.status for outcome in outcomes] == [Status.REFUSED, Status.OK]


async def test_a_session_that_is_told_to_wait_is_not_forgotten_when_idle(device: Device) -> None:
    device.on("/system", Response("", 429, {"retry-after": "120"}))
    device.on("/more", json_page({"name": "edge-1"}))
    other = SYSTEM.replace("/system", "/more")

    async with polling(idle_s=0.02) as poller:
        await poll(poller, device, plan(SYSTEM))
        await poll(poller, device, plan(other), basic())  # as another user: another session, which nothing holds
        await eventually_async(lambda: len(poller._sessions) == 1)
        outcome = await poll(poller, device, plan(SYSTEM))

    assert outcome.error.startswith("system: not asked")
