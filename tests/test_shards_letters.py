"""Dead letters: found, put back to work once, or deleted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings
from streampoll.model import QueueClass, Target
from streampoll.notifications.announce import notice
from streampoll.notifications.message import decode_message, encode_message
from streampoll.shards.connection import connect
from streampoll.shards.entries import Entry, Kind, decode_ledger, encode_target
from streampoll.shards.keys import Keys
from streampoll.shards.letters import Letter, Letters
from streampoll.shards.open import open_topology
from streampoll.shards.port import Settled
from streampoll.shards.ring import device_hash
from streampoll.shards.scripts import Scripts
from streampoll.shards.streams import RedisStreams
from tests.servers_support import REDIS_NAMES

NOTIFICATIONS = QueueClass.NOTIFICATIONS
POLLING, RESULTS = QueueClass.POLLING, QueueClass.RESULTS
BODY = encode_target(Target("sw1", "10.0.0.1", 0, "system", "", {}))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[RedisStreams, Letters]]:
    topology = open_topology(RedisSettings(url=Secret(url)), 5)
    try:
        yield RedisStreams(topology, Keys()), Letters(Scripts(topology), Keys(), 2)
    finally:
        await topology.close()


async def read(streams: RedisStreams, queue: QueueClass):
    await streams.make_groups(queue, [1])
    return await streams.read(queue, [1], "w1", 1000, 0)


async def bury(streams: RedisStreams, count: int = 1, queue: QueueClass = POLLING) -> None:
    await streams.add(queue, 1, [Entry(Kind.POLL, "j", 60, 120, BODY)] * count)
    held = await read(streams, queue)
    await streams.finish(queue, "w1", {1: [Settled(one.id, "j", 60, cause="poison") for one in held]})


async def listed(letters: Letters) -> list[Letter]:
    return [letter async for letter in letters.read()]


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
async def test_a_requeued_poll_gets_a_new_slot_and_a_ledger_entry(fresh_redis):
    async with opened(fresh_redis) as (streams, letters):
        await bury(streams)
        [letter] = await listed(letters)
        assert await letters.requeue(letter, 1000.5)
        [again] = await read(streams, POLLING)
        assert (again.entry.slot, again.entry.expiry, again.entry.body) == (1000, 0, BODY)
        [booked] = await read(streams, RESULTS)
        ledger = decode_ledger(booked.entry)
        assert (ledger.tick, ledger.plan, ledger.count, ledger.hash_sum) == (1000, 0, 1, device_hash("sw1"))
        [figures] = await streams.figures([1])
        assert figures.open == {(POLLING, "j", 1000): 1, (RESULTS, "j", 1000): 1}


async def test_a_requeued_message_has_all_its_time_again(fresh_redis):
    async with opened(fresh_redis) as (streams, letters):
        await streams.add(NOTIFICATIONS, 1, [notice("mail", "backup", "", "k", 60.0)])
        [held] = await read(streams, NOTIFICATIONS)
        await streams.finish(NOTIFICATIONS, "w1", {1: [Settled(held.id, "", 60, cause="not taken")]})
        [letter] = await listed(letters)
        assert await letters.requeue(letter, 1000.5)
        [again] = await read(streams, NOTIFICATIONS)
        message = decode_message(again.entry)
        assert (message.created, message.since, message.key) == (60.0, 1000, "k")
        assert decode_message(encode_message(message)) == message


async def test_a_letter_is_put_back_once_however_often_it_is_asked(fresh_redis):
    async with opened(fresh_redis) as (streams, letters):
        await bury(streams)
        [letter] = await listed(letters)
        assert [await letters.requeue(letter, 1000.0) for _ in range(2)] == [True, False]
        assert len(await read(streams, POLLING)) == 1


async def test_letters_are_listed_beyond_one_page_and_found_by_name(fresh_redis):
    async with opened(fresh_redis) as (streams, letters):
        await bury(streams, 250)
        every = await listed(letters)
        assert len({letter.name for letter in every}) == 250
        found = await letters.find(every[170].name)
        assert found == every[170]
        assert (found.device, found.cause, found.delivery) == ("sw1", "poison", 1)


async def test_a_name_that_is_none_finds_nothing(fresh_redis):
    async with opened(fresh_redis) as (_, letters):
        assert [await letters.find(name) for name in ("", "polling/1", "nosuch/01/1-1", "polling/01/1-1")] == [None] * 4


async def test_purged_letters_are_gone(fresh_redis):
    async with opened(fresh_redis) as (streams, letters):
        await bury(streams, 3)
        every = await listed(letters)
        assert await letters.purge(every[:2]) == 2
        assert await listed(letters) == every[2:]


async def test_a_result_is_put_back_as_it_was(fresh_redis):
    async with opened(fresh_redis) as (streams, letters):
        await bury(streams, queue=RESULTS)
        [letter] = await listed(letters)
        assert await letters.requeue(letter, 1000.0)
        [again] = await read(streams, RESULTS)
        assert (again.entry.slot, again.entry.body) == (60, BODY)


async def test_garbage_is_listed_and_never_put_back(fresh_redis):
    async with opened(fresh_redis) as (streams, letters):
        await streams.make_groups(POLLING, [1])
        client = connect(Secret(fresh_redis), 5, 5)
        await client.execute_command("XADD", "sp:{01}:polling", "*", b"\xff", b"\x00")
        await client.aclose()
        [held] = await streams.read(POLLING, [1], "w1", 1, 0)
        await streams.finish(POLLING, "w1", {1: [Settled(held.id, "", 0, cause="garbage")]})
        [letter] = await listed(letters)
        assert letter.entry is None
        assert not await letters.requeue(letter, 1000.0)
        assert await listed(letters) == [letter]
