"""The fixtures themselves: what a test gets is there, is empty and is its own."""

import asyncpg
import pytest
import redis.asyncio

from tests.servers_support import REDIS_NAMES
from tests.waiting import eventually, eventually_async


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
async def test_every_promised_redis_is_there_and_empty(fresh_redis: str) -> None:
    async with redis.asyncio.from_url(fresh_redis) as client:
        assert await client.dbsize() == 0
        await client.set("left", "behind")


@pytest.mark.parametrize("round", [1, 2])
async def test_a_database_is_empty_each_time(fresh_database: str, round: int) -> None:  # noqa: A002
    connection = await asyncpg.connect(fresh_database)
    await connection.execute("CREATE TABLE only_here (id int)")
    await connection.close()


def test_a_condition_that_never_holds_fails_and_names_itself() -> None:
    with pytest.raises(AssertionError, match="1 > 2"):
        eventually(lambda: 1 > 2, deadline_s=0)


async def test_a_condition_may_be_awaited() -> None:
    values = iter([0, 0, 7])

    async def next_value() -> int:
        return next(values)

    assert await eventually_async(next_value) == 7
