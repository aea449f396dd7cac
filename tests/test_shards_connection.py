"""The adapter of redis-py: nothing that the client does to a call gets past it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from redis import exceptions
from redis.asyncio.connection import Connection

from streampoll.config.settings import RedisSettings
from streampoll.errors import RedisUnavailable
from streampoll.shards.connection import dialer_of, guarded


async def swallowing() -> bytes:
    """Answer although cancelled, as `asyncio.wait_for` of Python 3.11 does where both come at once."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return b"+OK"
    raise AssertionError


async def twisting() -> bytes:
    """Turn a cancellation into an error of the connection."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise exceptions.ConnectionError("closed") from None
    raise AssertionError


@pytest.mark.parametrize("call", [swallowing, twisting])
async def test_a_loop_that_is_cancelled_in_a_call_ends(call: Callable[[], Awaitable[bytes]]) -> None:
    async def loop() -> None:
        for _ in range(3):  # not for ever: it must end where the test fails
            with suppress(RedisUnavailable):
                await guarded(call())

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()

    for _ in range(10):
        await asyncio.sleep(0)
    lost = not task.done()
    task.cancel()
    await asyncio.wait({task})
    assert not lost
    assert task.cancelled()


async def test_a_call_made_while_a_cancelled_task_cleans_up_has_its_answer() -> None:
    async def answer() -> bytes:
        return b"+OK"

    said: list[bytes] = []

    async def clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            said.append(await guarded(answer()))

    task = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert said == [b"+OK"]


@pytest.mark.parametrize("words", [("CLUSTER SLOTS",), ("EVALSHA", "d", 1, "sp:{07}:é", b"\xff\r\n", 2.5, -1)])
def test_commands_are_packed_as_the_client_itself_packs_them(words: tuple[Any, ...]) -> None:
    dialer = dialer_of(RedisSettings(), 1.0)
    ours = dialer.client(dialer.address.nodes[0]).connection_pool.make_connection()

    assert b"".join(ours.pack_command(*words)) == b"".join(Connection().pack_command(*words))
    assert b"".join(ours.pack_commands([words] * 2)) == b"".join(Connection().pack_commands([words] * 2))
