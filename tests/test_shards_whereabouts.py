"""Where in Redis one poll is, on every server that is promised."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings
from streampoll.model import QueueClass, Result, Status, Target
from streampoll.shards.entries import Entry, Kind, encode_result, encode_target
from streampoll.shards.keys import Keys
from streampoll.shards.letters import Letters
from streampoll.shards.open import open_topology
from streampoll.shards.port import Postponed, Settled
from streampoll.shards.rows import join
from streampoll.shards.scripts import Scripts
from streampoll.shards.streams import RedisStreams
from streampoll.shards.topology import Command, Single
from streampoll.shards.whereabouts import MOST, Found, PollKey, State, Whereabouts
from tests.servers_support import REDIS_NAMES

POLLING, RESULTS = QueueClass.POLLING, QueueClass.RESULTS
SHARD, SLOT = 1, 60
KEY = PollKey("j", "sw1", SLOT)


def poll(device: str = "sw1", slot: int = SLOT) -> Entry:
    return Entry(Kind.POLL, "j", slot, slot + 60, encode_target(Target(device, "10.0.0.1", 0, "system", "", {})))


OTHERS = [poll(f"other-{n}") for n in range(1100)]  # more than a page


@asynccontextmanager
async def opened(url: str, most: int = MOST) -> AsyncIterator[tuple[RedisStreams, Whereabouts]]:
    topology = open_topology(RedisSettings(url=Secret(url)), 5)
    keys = Keys()
    streams = RedisStreams(topology, keys)
    try:
        for queue in (POLLING, RESULTS):
            await streams.make_groups(queue, [SHARD])
        yield streams, Whereabouts(topology, keys, Letters(Scripts(topology), keys, 2), most)
    finally:
        await topology.close()


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
async def test_a_poll_is_found_wherever_its_way_has_led_it(fresh_redis: str) -> None:
    async with opened(fresh_redis) as (streams, whereabouts):

        async def found() -> Found | None:
            return await whereabouts.find(SHARD, KEY)

        assert await found() is None
        await streams.add(POLLING, SHARD, [*OTHERS, poll(slot=SLOT + 60), poll()])
        waiting = await found()
        *_, held = await streams.read(POLLING, [SHARD], "w1", 2000, 0)
        with_worker = await found()
        await streams.retry(POLLING, "w1", SHARD, [Postponed(held.id, poll(), 50_000)])
        delayed = await found()

        assert (waiting and waiting.state, waiting and waiting.queue) == (State.WAITING, POLLING)
        assert with_worker is not None
        assert (with_worker.state, with_worker.consumer, with_worker.delivery) == (State.HELD, "w1", 1)
        assert with_worker.at == held.dispatched
        assert delayed is not None
        assert (delayed.state, delayed.at > held.dispatched + 40) == (State.DELAYED, True)


@pytest.mark.parametrize("spread", [0, 1, 700])  # ms after which the next are due: all at once, one by one, in heaps
async def test_a_poll_is_found_behind_pages_of_delayed_ones(
    fresh_redis: str, spread: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    async def run(topology: Single, commands: Sequence[Command]) -> list[Any]:
        replies = await asked(topology, commands)
        sizes.extend(len(reply) for reply in replies if isinstance(reply, list))
        return replies

    async with opened(fresh_redis) as (streams, whereabouts):
        entries = [*OTHERS, poll()]
        await streams.add(POLLING, SHARD, entries)
        held = await streams.read(POLLING, [SHARD], "w1", 2000, 0)
        waits = [90_000 + (n // spread if spread > 1 else n * spread) for n in range(len(entries))]
        later = [Postponed(one.id, what, wait) for one, what, wait in zip(held, entries, waits, strict=True)]
        await streams.retry(POLLING, "w1", SHARD, later)
        asked = Single.run
        monkeypatch.setattr(Single, "run", run)
        found = await whereabouts.find(SHARD, KEY)

    assert found is not None
    assert found.state is State.DELAYED
    assert max(sizes) == 2 * 500  # a page: member and score


async def test_of_a_backlog_so_much_is_read_and_the_rest_is_said(fresh_redis: str) -> None:
    async with opened(fresh_redis, most=3) as (streams, whereabouts):
        await streams.add(POLLING, SHARD, [*OTHERS[:2], poll()])
        third = await whereabouts.find(SHARD, KEY)
        fourth = await whereabouts.find(SHARD, PollKey("j", "sw2", SLOT))
        await streams.add(POLLING, SHARD, [poll("sw2")])
        beyond = await whereabouts.find(SHARD, PollKey("j", "sw2", SLOT))
        await streams.add(RESULTS, SHARD, [encode_result(Result("j", "sw2", SLOT, Status.OK, 5, b"\x01"))])
        elsewhere = await whereabouts.find(SHARD, PollKey("j", "sw2", SLOT))

    assert third is not None
    assert third.state is State.WAITING
    assert fourth is None
    assert beyond == Found(POLLING, State.UNREAD, 0.0)
    assert elsewhere is not None
    assert elsewhere.queue is RESULTS


async def test_a_poll_that_was_given_up_is_found_with_its_cause(fresh_redis: str) -> None:
    async with opened(fresh_redis) as (streams, whereabouts):
        await streams.add(POLLING, SHARD, [poll("other"), poll()])
        held = await streams.read(POLLING, [SHARD], "w1", 2, 0)
        await streams.finish(POLLING, "w1", {SHARD: [Settled(one.id, "j", SLOT, cause="poison") for one in held]})

        found = await whereabouts.find(SHARD, KEY)

    assert found is not None
    assert (found.state, found.cause) == (State.DEAD, "poison")
    assert found.letter.startswith("polling/01/")


@pytest.mark.parametrize("joined", [False, True])
async def test_a_result_that_is_not_stored_yet_is_found(fresh_redis: str, joined: bool) -> None:
    async with opened(fresh_redis) as (streams, whereabouts):
        results = [encode_result(Result("j", name, SLOT, Status.OK, 5, b"\x01")) for name in ("other", "sw1")]
        await streams.add(RESULTS, SHARD, [join(results)] if joined else results)
        waiting = await whereabouts.find(SHARD, KEY)
        await streams.read(RESULTS, [SHARD], "store", 2, 0)
        held = await whereabouts.find(SHARD, KEY)

    assert waiting is not None
    assert held is not None
    assert (waiting.queue, waiting.state) == (RESULTS, State.WAITING)
    assert (held.queue, held.state, held.consumer) == (RESULTS, State.HELD, "store")
