"""What only a real server can do to the stream operations: be full, forget its scripts, be gone."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from streampoll.config.secret import Secret
from streampoll.errors import ConfigError, RedisFull, RedisUnavailable
from streampoll.shards import connection
from streampoll.shards.clock import Clock
from streampoll.shards.connection import Scripts, connect
from streampoll.shards.lease import LeaderLease
from streampoll.shards.port import Answer, mark_of
from streampoll.shards.presence import Presence
from tests.servers_support import REDIS_NAMES
from tests.shards_contract_settle import emitted, postponed
from tests.shards_support import (
    POLLING,
    RESULTS,
    SHARD,
    TICK,
    RedisBench,
    dispatch,
    finish,
    held,
    part_of,
    queue_figures,
    read,
    release,
    settled,
    swept,
)

pytestmark = pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)


@pytest.fixture
async def bench(fresh_redis: str) -> AsyncIterator[RedisBench]:
    async with RedisBench(fresh_redis) as bench:
        _, maxmemory = await bench.run("CONFIG", "GET", "maxmemory")
        yield bench
        await bench.run("CONFIG", "SET", "maxmemory", maxmemory)


async def fill(bench: RedisBench) -> None:
    """Put Redis over maxmemory."""
    await bench.run("CONFIG", "SET", "maxmemory", 1)


async def test_a_full_redis_refuses_a_dispatch_and_holds_nothing_of_it(bench: RedisBench) -> None:
    await dispatch(bench, part_of(1))
    before = await bench.streams.figures([SHARD])
    await fill(bench)

    with pytest.raises(RedisFull, match="maxmemory"):
        await dispatch(bench, part_of(1, tick=TICK + 1, previous=mark_of(TICK, 0)))

    assert await bench.streams.figures([SHARD]) == before
    assert await bench.streams.fill() > 1


async def test_a_full_redis_lets_work_be_finished(bench: RedisBench) -> None:
    taken = await held(bench, 3)
    await fill(bench)

    assert await finish(bench, settled(taken[:2], emits=1)) == set()
    assert await finish(bench, settled(taken[2:], cause="crashed")) == set()

    assert await emitted(bench) == [b"body-0/0", b"body-1/0"]
    assert (await queue_figures(bench)).dead == 1


async def test_a_full_redis_lets_work_go_on(bench: RedisBench) -> None:
    taken = await held(bench, 3)
    await fill(bench)

    assert await bench.streams.mark(POLLING, "a", SHARD, taken[0].id)
    assert await bench.streams.retry(POLLING, "a", SHARD, [postponed(taken[0].id, 0)]) == []
    assert await bench.streams.promote(POLLING, [SHARD], 10) == 1
    assert await release(bench, taken[1:2]) == []
    assert len(await swept(bench, "b")) == 2
    assert len(await bench.streams.read(POLLING, [SHARD], "b", 10, 0)) == 1


async def test_a_full_redis_still_has_a_leader_and_homes(bench: RedisBench) -> None:
    scripts, clock = Scripts(bench.client), Clock()
    await fill(bench)

    assert await LeaderLease(scripts, bench.keys, "one", 6.0, clock).take(bench.streams, [SHARD])
    assert [worker.id for worker in await Presence(bench.client, scripts, bench.keys, clock).beat("w", [RESULTS])] == [
        "w"
    ]


async def test_scripts_that_redis_forgot_are_loaded_again(bench: RedisBench) -> None:
    await dispatch(bench, part_of(1))
    await bench.run("SCRIPT", "FLUSH")

    on = [part_of(1, tick=TICK + n, previous=mark_of(TICK + n - 1, 0)) for n in (1, 2)]
    assert [one.answer for one in await dispatch(bench, *on)] == [Answer.OK] * 2

    assert len(await read(bench)) == 3


async def test_one_call_that_fails_costs_no_other_its_answer(bench: RedisBench) -> None:
    await bench.run("SET", bench.keys.shard(8).epoch, "5")
    await bench.run("SET", bench.keys.shard(9).dispatched, "of another type")
    calls = [("resign", ["k"], ["id"]), ("resign", [bench.keys.shard(9).stream(POLLING)], ["id"])]
    await bench.run("LPUSH", bench.keys.shard(9).stream(POLLING), "of another type")

    replies = await Scripts(bench.client).run(calls)

    assert replies[0] == 0
    assert "WRONGTYPE" in str(replies[1])


async def test_a_lost_server_is_unavailable_whatever_is_asked(bench: RedisBench) -> None:
    away = connect(Secret("redis://127.0.0.1:1/0"), 1.0, 1.0)

    with pytest.raises(RedisUnavailable, match="not reachable"):
        await Scripts(away).run([("resign", ["k"], ["id"])])

    await away.aclose()


async def test_a_reader_cut_off_by_the_server_says_so(bench: RedisBench) -> None:
    await bench.streams.make_groups(POLLING, [SHARD])
    reading = asyncio.create_task(bench.streams.read(POLLING, [SHARD], "a", 1, 8_000))
    while b"cmd=xreadgroup" not in await bench.run("CLIENT", "LIST"):
        await asyncio.sleep(0)

    await bench.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    with pytest.raises(RedisUnavailable):
        await reading
    await dispatch(bench, part_of(1))
    assert len(await bench.streams.read(POLLING, [SHARD], "a", 1, 0)) == 1


async def test_consumers_that_left_are_retired_but_never_with_work(
    bench: RedisBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = connection.SCRIPTS["retire"]
    assert "> 60000" in script
    monkeypatch.setitem(connection.SCRIPTS, "retire", script.replace("> 60000", ">= 0"))
    await held(bench, 1, "busy")
    await dispatch(bench, part_of(3, tick=TICK + 1, previous=mark_of(TICK, 0)))
    for consumer in ("live", "gone", "gone-too"):
        await finish(bench, settled(await read(bench, consumer=consumer, count=1)), consumer)

    assert await bench.streams.retire(POLLING, SHARD, ["live"]) == 2
    assert await bench.streams.retire(POLLING, SHARD, ["live"]) == 0
    assert await bench.streams.retire(POLLING, 8, []) == 0

    assert (await queue_figures(bench)).pending == 1


def test_a_url_that_is_none_is_refused_without_its_text(redis_server: object) -> None:
    for url in ("http://user:secret@host", "redis://user:secret@host:port"):
        with pytest.raises(ConfigError) as caught:
            connect(Secret(url), 1.0, 1.0)
        assert "secret" not in str(caught.value)
