"""What only a real server can do to the stream operations: be full, forget its scripts, be gone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis import exceptions

from streampoll.config.secret import Secret
from streampoll.config.settings import RedisSettings
from streampoll.errors import ConfigError, RedisUnavailable
from streampoll.shards import scripts
from streampoll.shards.connection import connect
from streampoll.shards.open import open_topology
from streampoll.shards.port import Answer, Portion, mark_of
from streampoll.shards.scripts import Scripts
from streampoll.shards.topology import Command
from tests import shards_contract_full
from tests.servers_support import REDIS_NAMES
from tests.shards_support import (
    POLLING,
    SHARD,
    TICK,
    Check,
    RedisBench,
    checks_of,
    dispatch,
    finish,
    held,
    part_of,
    read,
    settled,
)

pytestmark = pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)


@pytest.fixture
async def bench(fresh_redis: str) -> AsyncIterator[RedisBench]:
    async with RedisBench(fresh_redis) as bench:
        yield bench


@pytest.mark.parametrize("check", checks_of(shards_contract_full), ids=lambda check: check.__name__)
async def test_over_maxmemory(check: Check, bench: RedisBench) -> None:
    await check(bench)


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

    replies = await Scripts(bench.topology).run(calls)

    assert replies[0] == 0
    assert "WRONGTYPE" in str(replies[1])


async def test_a_shard_that_can_not_be_swept_costs_no_other_its_claim(
    bench: RedisBench, caplog: pytest.LogCaptureFixture
) -> None:
    taken = await held(bench, 1)
    await bench.run("LPUSH", bench.keys.shard(9).stream(POLLING), "of another type")

    swept = await bench.streams.sweep(POLLING, "b", 0, [Portion(9, 5), Portion(SHARD, 5)])

    assert {shard: [one.id for one in each.entries] for shard, each in swept.items()} == {SHARD: [taken[0].id]}
    assert "polling: shard 9 can't be swept: " in caplog.text
    assert "WRONGTYPE" in caplog.text


async def test_a_claim_is_kept_though_what_was_to_follow_it_failed(
    bench: RedisBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scripts.SCRIPTS, "adopt", "return redis.error_reply('ERR not now')")
    taken = await held(bench, 1)

    swept = await bench.streams.sweep(POLLING, "b", 0, [Portion(SHARD, 5)])

    assert [one.id for one in swept[SHARD].entries] == [taken[0].id]
    assert swept[SHARD].adopted == 0


async def test_a_server_that_lost_its_scripts_and_went_costs_the_others_no_answer(bench: RedisBench) -> None:
    class Gone:
        """One server of two is new, and gone before it is sent the text."""

        one_server = False

        async def run(self, commands: Sequence[Command]) -> list[Any]:
            if commands[0].words[0] == "EVAL":
                raise RedisUnavailable("its server is away")
            known = [command for command in commands if command.key != "new"]
            answers = iter(await bench.topology.run(known))
            return [exceptions.NoScriptError("none") if each.key == "new" else next(answers) for each in commands]

    resign = ("resign", ["k"], ["id"])
    await Scripts(bench.topology).run([resign])

    replies = await Scripts(Gone()).run([resign, ("resign", ["new"], ["id"])])

    assert replies[0] == 0
    assert isinstance(replies[1], RedisUnavailable)
    with pytest.raises(RedisUnavailable):
        await Scripts(Gone()).run([("resign", ["new"], ["id"])])


async def test_a_lost_server_is_unavailable_whatever_is_asked(bench: RedisBench) -> None:
    away = open_topology(RedisSettings(url=Secret("redis://127.0.0.1:1/0")), 1.0)

    with pytest.raises(RedisUnavailable, match="not reachable"):
        await Scripts(away).run([("resign", ["k"], ["id"])])

    await away.close()


async def test_a_reader_cut_off_by_the_server_says_so(bench: RedisBench) -> None:
    await bench.streams.make_groups(POLLING, [SHARD])
    reading = asyncio.create_task(bench.streams.read(POLLING, [SHARD], "a", 1, 8_000))
    await bench.until_blocked()

    await bench.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    with pytest.raises(RedisUnavailable):
        await reading
    await dispatch(bench, part_of(1))
    assert len(await bench.streams.read(POLLING, [SHARD], "a", 1, 0)) == 1


async def test_consumers_silent_for_long_are_retired(bench: RedisBench, monkeypatch: pytest.MonkeyPatch) -> None:
    script = scripts.SCRIPTS["retire"]
    assert "> 60000" in script
    monkeypatch.setitem(scripts.SCRIPTS, "retire", script.replace("> 60000", ">= 0"))
    for consumer in ("gone", "gone-too"):
        await finish(bench, settled(await held(bench, 1, consumer)), consumer)

    assert await bench.streams.retire(POLLING, SHARD, []) == 2


def test_a_url_that_is_none_is_refused_without_its_text(redis_server: object) -> None:
    for url in ("http://user:secret@host", "redis://user:secret@host:port"):
        with pytest.raises(ConfigError) as caught:
            connect(Secret(url), 1.0, 1.0)
        assert "secret" not in str(caught.value)
