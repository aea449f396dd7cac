"""One reader, many listeners: what each is sent, and what becomes of one that can't keep up."""

import asyncio
from contextlib import suppress

import pytest

from streampoll.api.broadcast import Broadcast
from streampoll.api.problem import ProblemError
from streampoll.errors import RedisUnavailable


class Source:
    """Says what it was given, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.name = "stats"
        self.away = False

    async def __call__(self) -> list[tuple[str, bytes]]:
        self.asked += 1
        if self.away:
            raise RedisUnavailable("away")
        return [(self.name, b'{"n": %d}' % self.asked)]


@pytest.fixture
async def live():
    """A broadcast that reads as fast as it can."""
    source = Source()
    broadcast = Broadcast([source], most=2, every_s=0.001)
    task = asyncio.create_task(broadcast.run(lambda: 1_000.0))
    yield broadcast, source
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_nothing_is_read_while_nobody_listens(live) -> None:
    broadcast, source = live
    await asyncio.sleep(0)
    assert source.asked == 0
    async with broadcast.listening() as listener:
        assert await listener.next() == b'event: stats\nid: 1000000\ndata: {"n": 1}\n\n'
    assert broadcast.listeners == 0


async def test_all_are_sent_the_same(live) -> None:
    broadcast, _ = live
    async with broadcast.listening() as one, broadcast.listening() as two:
        assert await one.next() == await two.next()


async def test_one_too_many_is_refused(live) -> None:
    broadcast, _ = live
    async with broadcast.listening(), broadcast.listening():
        with pytest.raises(ProblemError, match=r"api\.streams"):
            async with broadcast.listening():
                pass


async def test_who_does_not_keep_up_is_let_go_and_the_others_stay(live) -> None:
    broadcast, _ = live
    async with broadcast.listening() as slow, broadcast.listening() as quick:
        heard = [await quick.next() for _ in range(20)]
        assert None not in heard
        assert await slow.next() is None


async def test_who_comes_back_hears_what_was_missed_of_events(live) -> None:
    broadcast, source = live
    source.name = "event"
    async with broadcast.listening() as listener:
        first = [await listener.next() for _ in range(3)]
    async with broadcast.listening(after=1_000_000) as listener:
        assert await listener.next() == first[1]


async def test_an_outage_ends_nothing(live) -> None:
    broadcast, source = live
    source.away = True
    async with broadcast.listening() as listener:
        waiting = asyncio.create_task(listener.next())
        while source.asked < 3:
            await asyncio.sleep(0.001)
        source.away = False
        assert await waiting


async def test_at_the_end_everybody_is_let_go(live) -> None:
    broadcast, _ = live
    async with broadcast.listening() as listener:
        await listener.next()
        broadcast.end()
        assert await listener.next() is None
    with pytest.raises(ProblemError):
        async with broadcast.listening():
            pass
