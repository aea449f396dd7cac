"""The one clock follows Redis TIME, whatever this host's clock says."""

import logging

import pytest

from streampoll.shards.clock import Clock


def clock_at(ticks: float, wall: float = 0.0) -> Clock:
    """A clock that is asked at `ticks`."""
    return Clock(wall=lambda: wall, ticks=lambda: ticks)


def test_before_the_first_reading_it_is_this_hosts_clock() -> None:
    assert clock_at(10.0, wall=1_000.0).now() == 1_000.0


def test_the_clock_follows_redis() -> None:
    clock = clock_at(1_000.0)

    clock.observe(1_005_500, sent=999.0, received=1_001.0)

    assert clock.now() == 1_005.5


def test_half_the_round_trip_is_taken_off() -> None:
    clock = clock_at(10.0)

    clock.observe(10_000, sent=9.96, received=10.04)

    assert clock.now() == pytest.approx(10.0)


def test_a_step_of_this_hosts_clock_changes_nothing() -> None:
    """Until the next heartbeat polls were called expired, and rows 40 s late."""
    wall = 1_000.0
    clock = Clock(wall=lambda: wall, ticks=lambda: 10.0)
    clock.observe(1_000_000, sent=10.0, received=10.0)

    wall += 40.0

    assert clock.now() == 1_000.0


def test_a_host_that_is_off_is_warned_of_once_and_cleared_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = clock_at(0.0)

    for redis_ms in (0, 5_000, 6_000, 0, 0):
        clock.observe(redis_ms, sent=0.0, received=0.0)

    assert [record.getMessage() for record in caplog.records] == [
        "this host's clock is -5.0 s off Redis; polls follow Redis",
        "this host's clock agrees with Redis again",
    ]


def test_an_answer_that_took_long_does_not_move_a_clock_that_it_does_not_prove_wrong() -> None:
    """Packets to Redis were dropped for 5 s: half of that was taken for an offset, and slots followed it."""
    clock = clock_at(100.0)
    clock.observe(100_000, sent=100.0, received=100.0)

    clock.observe(100_000, sent=100.0, received=105.0)
    assert clock.now() == 100.0

    clock.observe(104_000, sent=100.0, received=103.0)
    assert clock.now() == 101.0
