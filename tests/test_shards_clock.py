"""The one clock follows Redis TIME, whatever this host's clock says."""

import logging

import pytest

from streampoll.shards.clock import Clock


def test_the_clock_follows_redis() -> None:
    clock = Clock(wall=lambda: 1_000.0)

    clock.observe(1_005_500, sent=999.0, received=1_001.0)

    assert (clock.offset_s, clock.now()) == (5.5, 1_005.5)


def test_half_the_round_trip_is_taken_off() -> None:
    clock = Clock(wall=lambda: 10.0)

    clock.observe(10_000, sent=9.8, received=10.2)

    assert clock.offset_s == pytest.approx(0.0)


def test_a_clock_that_is_off_is_warned_of_once_and_cleared_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock(wall=lambda: 0.0)

    for offset_ms in (0, 5_000, 6_000, 0, 0):
        clock.observe(offset_ms, sent=0.0, received=0.0)

    assert [record.getMessage() for record in caplog.records] == [
        "this host's clock is -5.0 s off Redis; polls follow Redis",
        "this host's clock agrees with Redis again",
    ]


def test_an_answer_that_took_long_does_not_move_a_clock_that_it_does_not_prove_wrong() -> None:
    """Packets to Redis were dropped for 5 s: half of that was taken for an offset, and slots followed it."""
    clock = Clock(wall=lambda: 0.0)
    clock.observe(100_000, sent=100.0, received=100.0)

    clock.observe(100_000, sent=100.0, received=105.0)
    assert clock.offset_s == 0.0

    clock.observe(104_000, sent=100.0, received=103.0)
    assert clock.offset_s == 1.0


def test_an_answer_across_a_step_of_the_hosts_clock_is_not_believed() -> None:
    clock = Clock(wall=lambda: 0.0)
    clock.observe(100_000, sent=100.0, received=100.0)

    clock.observe(101_000, sent=101.0, received=61.0)

    assert clock.offset_s == 0.0
