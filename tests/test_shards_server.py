"""What a server must be to be used: new enough, not evicting, set up with the same shard count."""

from collections.abc import AsyncIterator

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings, ShardsSettings
from streampoll.errors import RedisUnavailable, UnfitServerError
from streampoll.shards.server import ServerFacts, examine, facts_of, refuse_unfit, settle
from tests.servers_support import REDIS_NAMES
from tests.shards_support import RedisBench

FIT = ServerFacts((6, 2, 0), 0, 1_000, "noeviction", True, "id")
on_each_server = pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)


@pytest.fixture
async def bench(fresh_redis: str) -> AsyncIterator[RedisBench]:
    async with RedisBench(fresh_redis) as bench:
        yield bench
        await bench.run("CONFIG", "SET", "maxmemory-policy", "noeviction")


@pytest.mark.parametrize("version", [(6, 2), (6, 2, 14), (7, 0, 15), (8, 0, 0)])
def test_a_new_enough_server_is_used(version: tuple[int, ...]) -> None:
    refuse_unfit(ServerFacts(version, 0, 0, "noeviction", False, ""))


@pytest.mark.parametrize("version", [(0,), (5, 0, 7), (6, 0, 16), (6, 1, 240)])
def test_an_old_server_is_refused(version: tuple[int, ...]) -> None:
    with pytest.raises(UnfitServerError, match=r"too old.*6\.2"):
        refuse_unfit(ServerFacts(version, 0, 0, "noeviction", True, ""))


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_an_evicting_server_is_refused_with_the_line_to_set(policy: str) -> None:
    with pytest.raises(UnfitServerError, match=f"{policy}.*CONFIG SET maxmemory-policy noeviction"):
        refuse_unfit(ServerFacts((7, 0), 0, 0, policy, True, ""))


def test_facts_are_read_from_info() -> None:
    said = (
        b"# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\nmaxmemory:100\r\nused_memory:25\r\naof_enabled:1\r\nodd\r\n"
    )

    facts = facts_of(said)

    assert facts == ServerFacts((7, 0, 15), 100, 25, "noeviction", True, "abc")
    assert (facts.release, facts.fill, FIT.fill) == ("7.0.15", 0.25, 0.0)


@on_each_server
async def test_a_real_server_is_fit(fresh_redis: str) -> None:
    facts = await examine(RedisSettings(url=Secret(fresh_redis)))

    refuse_unfit(facts)
    assert facts.version >= (6, 2)
    assert facts.used_memory > 0
    assert facts.run_id


@on_each_server
async def test_a_real_server_that_evicts_is_refused(bench: RedisBench, fresh_redis: str) -> None:
    await bench.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")

    with pytest.raises(UnfitServerError, match="allkeys-lru"):
        await settle(RedisSettings(url=Secret(fresh_redis)), ShardsSettings(count=16))

    assert await bench.run("EXISTS", bench.keys.meta) == 0


async def test_the_first_process_records_the_shard_count(bench: RedisBench, fresh_redis: str) -> None:
    for _ in range(2):
        await settle(RedisSettings(url=Secret(fresh_redis)), ShardsSettings(count=8))

    assert await bench.run("HGETALL", bench.keys.meta) == [b"format", b"1", b"shards", b"8"]


async def test_another_shard_count_is_refused_with_the_way_out(fresh_redis: str) -> None:
    await settle(RedisSettings(url=Secret(fresh_redis)), ShardsSettings(count=8))

    with pytest.raises(UnfitServerError, match=r"shards\.count = 8, not 16.*HDEL sp:meta shards"):
        await settle(RedisSettings(url=Secret(fresh_redis)), ShardsSettings(count=16))


async def test_data_of_another_format_are_refused(bench: RedisBench, fresh_redis: str) -> None:
    await bench.run("HSET", bench.keys.meta, "format", "7")

    with pytest.raises(UnfitServerError, match="format 7"):
        await settle(RedisSettings(url=Secret(fresh_redis)), ShardsSettings())


async def test_deployments_of_other_prefixes_do_not_meet(fresh_redis: str) -> None:
    await settle(RedisSettings(url=Secret(fresh_redis), prefix="a"), ShardsSettings(count=8))
    await settle(RedisSettings(url=Secret(fresh_redis), prefix="b"), ShardsSettings(count=16))


async def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(RedisUnavailable, match="not reachable"):
        await examine(RedisSettings(url=Secret("redis://:hidden@127.0.0.1:1/0")))
