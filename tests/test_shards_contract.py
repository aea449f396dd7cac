"""One contract for the stream operations, held by the model and by the scripts on every server we promise."""

import pytest

from tests import (
    shards_contract_control,
    shards_contract_devices,
    shards_contract_dispatch,
    shards_contract_letters,
    shards_contract_recover,
    shards_contract_rows,
    shards_contract_settle,
    shards_contract_state,
)
from tests.servers_support import REDIS_NAMES
from tests.shards_support import Check, MemoryBench, RedisBench, checks_of

CHECKS = [
    check
    for module in (
        shards_contract_dispatch,
        shards_contract_settle,
        shards_contract_rows,
        shards_contract_state,
        shards_contract_recover,
    )
    for check in checks_of(module)
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_in_memory(check: Check) -> None:
    await check(MemoryBench())


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_on_redis(check: Check, fresh_redis: str) -> None:
    async with RedisBench(fresh_redis) as bench:
        await check(bench)


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
@pytest.mark.parametrize("check", checks_of(shards_contract_letters), ids=lambda check: check.__name__)
async def test_dead_letters_on_redis(check: Check, fresh_redis: str) -> None:
    async with RedisBench(fresh_redis) as bench:
        await check(bench)


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
@pytest.mark.parametrize("check", checks_of(shards_contract_control), ids=lambda check: check.__name__)
async def test_what_operators_ask_on_redis(check: Check, fresh_redis: str) -> None:
    async with RedisBench(fresh_redis) as bench:
        await check(bench)


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
@pytest.mark.parametrize("check", checks_of(shards_contract_devices), ids=lambda check: check.__name__)
async def test_records_of_devices_on_redis(check: Check, fresh_redis: str) -> None:
    async with RedisBench(fresh_redis) as bench:
        await check(bench)
