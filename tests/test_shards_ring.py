"""Hashing is the same in every process and release: these vectors must never change."""

import pytest

from streampoll.shards.keys import Keys
from streampoll.shards.ring import device_hash, hash64, home_of, phase_of, shard_of

WORKERS = [f"host-{n}-abc" for n in range(8)]


def test_a_device_hash_never_changes() -> None:
    assert device_hash("sw1.example.net") == 16413027821411659635
    assert device_hash("") == 16476032584258269876


def test_a_shard_never_changes() -> None:
    assert [shard_of(f"10.0.0.{n}", 16) for n in range(8)] == [4, 6, 15, 10, 15, 6, 9, 4]
    assert shard_of("2001:db8::1", 16) == 14


def test_a_phase_never_changes() -> None:
    assert [phase_of(f"sw{n}", "interfaces", 60) for n in range(8)] == [24, 7, 36, 22, 40, 42, 3, 59]


def test_a_home_never_changes() -> None:
    assert [home_of("polling", shard, WORKERS) for shard in range(8)] == [
        f"host-{n}-abc" for n in [1, 0, 4, 3, 2, 4, 1, 3]
    ]


def test_parts_are_kept_apart() -> None:
    assert hash64("ab", "c") != hash64("a", "bc")


def test_shards_and_phases_are_spread_evenly() -> None:
    names = [f"10.{n // 250}.{n % 250}.1" for n in range(16_000)]
    by_shard = [sum(shard_of(name, 16) == shard for name in names) for shard in range(16)]
    by_phase = [sum(phase_of(name, "job", 10) == phase for name in names) for phase in range(10)]

    assert max(by_shard) < 1.15 * 1_000
    assert max(by_phase) < 1.15 * 1_600


def test_without_workers_there_is_no_home() -> None:
    assert home_of("polling", 3, []) is None


@pytest.mark.parametrize("gone", WORKERS)
def test_a_worker_that_goes_moves_only_its_own_share(gone: str) -> None:
    before = {shard: home_of("polling", shard, WORKERS) for shard in range(64)}
    after = {shard: home_of("polling", shard, [w for w in WORKERS if w != gone]) for shard in range(64)}

    assert {shard for shard in before if before[shard] != after[shard]} == {s for s in before if before[s] == gone}


def test_the_order_of_workers_does_not_matter() -> None:
    assert all(home_of("results", n, WORKERS) == home_of("results", n, WORKERS[::-1]) for n in range(64))


def test_classes_of_a_shard_have_homes_of_their_own() -> None:
    assert any(home_of("polling", n, WORKERS) != home_of("results", n, WORKERS) for n in range(16))


def test_keys_of_a_shard_share_its_slot() -> None:
    shard = Keys("sp").shard(7)

    assert shard.base == "sp:{07}"
    assert Keys("sp").shard(4095).base == "sp:{4095}"
    assert all("{" not in key for key in (Keys("a").leader, Keys("a").workers, Keys("a").worker("w"), Keys("a").meta))
