"""Sentinels name the master: found, followed after a failover, never mistaken for a replica."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings, ShardsSettings
from streampoll.errors import RedisUnavailable
from streampoll.shards.entries import Entry, Kind
from streampoll.shards.server import settle
from tests.servers_support import redis_program
from tests.shards_support import POLLING, RESULTS, SHARD, RedisBench, dispatch, part_of, read
from tests.topology_support import Watched, watched_redis
from tests.topology_traffic import Traffic
from tests.waiting import eventually, eventually_async

FAILOVER_S = 15.0


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with watched_redis(tmp_path) as made:
        yield made


async def test_a_killed_master_is_followed(watched: Watched) -> None:
    killed = watched.master()
    async with RedisBench(watched.url) as bench, Traffic(bench.streams) as traffic:
        await traffic.more()
        killed.kill()

        await traffic.more(deadline_s=FAILOVER_S)
        await traffic.drained()

    assert watched.master() is not killed
    assert set(traffic.stored.values()) == {1}
    if not traffic.lost:
        assert len(traffic.stored) == traffic.due


async def test_a_frozen_master_is_followed_and_refused_when_it_wakes(watched: Watched) -> None:
    frozen = watched.master()
    assert frozen.process is not None
    async with RedisBench(watched.url, read_timeout_s=2.0) as bench, Traffic(bench.streams) as traffic:
        await traffic.more()
        os.kill(frozen.process.pid, signal.SIGSTOP)
        await traffic.more(deadline_s=FAILOVER_S)
        os.kill(frozen.process.pid, signal.SIGCONT)
        await traffic.more(deadline_s=FAILOVER_S)
        await traffic.drained()

    assert set(traffic.stored.values()) == {1}


@pytest.mark.parametrize("version", ["redis-6.2", "redis-7.0"])
async def test_a_master_that_is_replaced_and_lives_on_is_left_at_once(tmp_path: Path, version: str) -> None:
    with watched_redis(tmp_path, program=redis_program(version)) as watched:
        async with RedisBench(watched.url) as bench:
            assert [one.answer for one in await dispatch(bench, part_of(1))] == ["ok"]
            old = watched.master()
            watched.sentinels[0].do("SENTINEL FAILOVER", watched.service)
            eventually(lambda: all(_names_another(watched, old, n) for n in range(3)), 15)

            async def written_to_the_new() -> bool:
                with suppress(RedisUnavailable):
                    await bench.streams.add(RESULTS, SHARD, [Entry(Kind.TASK, "j", 1, 0, b"")])
                stream = bench.keys.shard(SHARD).stream(RESULTS)
                return watched.master().do("XLEN", stream) > 1 and old.do("ROLE")[0] in (b"master", "master")

            # the old one takes writes for about ten seconds more, and all of them would be lost
            await eventually_async(written_to_the_new, 4)


def _names_another(watched: Watched, old: object, number: int) -> bool:
    _, port = watched.sentinels[number].do("SENTINEL GET-MASTER-ADDR-BY-NAME", watched.service)
    return next(node for node in watched.nodes if node.port == int(port)) is not old


async def test_readonly_makes_us_ask_again(watched: Watched) -> None:
    master, replica = watched.master(), watched.nodes[1]
    async with RedisBench(watched.url) as bench:
        link = bench.topology._commands  # type: ignore[attr-defined]
        sentinels = link._sentinels
        await sentinels.master()
        sentinels._master = ("127.0.0.1", replica.port)  # as a Sentinel that was cut off might say

        with pytest.raises(RedisUnavailable):
            await dispatch(bench, part_of(1))

        assert [one.answer for one in await dispatch(bench, part_of(1))] == ["ok"]
    assert master is watched.master()


async def test_dead_sentinels_are_passed_by(watched: Watched) -> None:
    watched.sentinels[0].kill()
    async with RedisBench(watched.url) as bench:
        assert [one.answer for one in await dispatch(bench, part_of(1))] == ["ok"]
        await settle(bench.settings, ShardsSettings(count=8))


async def test_a_service_that_nobody_knows_says_so(watched: Watched) -> None:
    async with RedisBench(watched.url.replace("/polls", "/other")) as bench:
        with pytest.raises(RedisUnavailable, match="no Sentinel knows a master of 'other'"):
            await bench.streams.figures([SHARD])


async def test_no_sentinel_at_all_is_unavailable(fresh_redis: str) -> None:
    for url in ("sentinel://127.0.0.1:1/polls", fresh_redis.replace("redis://", "sentinel://")):
        with pytest.raises(RedisUnavailable, match="no Sentinel is reachable"):
            await settle(RedisSettings(url=Secret(url)), ShardsSettings())


async def test_a_blocked_reader_follows_too(watched: Watched) -> None:
    async with RedisBench(watched.url) as bench:
        await bench.streams.make_groups(POLLING, [SHARD])
        reading = asyncio.create_task(bench.streams.read(POLLING, [SHARD], "a", 1, 8_000))
        await bench.until_blocked()
        watched.master().kill()

        with pytest.raises(RedisUnavailable):
            await reading

        async def works() -> bool:
            try:
                await dispatch(bench, part_of(1))
                return len(await read(bench)) == 1
            except RedisUnavailable:
                return False

        await eventually_async(works, FAILOVER_S)
