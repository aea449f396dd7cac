"""One leader at a time, and everybody who lives is seen: in memory and on every server we promise."""

import time

import pytest

from streampoll.model import QueueClass
from streampoll.shards.clock import Clock
from streampoll.shards.lease import LeaderLease
from streampoll.shards.port import Worker
from streampoll.shards.presence import Presence, homes, new_worker_id
from streampoll.shards.scripts import Scripts
from tests import shards_contract_lease
from tests.servers_support import REDIS_NAMES
from tests.shards_support import POLLING, RESULTS, SHARD, Check, MemoryBench, RedisBench, checks_of

CHECKS = checks_of(shards_contract_lease)
ALL = frozenset(QueueClass)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_in_memory(check: Check) -> None:
    await check(MemoryBench())


@pytest.mark.parametrize("redis_server", REDIS_NAMES, indirect=True)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_on_redis(check: Check, fresh_redis: str) -> None:
    async with RedisBench(fresh_redis) as bench:
        await check(bench)


async def test_leases_and_beats_set_the_clock(fresh_redis: str) -> None:
    leading, beating = Clock(), Clock()
    for clock in (leading, beating):
        clock.observe(0, sent=clock.ticks(), received=clock.ticks())
    async with RedisBench(fresh_redis) as bench:
        scripts = Scripts(bench.topology)
        await LeaderLease(scripts, bench.keys, "one", 6.0, leading).take(bench.streams, [SHARD])
        await Presence(bench.topology, bench.keys, beating).workers()

    assert abs(leading.now() - time.time()) < 1.0
    assert abs(beating.now() - time.time()) < 1.0


def test_homes_are_shared_out_without_gaps_or_overlaps() -> None:
    workers = [Worker(f"w{n}", ALL, 100.0) for n in range(5)]

    shares = [homes(workers, POLLING, 16, worker.id, 97.0) for worker in workers]

    assert sorted(shard for share in shares for shard in share) == list(range(16))


def test_a_worker_that_does_not_beat_has_no_home() -> None:
    workers = [Worker("live", ALL, 100.0), Worker("dead", ALL, 96.9)]

    assert homes(workers, POLLING, 16, "live", 97.0) == list(range(16))
    assert homes(workers, POLLING, 16, "dead", 97.0) == []


def test_only_who_serves_a_class_has_homes_in_it() -> None:
    workers = [Worker("both", ALL, 100.0), Worker("polling", frozenset({"polling"}), 100.0)]

    assert homes(workers, RESULTS, 16, "both", 97.0) == list(range(16))
    assert 0 < len(homes(workers, POLLING, 16, "polling", 97.0)) < 16


def test_a_worker_id_is_never_used_again() -> None:
    ids = {new_worker_id() for _ in range(100)}

    assert len(ids) == 100
    assert not any(" " in one for one in ids)  # the leader's value is parted by one
